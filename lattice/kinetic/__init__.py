"""What distributions do: phonons as a gas."""

from . import ballistic, phonons

__all__ = ["ballistic", "phonons"]
