r"""Pinned chains in equilibrium by the transfer operator.

With the kernel :math:`e^{-[V(q'-q) + U(q)]/T}` the partition function is an integral over one displacement
after the other.  On a uniform grid each converges faster than any power: with a hundred nodes, about, to
round-off.  The grid is made wider and finer until nothing changes.  Derivatives are carried along.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ._check import work
from ._quadrature import WELLS, Gibbs, confines, is_cosine, laws
from ._stretches import power, product
from .chain import Bond, Chain

MOST_NODES = 1024
MOST_WORK = 1e13
CLOSE = 1e-11  # what another grid may change, of a number or a site
FAINT, LOST = 1e-150, 200.0  # a weight; of such, in logarithms, what a bound may be above Z
MOST_AT_ONCE, FEW_AT_ONCE = 10**7, 50_000  # numbers of the messages of some replicas, and of one site's
MOST_CELLS = 1e11  # among which displacements are drawn

Jet = tuple[NDArray[np.float64], float]  # weights, their first and second derivatives, all over e^log; log


def heard(weights: NDArray) -> NDArray[np.float64]:
    """Weights, 0 for the faintest, whose products are below what floats can hold with all digits."""
    return np.where(weights > FAINT, weights, 0.0)


def scaled(parts: NDArray, log: float) -> Jet:
    """Parts whose largest weight is 1."""
    scale = parts[0].max()
    if not 0 < scale < math.inf:
        raise ValueError(f"chain has weights beyond the floats; {WELLS}")
    return np.where(parts[0] > FAINT * scale, parts / scale, 0.0), log + math.log(scale)


def times(a: Jet, b: Jet, how: Callable = np.matmul) -> Jet:
    """The product of two operators, or entry by entry."""
    return scaled(product(a[0], b[0], how), a[1] + b[1])


class Transfer:
    """The transfer operator of a pinned chain at one temperature, on a grid on which it has converged."""

    def __init__(self, chain: Chain, T: float) -> None:
        self.chain, self.T = chain, T
        bonds, bond = laws("bond", chain.bond, chain.n_bonds)
        pins, self.pin = laws("pin", chain.pin, chain.n)
        self.slot = chain._slots(bond + 1.0).astype(int) - 1  # the bond beside a site; -1 beyond a free end
        both = [law for law in bonds + pins if not law.is_zero]
        turning = all(map(is_cosine, both)) and len({abs(law.m) for law in both}) == 1
        held = all(map(confines, pins))
        tied = all(map(confines, bonds)) and ("fixed" in chain.ends or any(map(confines, pins)))
        if not (turning or held or tied):
            raise ValueError(
                "chain has sites that may go anywhere; allowed: every pin grows on both sides, or every bond "
                "does and a pin or a wall holds them, or cosines alone, of one m"
            )
        self.V, self.U = ([Gibbs(law, T) for law in some] for some in ([*bonds, Bond()], pins))
        self.period = 2 * math.pi / abs(both[0].m) if turning else math.inf
        self.kernel = functools.lru_cache(maxsize=64)(self._kernel)
        self._converge(held)

    def _converge(self, held: bool) -> None:
        """Take a grid of which a wider and a finer one say the same."""
        # a harmonic bond drives no site farther than its pin lets it
        wide = [g for g in self.V if not (held and g.law.is_harmonic)] + self.U
        ends = [(g.low, g.high) for g in wide if confines(g.law)] or [(0.0, 0.0)]
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        self.middle, half = (low + high) / 2, (high - low) / 2
        h, self.share = 3 * min(g.step for g in self.V + self.U if not g.law.is_zero), 0.0
        before = self._energy(h, half)
        for finer, wider in ((1.0, 1.4), (1.4, 1.0)):
            now = self._energy(h / finer, half * wider)
            while (np.abs(now - before) > CLOSE * (np.abs(before) + self.chain.n)).any():
                before, h, half = now, h / finer, half * wider
                now = self._energy(h / finer, half * wider)
        self.thermodynamics = tuple(now.tolist())
        self._place(h, half)
        if self._most() - now[0] > LOST:
            raise ValueError(f"chain has weights beyond the floats: its parts pull apart; {WELLS}")

    def _most(self) -> float:
        """A bound of log Z, by the norms of its factors: far above it, what faint weights say is lost."""
        slot, pin, links = self.slot.tolist(), self.pin.tolist(), self.chain.n - (not self.chain.periodic)
        roots = [np.exp(-g.phi(self.x) / 2) for g in self.U]

        @functools.cache
        def norm(bond: int, left: int, right: int) -> float:
            return math.log(np.linalg.norm(roots[right][:, None] * self.kernel(bond) * roots[left], 2))

        most = sum(norm(slot[j + 1], pin[j], pin[(j + 1) % self.chain.n]) for j in range(links))
        if not self.chain.periodic:
            most += sum(math.log(np.linalg.norm(roots[pin[end]])) for end in (0, -1))
        lowest = sum(self.V[bond].lowest for bond in slot[self.chain.periodic :])
        return most + self.chain.n * math.log(self.h) - lowest - sum(self.U[site].lowest for site in pin)

    def _place(self, h: float, half: float) -> None:
        """Take the grid of about this step and half width, or that of the circle."""
        if self.period < math.inf:
            count = math.ceil(self.period / h)
            h, first = self.period / count, -(count // 2)
        else:
            first = math.floor((self.middle - half) / h)
            count = math.ceil((self.middle + half) / h) - first + 1
        if count > MOST_NODES:
            raise ValueError(f"chain needs a grid of more than {MOST_NODES} displacements; {WELLS}")
        self.h, self.x = h, h * np.arange(first, first + count)
        for some, r in ((self.V, self.x[:, None] - self.x), (self.U, self.x)):
            for g in some:  # energies count from the lowest on the grid
                g.lowest += float(g.phi(r).min())

    def _energy(self, h: float, half: float) -> NDArray[np.float64]:
        """On such a grid: log Z, mean and variance of the energy over T.

        The share of a bond or a pin in it, as it was on the grid before, is taken off so that the variance
        keeps its digits.
        """
        self._place(h, half)
        each = self.chain.n + self.chain.n_bonds

        def excess(g: Gibbs, r: NDArray) -> NDArray[np.float64]:
            return g.phi(r) + g.lowest - self.share

        log_z, mean, variance = self._moments(excess, excess)
        mean += each * self.share
        self.share = mean / each
        return np.array([log_z, mean, variance])

    def _moments(self, of_bond: Callable, of_site: Callable) -> tuple[float, float, float]:
        """Log Z, mean and variance of the sum of a quantity of each bond and one of each site."""
        x, slot, pin = self.x, self.slot.tolist(), self.pin.tolist()
        ring, uniform = self.chain.periodic, self.chain.is_uniform

        def weights(g: Gibbs, r: NDArray, quantity: Callable) -> Jet:
            weight, value = heard(np.exp(-g.phi(r))), np.zeros_like(r)
            if self.period < math.inf:
                r = r - self.period * np.rint(r / self.period)
            value[weight > 0] = quantity(g, r[weight > 0])
            return scaled(weight * np.stack([value**0, value, value**2]), -g.lowest)

        def ties(bond: int, r: NDArray) -> Jet:
            return weights(self.V[bond], r, of_bond if bond >= 0 else lambda g, r: 0 * r)

        def step(bond: int, pin: int, r: NDArray) -> Jet:
            parts, log = weights(self.U[pin], x[None], of_site)
            return times(ties(bond, r), (parts, log + math.log(self.h)), np.multiply)

        @functools.lru_cache(maxsize=64)
        def inner(bond: int, pin: int) -> Jet:
            return step(bond, pin, x[:, None] - x)

        last = self.chain.n if ring else self.chain.n - 1
        work("chain", self.chain, 12.0 * last * len(x) ** (3 if ring and not uniform else 2), MOST_WORK)
        steps = (inner(slot[j + 1], pin[j]) for j in range(last))
        if uniform:
            steps = [power(next(steps), last, times)]
        if not ring:
            steps = itertools.chain([ties(slot[0], x[:, None])], steps, [step(slot[-1], pin[-1], -x[None])])
        parts, log = functools.reduce(lambda before, one: times(one, before), steps)
        whole = np.trace(parts, axis1=1, axis2=2)
        mean = whole[1] / whole[0]
        return math.log(whole[0]) + log, float(mean), float(whole[2] / whole[0] - mean**2)

    def bond_average(self, f: Callable) -> float:
        """The mean over bonds of the average of f(r)."""
        return self._moments(lambda g, r: f(r), lambda g, q: 0 * q)[1] / self.chain.n_bonds

    def site_average(self, f: Callable) -> float:
        """The mean over sites of the average of f(q)."""
        return self._moments(lambda g, r: 0 * r, lambda g, q: f(q))[1] / self.chain.n

    # sampling: messages forwards, displacements backwards

    def draw(self, replicas: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent samples of all displacements, shape (replicas, n)."""
        n, nodes = self.chain.n, len(self.x)
        work("replicas", replicas, float(replicas) * n * nodes, MOST_CELLS)
        most = min(MOST_AT_ONCE // n, FEW_AT_ONCE) if self.chain.periodic else FEW_AT_ONCE
        size = max(1, most // nodes)
        with np.errstate(divide="ignore"):  # where a weight vanishes
            parts = [self._some(min(size, replicas - done), rng) for done in range(0, replicas, size)]
        return np.concatenate(parts)

    def _kernel(self, slot: int) -> NDArray[np.float64]:
        """The weights of a bond, from places in columns to places in rows."""
        return heard(np.exp(-self.V[slot].phi(self.x[:, None] - self.x)))

    def _some(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Samples of some replicas: messages from left to right, then displacements from right to left.

        The message to a site is the weight of all to its left as a function of where it is itself.  The site
        takes one of the nodes of the grid, moved by a random share of a step: as sums over the grid are
        integrals wherever it lies, that draws from the density.
        """
        n, x, V, U = self.chain.n, self.x, self.V, self.U
        q, first, wall = np.empty((n, count)), 0, np.zeros((1, 1))
        if self.chain.periodic:
            first, q[0] = 1, self._closing(count, rng)
            wall = q[0][:, None]
        message, sent = np.exp(-V[self.slot[first]].phi(x - wall)), {}
        for site in range(first + 1, n):
            weights = message * np.exp(-U[self.pin[site - 1]].phi(x))
            sent[site] = heard(weights / weights.max(axis=1, keepdims=True))
            message = sent[site] @ self.kernel(self.slot[site]).T
        right = wall
        for site in range(n - 1, first - 1, -1):
            bond, shift = V[self.slot[site]], self.h * rng.random((count, 1))
            y = x + shift
            energy = bond.phi(y - wall) if site == first else -np.log(self._message(bond, sent[site], shift))
            energy += U[self.pin[site]].phi(y) + V[self.slot[site + 1]].phi(right - y)
            q[site] = drawn(y, np.exp(energy.min(axis=1, keepdims=True) - energy), rng)
            right = q[site][:, None]
        return q.T

    def _message(self, bond: Gibbs, weights: NDArray, shift: NDArray) -> NDArray[np.float64]:
        """What nodes of these weights say at each node, moved by a shift of each replica's own."""
        nodes = len(self.x)
        kernel = heard(np.exp(-bond.phi(self.h * np.arange(1 - nodes, nodes) + shift)))
        return np.einsum("cij,cj->ci", sliding_window_view(kernel, nodes, axis=1),
                         np.broadcast_to(weights[:, ::-1], (len(shift), nodes)))  # fmt: skip

    def _closing(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the first displacement of a ring, from the weight of going round it.

        On a grid three times as fine, this density is a trigonometric polynomial.
        """
        n, x, h = self.chain.n, self.x, self.h / 3
        held = [np.exp(-g.phi(x)) for g in self.U]

        def after(a: NDArray, b: NDArray) -> NDArray[np.float64]:
            return heard(a @ b / (a @ b).max())

        steps = (self.kernel(self.slot[site + 1]) * held[self.pin[site]] for site in range(1, n - 1))
        if self.chain.is_uniform:
            steps = iter([power(next(steps), n - 2, after)])
        way = held[self.pin[n - 1]][:, None] * functools.reduce(lambda before, one: after(one, before), steps)
        places = x[0] + h * np.arange(3 * len(x))
        r = x[:, None] - places
        out, back = (np.exp(-self.V[slot].phi(y)) for slot, y in ((self.slot[1], r), (self.slot[n], -r)))
        density = np.exp(-self.U[self.pin[0]].phi(places)) * (back * (way @ out)).sum(axis=0)
        wave, shift = np.fft.rfft(density), rng.random((count, 1))
        wave = wave * np.exp(2j * math.pi * np.fft.rfftfreq(len(places)) * shift)
        return drawn(places + h * shift, np.maximum(np.fft.irfft(wave, len(places)), 0.0), rng)


def drawn(places: NDArray, weights: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
    """One of the places in each row, as likely as its weight."""
    whole = np.cumsum(weights, axis=1)
    chosen = (whole < rng.random((len(whole), 1)) * whole[:, -1:]).sum(axis=1)
    return places[np.arange(len(places)), chosen]
