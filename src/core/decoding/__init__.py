"""Decoding: a pure function from a receipt and its bytes to events, in every form a request can have."""
