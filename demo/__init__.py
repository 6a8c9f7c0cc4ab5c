"""The demo: a shop as a Django monolith, its FastAPI port with planted, documented defects, and the traffic that finds them."""
