"""The monolith's views, one module for each part of the shop."""
