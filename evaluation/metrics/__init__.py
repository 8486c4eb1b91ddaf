"""One file a metric; table.py lists them."""
