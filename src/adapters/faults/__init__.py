"""The faults adapter: what goes wrong in the world, put on any adapter's stores on purpose and from a seed."""

from .injector import Crash, Fault, Injector
from .stores import FaultyClock, faulty, patient

__all__ = ["Crash", "Fault", "FaultyClock", "Injector", "faulty", "patient"]
