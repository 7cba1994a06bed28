"""The HTTP API without a server: from a request to a response, the same on one machine and behind API Gateway."""
