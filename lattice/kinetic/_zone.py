r"""Integrals over the zone of wave numbers, and of whatever else changes on scales that lie far apart.

The trapezoidal rule in :math:`y = \ln x` at the step h has an error of order :math:`e^{-\pi^2/h}`, if x may
turn by a right angle in the complex plane: round-off.  Scales may lie between 1e-30 and 1e30; what decays
like :math:`e^{-|y|/2}` beyond them is cut off at a relative 1e-13.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.special
from numpy.typing import NDArray

STEP = 0.25
LOGARITHMS = STEP * np.arange(-520, 521)


def zone() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    r"""Nodes and weights for integrals over 0 < k < ½.

    Returns s = sin² πk, 1 - s and the weights.  With :math:`s = e^y/(1 + e^y)`,
    :math:`dk = \sqrt{s(1 - s)}\, dy/2\pi`.
    """
    s, one_minus_s = scipy.special.expit(LOGARITHMS), scipy.special.expit(-LOGARITHMS)
    return s, one_minus_s, np.sqrt(s * one_minus_s) * STEP / (2 * math.pi)
