r"""Chains without pins in equilibrium: independent stretches, whose sum vanishes on a ring and between walls.

The density of the sum at 0 is that of its characteristic function, :math:`\int\prod_b\hat\rho_b(k)\,dk/2\pi`.
A force F, which the constraint cancels, first makes its mean 0, so that no digits are lost.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ._check import work
from ._quadrature import Gibbs, laws
from .chain import Chain

MOST_WORK = 1e8  # nodes times wave numbers
PARTS = 1024  # of the wave numbers, which matter or do not
MOST_AT_ONCE = 10**7  # stretches drawn


def product(a: NDArray, b: NDArray, times: Callable = np.multiply) -> NDArray:
    """The product of two quantities, each with its first and second derivative, shape (3, ...)."""
    return np.stack(
        [times(a[0], b[0]), times(a[1], b[0]) + times(a[0], b[1]),
         times(a[2], b[0]) + 2 * times(a[1], b[1]) + times(a[0], b[2])]
    )  # fmt: skip


def power(a: NDArray, exponent: int, times: Callable) -> NDArray:
    """The positive power of a quantity with its derivatives, by repeated squaring; `times` multiplies two."""
    result = None
    while True:
        if exponent % 2:
            result = a if result is None else times(result, a)
        exponent //= 2
        if not exponent:
            return result
        a = times(a, a)


class Stretches:
    """The stretches of a chain without pins at one temperature."""

    def __init__(self, chain: Chain, T: float) -> None:
        self.chain, self.T = chain, T
        self.laws, self.which = laws(chain.bond, chain.n_bonds)
        self.counts = np.bincount(self.which)
        self.closed = chain.periodic or chain.ends == ("fixed", "fixed")
        self._refuse()
        self.gibbs, self.force = [Gibbs(law, T) for law in self.laws], 0.0
        if self.closed and abs(self._sum("mean")) > 0.1 * self._width():
            self._balance()

    def _refuse(self) -> None:
        rotors = [law.periodic for law in self.laws]
        for bond, law in enumerate(self.laws[index] for index in self.which):
            if not (law.confining or law.periodic):
                raise ValueError(
                    f"chain has bond {bond} with {law}, not bounded below: there is no equilibrium; "
                    "allowed: beta > 0, or chi > 0 without alpha and beta, or J alone"
                )
            if law.zero and not (all(rotors) and law.m):
                raise ValueError(
                    f"chain falls into parts at bond {bond} without force; allowed: a force on every bond"
                )
        if self.closed and any(rotors) and not (all(rotors) and len({abs(law.m) for law in self.laws}) == 1):
            raise ValueError(
                "chain is a ring or has two walls, with bonds of J alone beside others or of another m; "
                "allowed: a free end, or J alone on all bonds and one m"
            )

    def _sum(self, name: str) -> float:
        return float(sum(c * getattr(g, name) for c, g in zip(self.counts, self.gibbs, strict=True)))

    def _width(self) -> float:
        """The standard deviation of the sum of independent stretches."""
        return math.sqrt(sum(c * g.deviation**2 for c, g in zip(self.counts, self.gibbs, strict=True)))

    def _balance(self) -> None:
        """Find the force over T at which the stretches cancel on average."""
        from scipy.optimize import brentq  # a good part of the import, and few chains need it

        def mean(force: float) -> float:
            self.gibbs, self.force = [Gibbs(law, self.T, force) for law in self.laws], force
            return self._sum("mean")

        unit = 0.1 / self._width()
        near, far = 0.0, math.copysign(unit, -self._sum("mean"))
        while mean(far) * far < 0:
            near, far = far, 2 * far
        mean(brentq(mean, near, far, xtol=unit, rtol=1e-12))

    def _closed(self, values: list[NDArray]) -> NDArray[np.float64]:
        """Density of the sum at 0, and times mean and mean square of what sums up values at the nodes."""
        each = list(zip(self.counts.tolist(), self.gibbs, values, strict=True))
        size = sum(count * (g.weights @ np.abs(value)) for count, g, value in each)
        most = math.pi / max(g.steps.max() * g.s for g in self.gibbs)
        matters, period = self._matters(most), self.gibbs[0].period

        def summed(spread: float) -> NDArray[np.float64]:  # the sum is taken to be periodic
            k = 2 * math.pi / spread * np.arange(math.floor(most * spread / 2 / math.pi) + 1)
            k = k[matters[np.minimum(k / most * PARTS, PARTS - 1).astype(int)]]
            whole = None
            for count, g, value in each:
                work("chain", self.chain, float(k.size * g.r.size), MOST_WORK)
                part = power(g.characteristic(k, value), count, product)
                whole = part if whole is None else product(whole, part)
            return (2 * whole.real.sum(axis=1) - whole.real[:, 0]) / spread

        spread, unit = 20 * self._width(), np.array([1.0, size, size**2 + size])
        found, before = summed(min(spread, period)), np.inf
        while spread < period and (np.abs(found - before) > 1e-10 * found[0] * unit).any():
            spread *= 2
            found, before = summed(min(spread, period)), found
        return found

    def _matters(self, most: float) -> NDArray[np.bool_]:
        """In which equal parts of 0 < k < most the product is above 1e-26: by the slope of each factor."""
        k, logs = (np.arange(PARTS) + 0.5) * most / PARTS, 0.0
        for count, g in zip(self.counts, self.gibbs, strict=True):
            bound = np.abs(g.characteristic(k)[0]) + g.deviation * most / (2 * PARTS)
            logs = logs + count * np.log(np.minimum(bound, 1.0))
        return logs > -60

    @functools.cached_property
    def thermodynamics(self) -> tuple[float, float, float]:
        """Of the displacements: log Z, mean of the energy over T and its variance over T²."""
        log_z, energy, capacity = map(self._sum, ("log_z", "energy", "capacity"))
        if self.chain.ends in (("free", "free"), ("periodic", "periodic")):
            log_z -= math.log(self.chain.n) / 2  # the translation is measured by Σq/√n
        if not self.closed:
            return log_z, energy, capacity
        density, first, second = self._closed([g.value for g in self.gibbs]).tolist()
        return log_z + math.log(density), energy + first / density, second / density - (first / density) ** 2

    def bond_average(self, f: Callable) -> float:
        """The mean over bonds of the average of f(r)."""
        values = [f(g.r) for g in self.gibbs]
        if self.closed:
            unit = (
                max(np.abs(value).max() for value in values) or 1.0
            )  # whose square may be beyond the floats
            density, first, _ = self._closed([value / unit for value in values])
            return first / density / self.chain.n_bonds * unit
        sums = (count * (g.weights @ v) for count, g, v in zip(self.counts, self.gibbs, values, strict=True))
        return sum(sums) / self.chain.n_bonds

    def site_average(self, f: Callable) -> float:
        raise ValueError("chain has anharmonic bonds and no pin; allowed: a harmonic or a pinned chain")

    def draw(self, replicas: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent samples of all displacements, shape (replicas, n)."""
        r = self._stretches(replicas, rng)
        if self.chain.ends[0] == "fixed":
            return np.cumsum(r[:, : self.chain.n], axis=1)
        if self.chain.ends == ("free", "fixed"):
            return -np.cumsum(r[:, ::-1], axis=1)[:, ::-1]
        q = np.zeros((replicas, self.chain.n))
        np.cumsum(r[:, : self.chain.n - 1], axis=1, out=q[:, 1:])
        return q - q.mean(axis=1, keepdims=True)

    def _stretches(self, replicas: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent samples of all stretches, shape (replicas, n_bonds).

        On a closed chain the widest bond takes what the others leave, and is accepted as likely as that is.
        """
        widest = self.gibbs[int(np.argmax([g.deviation for g in self.gibbs]))]
        last = int(np.flatnonzero(self.which == self.gibbs.index(widest))[-1]) if self.closed else None
        share = widest.deviation / self._width() if self.closed else 1.0  # that is accepted, about
        found, missing = [], replicas
        while missing:
            size = min(math.ceil(1.1 * missing / share), max(1, MOST_AT_ONCE // self.chain.n_bonds))
            r = np.empty((size, self.chain.n_bonds))
            for index, g in enumerate(self.gibbs):
                here = np.flatnonzero(self.which == index)
                r[:, here] = g.draw(size * len(here), rng).reshape(size, -1)
            if self.closed:
                r[:, last] = 0.0
                r[:, last] = closing = -r.sum(axis=1)
                if widest.period < math.inf:
                    closing = closing - widest.period * np.rint((closing - widest.shift) / widest.period)
                r = r[rng.random(size) < widest.likelihood(closing)]
            found.append(r[:missing])
            missing -= len(found[-1])
        return np.concatenate(found)
