"""What distributions do: phonons as a gas."""

from . import ballistic, flights, noisy, resonance, transport

__all__ = ["ballistic", "flights", "noisy", "resonance", "transport"]
