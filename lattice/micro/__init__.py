"""What particles do: trajectories, currents, exact second moments, transport coefficients."""

from . import crystals, moments, wigner
from .currents import bath_power, energy_current, momentum_current
from .evolution import BlowUp, evolve
from .exact_conductivity import Conductivity, exact_kappa
from .observers import Averages, Profiles, Series, Totals, Trajectory
from .response import GreenKubo, converged, green_kubo

__all__ = [
    "Averages",
    "BlowUp",
    "Conductivity",
    "GreenKubo",
    "Profiles",
    "Series",
    "Totals",
    "Trajectory",
    "bath_power",
    "converged",
    "crystals",
    "energy_current",
    "evolve",
    "exact_kappa",
    "green_kubo",
    "moments",
    "momentum_current",
    "wigner",
]
