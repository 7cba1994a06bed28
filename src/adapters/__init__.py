"""The outside of the core: each adapter implements the ports of ``core.ports`` on one kind of backend."""
