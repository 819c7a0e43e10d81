r"""The linear motion of a harmonic chain between baths, with a noise, and its moments.

With the coordinates :math:`x = (s, p)`, the mean m and the covariance C obey

.. math:: \dot m = Am + f, \qquad \dot C = AC + CA^\top + D + R(C + mm^\top),

where A holds springs, friction and what the noise does to means, and R the rest (see `_closure`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from ..chain import Chain
from ..noise import Langevin
from ._closure import Groups

__all__ = ["Motion", "advanced"]

LONGEST = 6.0  # of a step of the Taylor series, in units of the norm of the equations
ROUNDING = 1e-17


@dataclass(frozen=True, eq=False)
class Motion:
    r"""The motion :math:`dx = (Ax + f)\,dt`, baths and a noise.

    Attributes
    ----------
    drift : (2n, 2n) sparse array
        A; all its entries are rates.
    friction, force, temperature : (n,) array
        Of the baths, 0 where none is.
    noise : Groups or None
        The noise; `acted` is the slice of x on which it acts.
    to_s, to_q : (n, n) array
        Take q to the first half of x, and back: displacements, or stretches if these flip.
    """

    drift: scipy.sparse.csr_array
    friction: NDArray[np.float64]
    force: NDArray[np.float64]
    temperature: NDArray[np.float64]
    noise: Groups | None
    acted: slice
    to_s: NDArray[np.float64]
    to_q: NDArray[np.float64]

    @classmethod
    def of(cls, chain: Chain, baths: Sequence[Langevin], noise: Groups | None) -> Motion:
        """The motion of a chain with baths at sites that exist."""
        n, bonds = chain.n, chain.n_bonds
        bath = np.zeros((3, n))
        for one in baths:
            bath[:, one.site] = one.friction, one.force, one.temperature
        to_s, pull, acted = np.eye(n), chain.stiffness_matrix(), slice(n, 2 * n)
        # a power of 2 turns displacements into momenta: then all entries of the drift are rates, unrounded
        unit = 2.0 ** round(0.5 * math.log2(np.linalg.norm(pull, np.inf) or 1.0))
        if noise is not None and noise.on_stretches:
            # the stretches, and without a wall the place of the first site, which no flip moves
            gradient = chain.stretches(to_s).T
            to_s = np.concatenate([gradient, to_s[: n - bonds]])
            pull = np.zeros((n, n))
            pull[:, :bonds] = gradient.T * np.broadcast_to(chain.bond.chi, bonds)
            acted = slice(0, noise.n)
        drift = np.block([[np.zeros((n, n)), unit * to_s], [-pull / unit, -np.diag(bath[0])]])
        if noise is not None:
            drift[acted, acted] += noise.matrix()
        return cls(
            scipy.sparse.csr_array(drift), *bath, noise, acted, unit * to_s, np.linalg.inv(to_s) / unit
        )

    @property
    def constant(self) -> NDArray[np.float64]:
        """f."""
        return np.concatenate([np.zeros_like(self.force), self.force])

    def heat(self, base: float = 0.0) -> NDArray[np.float64]:
        """D, (2n, 2n), less that of baths of one temperature."""
        heat = np.where(self.friction > 0, 2 * self.friction * (self.temperature - base), 0.0)
        return np.diag(np.concatenate([np.zeros_like(heat), heat]))

    def kicked(self, second: NDArray[np.float64]) -> NDArray[np.float64] | float:
        """R of second moments, both of what the noise acts on."""
        return 0.0 if self.noise is None else self.noise.source(second)

    @property
    def pace(self) -> float:
        """Steps of the series a unit of time: they are no longer than `LONGEST`."""
        with np.errstate(over="ignore"):  # an infinite number of steps is refused like any that is too large
            bound = 2 * abs(self.drift).sum(axis=1).max()
            if self.noise is not None:
                kick = np.abs(self.noise.kick).sum(axis=1).max() ** 2
                bound += self.noise.index.shape[1] * self.noise.weight * kick * self.noise.strength
        return float(bound) / LONGEST


def advanced(
    motion: Motion, mean: NDArray[np.float64], covariance: NDArray[np.float64], duration: float, steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Mean and covariance a time later, by the Taylor series of the exact solution in so many steps.

    The terms of :math:`mm^\top`, which the noise turns into heat, are sums of products of those of m: so the
    covariance is never a difference of large moments.
    """
    A, f, acted, heat = motion.drift, motion.constant, motion.acted, motion.heat()
    step = duration / steps
    sizes = np.cumprod(step * motion.pace * LONGEST / np.arange(1, 100))
    terms = 1 + int(np.argmax(sizes < ROUNDING))
    for _ in range(steps):
        m, C, means = mean, covariance, []
        for order in range(1, terms + 1):
            means.append(m[acted])
            kicked = motion.kicked(C[acted, acted] + np.transpose(means) @ means[::-1])
            m, half = A @ m, A @ C
            C = half + half.T
            C[acted, acted] += kicked
            if order == 1:
                m, C = m + f, C + heat
            m *= step / order
            C *= step / order
            mean, covariance = mean + m, covariance + C
        # round-off that is not symmetric would grow: the equations only damp what is
        covariance = 0.5 * (covariance + covariance.T)
    return mean, covariance
