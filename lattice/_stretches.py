r"""Chains without pins in equilibrium: independent stretches, whose sum vanishes on a ring and between walls.

The density of the sum at 0 is that of its characteristic function, :math:`\int\prod_b\hat\rho_b(k)\,dk/2\pi`,
a fast Fourier transform on a grid that is wide enough.  A force F, which the constraint cancels, first makes
the mean of the sum 0, so that no digits are lost.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ._check import work
from ._quadrature import Gibbs, accepted, is_cosine, laws
from .chain import Chain

MOST_NODES = 5e7  # of all laws
MOST_AT_ONCE = 10**6  # waves
LEAST = 1e-4  # of the density of a sum that has to be 0, over a bound of its largest value
FEW = 32  # bonds, of which all but one are drawn at once


def product(a: NDArray, b: NDArray, times: Callable = np.multiply) -> NDArray:
    """The product of two quantities, each with its first and second derivative, shape (3, ...)."""
    return np.stack(
        [times(a[0], b[0]), times(a[1], b[0]) + times(a[0], b[1]),
         times(a[2], b[0]) + 2 * times(a[1], b[1]) + times(a[0], b[2])]
    )  # fmt: skip


def power(a: NDArray, exponent: int, times: Callable) -> NDArray:
    """The positive power of a quantity by repeated squaring; `times` multiplies two."""
    if exponent == 1:
        return a
    root = power(a, exponent // 2, times)
    square = times(root, root)
    return times(square, a) if exponent % 2 else square


class Stretches:
    """The stretches of a chain without pins at one temperature."""

    def __init__(self, chain: Chain, T: float) -> None:
        self.chain, self.T = chain, T
        self.laws, self.which = laws("bond", chain.bond, chain.n_bonds)
        self.counts = np.bincount(self.which)
        self.closed = chain.periodic or chain.ends == ("fixed", "fixed")
        self._refuse()
        self.gibbs = [Gibbs(law, T) for law in self.laws]
        if self.closed:
            self._close()

    def _refuse(self) -> None:
        loose = np.array([law.is_zero for law in self.laws])[self.which]
        if loose.any():
            where = f"at bond {np.argmax(loose)} without force"
            raise ValueError(f"chain falls into parts {where}; allowed: a force on every bond")
        turns = {abs(law.m) if is_cosine(law) else 0.0 for law in self.laws}
        if self.closed and len(turns) > 1:
            raise ValueError(
                "chain is a ring or has two walls, with bonds of J alone beside others or of another m; "
                "allowed: a free end, or J alone on all bonds and one m"
            )

    def _sum(self, name: str) -> float:
        return float(sum(c * getattr(g, name) for c, g in zip(self.counts, self.gibbs, strict=True)))

    def _width(self) -> float:
        """The standard deviation of the sum of independent stretches."""
        return math.sqrt(sum(c * g.deviation**2 for c, g in zip(self.counts, self.gibbs, strict=True)))

    def _close(self) -> None:
        """Take a grid of sums for all laws: one turn of rotors, else so long that no sum is met twice."""
        self.length = self.gibbs[0].period
        if self.length == math.inf:
            self._balance()
            self.length = max(20 * self._width(), 8 * max(max(g.high, -g.low) for g in self.gibbs))
        count = 2 * self.length / min(g.step for g in self.gibbs)
        work("chain", self.chain, count * len(self.laws), MOST_NODES)
        count = fft.next_fast_len(math.ceil(count), real=True)
        self.step, self.r = self.length / count, self.length * fft.fftfreq(count)
        if self._likely(np.arange(self.chain.n_bonds))(np.zeros(1)) < LEAST:
            raise ValueError(
                "chain is closed and frustrated: its stretches hardly add up to 0; allowed: a higher "
                "temperature, or an even number of bonds"
            )

    def _balance(self) -> None:
        """Find the force at which the stretches cancel on average."""
        from scipy.optimize import brentq  # a good part of the import, and few chains need it

        def mean(force: float) -> float:
            """Of the sum over its width."""
            self.gibbs = [Gibbs(law, self.T, force) for law in self.laws]
            return self._sum("mean") / self._width()

        if abs(start := mean(0.0)) > 0.1:
            far = math.copysign(0.1 * self.T / self._width(), -start)
            while mean(far) * start > 0:
                far *= 2
            mean(brentq(mean, 0.0, far, xtol=abs(far) * 1e-12))

    def _density(self, g: Gibbs) -> NDArray[np.float64]:
        """The probability of each node of the grid."""
        return self.step * np.exp(-g.phi(self.r) - g.log_whole)

    def _closed(self, quantities: list[Callable]) -> NDArray[np.float64]:
        """Density of the sum at 0, and times mean and mean square of what sums up a quantity of each law."""
        whole = np.array([[1.0], [0.0], [0.0]])
        for count, g, quantity in zip(self.counts.tolist(), self.gibbs, quantities, strict=True):
            density = self._density(g)
            near, value = density > 1e-25 * density.max(), np.zeros_like(density)
            value[near] = quantity(self.r[near])
            each = fft.rfft(density * np.stack([value**0, value, value**2]))
            whole = product(whole, power(each, count, product))
        return fft.irfft(whole, len(self.r))[:, 0] / self.step

    @functools.cached_property
    def thermodynamics(self) -> tuple[float, float, float]:
        """Of the displacements: log Z, mean of the energy over T and its variance over T²."""
        log_z, energy, capacity = map(self._sum, ("log_z", "energy", "capacity"))
        if self.chain.ends in (("free", "free"), ("periodic", "periodic")):
            log_z -= math.log(self.chain.n) / 2  # the translation is measured by Σq/√n
        if not self.closed:
            return log_z, energy, capacity
        excess = [lambda r, g=g: g.phi(r) + g.lowest - g.energy for g in self.gibbs]
        density, first, second = self._closed(excess).tolist()
        return log_z + math.log(density), energy + first / density, second / density - (first / density) ** 2

    def bond_average(self, f: Callable) -> float:
        """The mean over bonds of the average of f(r)."""
        if self.closed:
            density, first, _ = self._closed([f] * len(self.laws))
            return first / density / self.chain.n_bonds
        sums = (count * (g.weights @ f(g.r)) for count, g in zip(self.counts, self.gibbs, strict=True))
        return sum(sums) / self.chain.n_bonds

    def site_average(self, f: Callable) -> float:
        raise ValueError("chain has anharmonic bonds and no pin; allowed: a harmonic or a pinned chain")

    def draw(self, replicas: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent samples of all displacements, shape (replicas, n)."""
        bonds, n = np.arange(self.chain.n_bonds), self.chain.n
        r = self._vanishing(replicas, rng) if self.closed else self._independent(bonds, replicas, rng)
        if self.chain.ends[0] == "fixed":
            return np.cumsum(r[:, :n], axis=1)
        if self.chain.ends == ("free", "fixed"):
            return -np.cumsum(r[:, ::-1], axis=1)[:, ::-1]
        q = np.zeros((replicas, n))
        np.cumsum(r[:, : n - 1], axis=1, out=q[:, 1:])
        return q - q.mean(axis=1, keepdims=True)

    def _independent(self, bonds: NDArray, replicas: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent samples of some stretches, as if their sum did not matter."""
        r, which = np.empty((replicas, len(bonds))), self.which[bonds]
        for law in np.unique(which):
            here = np.flatnonzero(which == law)
            r[:, here] = self.gibbs[law].draw(replicas * len(here), rng).reshape(replicas, -1)
        return r

    def _vanishing(self, replicas: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent samples of all stretches whose sum vanishes, shape (replicas, n_bonds).

        Half of the bonds are drawn and accepted as likely as it is that the others make up for them; then
        half of the others, and so on.  The last one, the widest, is what remains.
        """
        widths = np.array([g.deviation for g in self.gibbs])[self.which]
        widest = np.flatnonzero(widths == widths.max())[-1]
        rest = np.append(np.delete(np.arange(self.chain.n_bonds), widest), widest)
        r, total = np.empty((replicas, len(rest))), np.zeros(replicas)
        while len(rest) > 1:
            some = len(rest) // 2 if len(rest) > FEW else len(rest) - 1
            now, rest = rest[:some], rest[some:]
            r[:, now] = self._made_up_for(now, rest, total, rng)
            total += r[:, now].sum(axis=1)
        r[:, widest] = -total
        return r

    def _made_up_for(self, now: NDArray, rest: NDArray, total: NDArray, rng) -> NDArray[np.float64]:
        """Samples of some stretches, as likely as it is that the rest then makes the total vanish."""
        likely = self._likely(rest)

        def propose(rows: NDArray) -> tuple[NDArray, NDArray]:
            drawn = self._independent(now, len(rows), rng)
            return drawn, likely(-total[rows] - drawn.sum(axis=1))

        return accepted(np.empty((len(total), len(now))), propose, rng)

    def _likely(self, bonds: NDArray) -> Callable:
        """The density of the sum of some stretches, over a bound of its largest value."""
        counts = np.bincount(self.which[bonds], minlength=len(self.gibbs))
        some = [(count, g) for count, g in zip(counts, self.gibbs, strict=True) if count]
        if len(bonds) == 1:
            _, _, low, _ = some[0][1]._cells
            return lambda s: np.exp(low.min() - some[0][1].phi(s))
        wave = functools.reduce(np.multiply, (fft.rfft(self._density(g)) ** count for count, g in some))
        wave[1:] *= 2
        heard = np.flatnonzero(np.abs(wave) > 1e-17)
        k, wave = 2 * math.pi / self.length * heard, wave[heard]

        def density(s: NDArray[np.float64]) -> NDArray[np.float64]:
            parts = np.array_split(s, math.ceil(len(s) * len(k) / MOST_AT_ONCE))
            return np.concatenate([(np.exp(1j * np.multiply.outer(part, k)) @ wave).real for part in parts])

        return lambda s: density(s) / np.abs(wave).sum()
