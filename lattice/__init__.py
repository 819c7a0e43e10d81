"""How heat travels, from oscillators to Boltzmann and Fourier.

The ground floor is public here.  The storeys, which never import each other, are loaded on first use:
`lattice.micro` (what particles do), `lattice.kinetic` (what distributions do) and `lattice.macro` (what
conserved fields do); likewise `lattice.figures`, which needs matplotlib and ipywidgets.
"""

from importlib import import_module as _import
from types import ModuleType as _Module

from . import branches, chain, crystal, estimate, fits, modes, noise, replicas, stats, thermo, waves
from .branches import *
from .chain import *
from .crystal import *
from .estimate import *
from .fits import *
from .modes import *
from .noise import *
from .replicas import *
from .stats import *
from .thermo import *
from .waves import *

__version__ = "0.1.0"

_FLOOR = (branches, chain, crystal, estimate, fits, modes, noise, replicas, stats, thermo, waves)
__all__ = sorted(name for module in _FLOOR for name in module.__all__)

STOREYS = ("figures", "kinetic", "macro", "micro")


def __getattr__(name: str) -> _Module:
    if name in STOREYS:
        return _import(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *STOREYS])
