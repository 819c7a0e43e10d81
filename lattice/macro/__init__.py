"""What conserved fields do: heat."""

from . import diffusion

__all__ = ["diffusion"]
