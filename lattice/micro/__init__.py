"""What particles do: trajectories, currents, exact second moments, transport coefficients."""

from . import lattice, moments, wavefield, wigner
from .currents import *
from .currents import __all__ as _currents
from .evolution import *
from .evolution import __all__ as _evolve
from .response import *
from .response import __all__ as _green_kubo

__all__ = ["lattice", "moments", "wavefield", "wigner", *_currents, *_evolve, *_green_kubo]
