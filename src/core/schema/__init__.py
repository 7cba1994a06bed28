"""What a declared class means: its shape, and what is derived from it (decoder, checks, JSON Schema, examples)."""
