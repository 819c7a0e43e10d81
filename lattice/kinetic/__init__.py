"""What distributions do: phonons as a gas."""

from . import ballistic, flights, noisy, transport

__all__ = ["ballistic", "flights", "noisy", "transport"]
