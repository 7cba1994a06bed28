"""Benchmarks: side by side in one run, as medians of ratios, with results asserted equal. ``make bench``."""
