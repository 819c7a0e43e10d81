"""Integrals over the zone of wave numbers that change on scales of any size."""

from __future__ import annotations

import math

import numpy as np
import scipy.special
from numpy.typing import NDArray

STEP = 0.2  # of the trapezoidal rule in a logarithm, and
REACH = 80.0  # how far it goes beyond the scales of the integrand


def exponents(smallest: float, largest: float) -> NDArray[np.float64]:
    r"""Nodes in :math:`y = \ln x` for integrands that change between two scales and decay beyond.

    The trapezoidal rule in y has an error of order :math:`e^{-\pi^2/h}` at the step h, if x may turn by a
    right angle in the complex plane: round-off.  What decays like :math:`e^{-|y|/2}` is gone after 80.
    """
    first, last = (math.log(smallest) - REACH) / STEP, (math.log(largest) + REACH) / STEP
    return STEP * np.arange(math.floor(first), math.ceil(last))  # a start off the grid would cost digits


def zone(scales: list[float]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    r"""Nodes and weights for integrals over 0 < k < ½ that change at these scales of s = sin² πk.

    Returns s, 1 - s and the weights.  With :math:`s = e^y/(1 + e^y)`,
    :math:`dk = \sqrt{s(1 - s)}\, dy/2\pi`.
    """
    y = exponents(min(scales), max(scales))
    s, one_minus_s = scipy.special.expit(y), scipy.special.expit(-y)
    return s, one_minus_s, np.sqrt(s * one_minus_s) * STEP / (2 * math.pi)
