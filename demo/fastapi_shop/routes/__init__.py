"""The port's routes, one module for each part of the shop, as the monolith has them."""
