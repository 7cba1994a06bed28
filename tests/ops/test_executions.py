"""``millrace ops``: executions."""
