"""The ways in: the command line, and the one place that wires core and adapters together."""
