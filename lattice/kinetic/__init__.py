"""What distributions do: phonons as a gas."""

from . import ballistic, collisions, flights, four_phonon, noisy, resonance, three_phonon, transport

__all__ = [
    "ballistic",
    "collisions",
    "flights",
    "four_phonon",
    "noisy",
    "resonance",
    "three_phonon",
    "transport",
]
