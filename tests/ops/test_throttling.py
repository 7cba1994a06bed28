"""``millrace ops``: throttling."""
