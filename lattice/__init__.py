"""How heat travels, from oscillators to Boltzmann and Fourier.

The ground floor is public here; the storeys are `lattice.micro` (what particles
do) and `lattice.kinetic` (what distributions do), which never import each other.
"""

from . import chain as _chain
from . import estimate as _estimate
from . import fits as _fits
from . import noise as _noise
from . import replicas as _replicas
from . import stats as _stats
from . import thermo as _thermo
from . import waves as _waves
from .chain import *
from .estimate import *
from .fits import *
from .noise import *
from .replicas import *
from .stats import *
from .thermo import *
from .waves import *

__all__ = [
    *_chain.__all__,
    *_noise.__all__,
    *_waves.__all__,
    *_thermo.__all__,
    *_estimate.__all__,
    *_stats.__all__,
    *_fits.__all__,
    *_replicas.__all__,
]
