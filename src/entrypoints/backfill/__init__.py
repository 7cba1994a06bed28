"""Backfill: where old data comes from, and how it gets into a store or into views alone."""
