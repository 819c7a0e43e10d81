"""What particles do: trajectories, currents, exact second moments, transport coefficients."""

from . import crystals, currents, evolution, exact_conductivity, moments, observers, planar, response, wigner
from .currents import *
from .evolution import *
from .exact_conductivity import *
from .observers import *
from .response import *

__all__ = ["crystals", "moments", "planar", "wigner"]
for _module in (currents, evolution, exact_conductivity, observers, response):
    __all__ += _module.__all__
