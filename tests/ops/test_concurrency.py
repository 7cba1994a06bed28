"""``millrace ops``: concurrency."""
