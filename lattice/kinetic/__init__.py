"""What distributions do: phonons as a gas."""

from . import ballistic, boltzmann, flights, phonons

__all__ = ["ballistic", "boltzmann", "flights", "phonons"]
