"""The pipeline: from the bytes of a receipt to curated records and dead letters, compiled per event type."""
