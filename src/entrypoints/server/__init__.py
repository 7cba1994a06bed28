"""``millrace serve``: the HTTP API and the console on one machine, and the process that works beside them."""
