"""The services: what the platform does, in terms of the ports."""
