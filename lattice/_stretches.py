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
PARTS = 256  # of the wave numbers, which matter or do not
MOST_AT_ONCE = 10**6  # waves
LEAST = 1e-4  # of the density of a sum that has to be 0, over a bound of its largest value
FEW = 32  # bonds, of which all but one are drawn at once; four times the laws, if they are more


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
        self.laws, self.which = laws("bond", chain.bond, chain.n_bonds)
        self.counts = np.bincount(self.which)
        self.closed = chain.periodic or chain.ends == ("fixed", "fixed")
        self._refuse()
        self.gibbs, self.force = [Gibbs(law, T) for law in self.laws], 0.0
        if self.closed:
            turned = any(g.shift for g in self.gibbs)  # cosines with their minimum at half a turn
            if not turned and abs(self._sum("mean")) > 0.1 * self._width():
                self._balance()
            self.spread = (
                math.inf if turned else 20 * self._width()
            )  # sums that differ by it are never both met
            if self._likely(np.arange(chain.n_bonds))(np.zeros(1)) < LEAST:
                raise ValueError(
                    "chain is closed and frustrated: its stretches hardly add up to 0; allowed: a higher "
                    "temperature, or an even number of bonds"
                )

    def _refuse(self) -> None:
        rotors = [law.periodic for law in self.laws]
        for bond, law in enumerate(self.laws[index] for index in self.which):
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
        period = self.gibbs[0].period

        def summed(spread: float) -> NDArray[np.float64]:
            k, whole = self._wave_numbers(spread, self.counts), None
            for count, g, value in each:
                part = power(g.characteristic(k, value), count, product)
                whole = part if whole is None else product(whole, part)
            return (2 * whole.real.sum(axis=1) - whole.real[:, 0]) / spread

        spread, unit = self.spread, np.array([1.0, size, size**2 + size])
        found, before = summed(min(spread, period)), np.inf
        while spread < period and (np.abs(found - before) > 1e-10 * found[0] * unit).any():
            spread *= 2
            found, before = summed(min(spread, period)), found
        return found

    def _wave_numbers(self, spread: float, counts: NDArray[np.intp]) -> NDArray[np.float64]:
        """Those of a periodic sum, from 0 on, at which its characteristic function is above 1e-26.

        In each of many parts of their range it is bounded by the slopes of its factors.
        """
        most = math.pi / max(g.steps.max() * g.s for g in self.gibbs)
        middles, logs = (np.arange(PARTS) + 0.5) * most / PARTS, 0.0
        for count, g in zip(counts, self.gibbs, strict=True):
            bound = np.abs(g.characteristic(middles)[0]) + g.deviation * most / (2 * PARTS)
            logs = logs + count * np.log(np.minimum(bound, 1.0))
        k = 2 * math.pi / spread * np.arange(math.floor(most * spread / 2 / math.pi) + 1)
        k = k[logs[np.minimum(k / most * PARTS, PARTS - 1).astype(int)] > -60]
        work("chain", self.chain, float(k.size) * sum(g.r.size for g in self.gibbs), MOST_WORK)
        return k

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

        On a closed chain half of the bonds are drawn and accepted as likely as it is that the others make up
        for them; then half of the others, and so on.  The last one, the widest, is what remains.
        """
        bonds = np.arange(self.chain.n_bonds)
        if not self.closed:
            return self._independent(bonds, replicas, rng)
        widest = int(np.argmax([g.deviation for g in self.gibbs]))
        last = int(np.flatnonzero(self.which == widest)[-1])
        rest, r, total = (
            np.append(np.delete(bonds, last), last),
            np.empty((replicas, len(bonds))),
            np.zeros(replicas),
        )
        while len(rest) > 1:
            some = len(rest) // 2 if len(rest) > max(FEW, 4 * len(self.laws)) else len(rest) - 1
            now, rest = rest[:some], rest[some:]
            likely, todo = self._likely(rest), np.arange(replicas)
            while len(todo):
                drawn = self._independent(now, len(todo), rng)
                sums = total[todo] + drawn.sum(axis=1)
                good = rng.random(len(todo)) < likely(-sums)
                r[todo[good, None], now] = drawn[good]
                total[todo[good]] = sums[good]
                todo = todo[~good]
        r[:, last] = -total
        return r

    def _independent(self, bonds: NDArray, replicas: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent samples of some stretches, as if their sum did not matter."""
        r, which = np.empty((replicas, len(bonds))), self.which[bonds]
        for law in np.unique(which):
            here = np.flatnonzero(which == law)
            r[:, here] = self.gibbs[law].draw(replicas * len(here), rng).reshape(replicas, -1)
        return r

    def _likely(self, bonds: NDArray) -> Callable:
        """The density of the sum of some stretches, over a bound of its largest value."""
        g = self.gibbs[self.which[bonds[-1]]]
        if len(bonds) == 1:
            turn = g.period if g.period < math.inf else 0.0
            return lambda s: g.likelihood(s - turn * np.rint((s - g.shift) / (turn or 1.0)))
        counts = np.bincount(self.which[bonds], minlength=len(self.gibbs))
        k = self._wave_numbers(min(self.spread, g.period), counts)
        each = (g.characteristic(k)[0] ** count for g, count in zip(self.gibbs, counts, strict=True) if count)
        wave = 2 * functools.reduce(np.multiply, each)
        wave[0] /= 2

        def density(s: NDArray[np.float64]) -> NDArray[np.float64]:
            parts = np.array_split(s, math.ceil(len(s) * len(k) / MOST_AT_ONCE))
            return np.concatenate([(np.exp(-1j * np.multiply.outer(part, k)) @ wave).real for part in parts])

        return lambda s: density(s) / np.abs(wave).sum()
