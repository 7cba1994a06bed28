"""Costs: what a load comes to in requests, capacity and dollars, and which quota it reaches first."""
