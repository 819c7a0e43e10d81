"""What particles do: trajectories, currents, exact second moments."""

from . import moments
from .currents import *
from .currents import __all__ as _currents
from .evolve import *
from .evolve import __all__ as _evolve

__all__ = ["moments", *_currents, *_evolve]
