"""The pure core: no clock, no randomness, no I/O; everything outside comes in through ``ports``."""
