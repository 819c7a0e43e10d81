"""What distributions do: phonons as a gas."""

from . import ballistic

__all__ = ["ballistic"]
