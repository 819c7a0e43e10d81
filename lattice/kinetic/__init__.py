"""What distributions do: phonons as a gas."""

from . import ballistic, collisions, flights, noisy, resonance, transport

__all__ = ["ballistic", "collisions", "flights", "noisy", "resonance", "transport"]
