"""``millrace ops``: capacity."""
