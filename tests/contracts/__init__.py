"""One suite per port, run on every adapter: what the ports' docstrings promise."""
