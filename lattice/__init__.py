"""How heat travels, from oscillators to Boltzmann and Fourier.

The ground floor is public here.  The storeys, which never import each other, are loaded on first use:
`lattice.micro` (what particles do), `lattice.kinetic` (what distributions do) and `lattice.macro` (what
conserved fields do); likewise `lattice.figures`, which needs matplotlib and ipywidgets.
"""

from importlib import import_module as _import
from types import ModuleType as _Module

from .chain import Bond, Chain, Pin, State, energy, site_energy
from .crystal import Crystal
from .estimate import Estimate, Untrusted
from .fits import Extrapolation, PowerLaw, extrapolate, power_law
from .modes import NormalModes, normal_modes
from .noise import (
    Langevin,
    PairRotation,
    StretchFlip,
    ThreeSiteRotation,
    VelocityExchange,
    VelocityFlip,
    bath_sites,
)
from .replicas import ReplicaError, StoreError, ensemble
from .stats import autocorrelation_time, blocking, jackknife, mean
from .thermo import bond_average, heat_capacity, log_partition, mean_energy, site_average, thermal
from .waves import (
    dispersion,
    fourier,
    group_velocity,
    inverse_fourier,
    mean_chain,
    mode_energy,
    phase_space,
    random_phases,
    wave_action,
    wave_field,
    wave_numbers,
)

__version__ = "0.1.0"

__all__ = [
    "Bond",
    "Chain",
    "Crystal",
    "Estimate",
    "Extrapolation",
    "Langevin",
    "NormalModes",
    "PairRotation",
    "Pin",
    "PowerLaw",
    "ReplicaError",
    "State",
    "StoreError",
    "StretchFlip",
    "ThreeSiteRotation",
    "Untrusted",
    "VelocityExchange",
    "VelocityFlip",
    "autocorrelation_time",
    "bath_sites",
    "blocking",
    "bond_average",
    "dispersion",
    "energy",
    "ensemble",
    "extrapolate",
    "fourier",
    "group_velocity",
    "heat_capacity",
    "inverse_fourier",
    "jackknife",
    "log_partition",
    "mean",
    "mean_chain",
    "mean_energy",
    "mode_energy",
    "normal_modes",
    "phase_space",
    "power_law",
    "random_phases",
    "site_average",
    "site_energy",
    "thermal",
    "wave_action",
    "wave_field",
    "wave_numbers",
]

STOREYS = ("figures", "kinetic", "macro", "micro")


def __getattr__(name: str) -> _Module:
    if name in STOREYS:
        return _import(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *STOREYS])
