"""What particles do: trajectories, currents, exact second moments, transport coefficients."""

from . import crystals, moments, wigner
from .currents import bath_power, energy_current
from .evolution import BlowUp, Trajectory, evolve
from .exact_conductivity import Conductivity, exact_kappa
from .response import GreenKubo, converged, green_kubo

__all__ = [
    "BlowUp",
    "Conductivity",
    "GreenKubo",
    "Trajectory",
    "bath_power",
    "converged",
    "crystals",
    "energy_current",
    "evolve",
    "exact_kappa",
    "green_kubo",
    "moments",
    "wigner",
]
