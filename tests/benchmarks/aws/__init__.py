"""Benchmarks of the AWS side: CPU of a function and of a write, cold start, and the way of events through the stack."""
