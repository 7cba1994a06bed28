"""Deterministic simulation of several workers over the real services, against a plain model of the rules."""
