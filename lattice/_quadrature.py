r"""One degree of freedom in equilibrium: the density :math:`e^{-(V(r) - Fr)/T}` of a force law.

The midpoint rule converges faster than any power for a smooth density that is periodic, or that vanishes at
both ends of its range.  The range ends where the density is below :math:`e^{-50}` of its largest value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .chain import Bond

DEPTH = 50.0  # of the density in logarithms: what lies beyond is below 1e-21 of the whole
FEWEST, MOST = 64, 2**15  # nodes
CELLS = 512  # of the envelope from which is drawn, at least
SHORTEST, LONGEST = 1e-100, 1e100  # lengths on which a law changes by T
WELLS = "allowed: a higher temperature, or a smoother law"


def is_cosine(law: Bond) -> bool:
    """Whether the law is a cosine, or nothing."""
    return law.chi == law.alpha == law.beta == 0


def confines(law: Bond) -> bool:
    """Whether the law grows without bound on both sides."""
    return law.beta > 0 or (law.beta == law.alpha == 0 < law.chi)


def laws(name: str, bond: Bond, count: int) -> tuple[list[Bond], NDArray[np.intp]]:
    """The different laws among `count` bonds or pins, and which of them each one has; all bounded below."""
    columns = np.array(np.broadcast_arrays(*(np.atleast_1d(getattr(bond, f.name)) for f in fields(bond))))
    columns[3:, columns[3] * columns[4] == 0] = [[0.0], [1.0]]  # a cosine that exerts no force
    rows, which = np.unique(columns.T, axis=0, return_inverse=True)
    different, which = [Bond(*row) for row in rows.tolist()], np.broadcast_to(which.reshape(-1), count)
    for index, law in enumerate(different):
        if not (confines(law) or is_cosine(law)):
            raise ValueError(
                f"chain has {name} {np.argmax(which == index)} with {law}, not bounded below: there is no "
                "equilibrium; allowed: beta > 0, or chi > 0 without alpha and beta, or J alone"
            )
    return different, which


def accepted(empty: NDArray, propose: Callable, rng: np.random.Generator) -> NDArray[np.float64]:
    """Fill the rows of an array; `propose(rows)` draws them, and says how likely each is to be accepted."""
    todo = np.arange(len(empty))
    while len(todo):
        drawn, chance = propose(todo)
        good = rng.random(len(todo)) < chance
        empty[todo[good]] = drawn[good]
        todo = todo[~good]
    return empty


class Gibbs:
    r"""The density :math:`e^{-(V(r) - Fr)/T}` of a law, on the line or on the circle of a rotor.

    Attributes
    ----------
    r, weights : (nodes,) arrays
        Places, `step` apart, and their probabilities: the mean of f is ``weights @ f(r)``.
    log_z, energy, capacity : float
        The logarithm of the integral of the density, mean and variance of :math:`(V - Fr)/T`.
    mean, deviation : float
        Of r.
    period : float
        Of the circle; infinite on the line.
    """

    def __init__(self, law: Bond, T: float, force: float = 0.0) -> None:
        self.law, self.T, self.force = law, T, force
        self.period = 2 * math.pi / abs(law.m) if is_cosine(law) else math.inf
        self.low, self.high = self._range()
        turns = (self.high - self.low) * abs(law.m) if law.J else 0.0
        count, found = max(FEWEST, math.ceil(turns)), np.array(np.inf)
        while count <= MOST:
            before, found = found, self._on(count)
            if np.abs(found - before).max() < 1e-11 * (1 + abs(self.lowest)):
                break
            count *= 2
        else:
            raise ValueError(f"chain has {law}, whose wells are too narrow at T = {T:g}; {WELLS}")
        self.log_z, self.energy, self.capacity = found.tolist()
        self.mean = float(self.weights @ self.r)
        self.deviation = math.sqrt(self.weights @ (self.r - self.mean) ** 2)

    def _range(self) -> tuple[float, float]:
        """One turn of a rotor, or the outermost places where the density may matter."""
        if self.period < math.inf:
            return -self.period / 2, self.period / 2
        law, T = self.law, self.T
        terms = ((law.beta / 4, 4), (law.alpha / 3, 3), (law.chi / 2, 2), (-self.force, 1))
        s = math.exp(min((math.log(T) - math.log(abs(c))) / k for c, k in terms if c))
        if not SHORTEST < s < LONGEST:
            raise ValueError(f"chain has {law} at T = {T:g}; allowed: lengths between 1e-100 and 1e100")
        polynomial = np.array([*(c / T * s**k for c, k in terms), 0.0])
        bottom = np.polyval(polynomial, np.roots(np.polyder(polynomial)).real).min()
        polynomial[-1] = -bottom - DEPTH - 2 * abs(law.J) / T
        roots = np.roots(polynomial)
        ends = s * roots.real[roots.imag == 0]
        if len(ends) < 2:  # lost in round-off
            raise ValueError(f"chain has {law}, whose wells are too narrow at T = {T:g}; {WELLS}")
        return float(ends.min()), float(ends.max())

    def _on(self, count: int) -> NDArray[np.float64]:
        """Take so many nodes; log of ∫e^{-φ}dr, mean and variance of φ = (V - Fr)/T."""
        self.step = (self.high - self.low) / count
        self.r = self.low + self.step * (np.arange(count) + 0.5)
        self.lowest = 0.0
        self.lowest = float(self.phi(self.r).min())
        value = self.phi(self.r)
        density = np.exp(-value)
        self.weights, self.log_whole = density / density.sum(), math.log(self.step * density.sum())
        mean = self.weights @ value
        return np.array(
            [self.log_whole - self.lowest, self.lowest + mean, self.weights @ (value - mean) ** 2]
        )

    def phi(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        """The energy over T above that of the lowest node."""
        return (self.law._potential(r) - self.force * r) / self.T - self.lowest

    def below(self, r: NDArray[np.float64], h: float) -> NDArray[np.float64]:
        """A lower bound of φ on the cells r ± h/2, from its slope and the largest curvature."""
        law, far = self.law, np.abs(r) + h / 2
        curvature = abs(law.chi) + far * (2 * abs(law.alpha) + 3 * far * law.beta) + abs(law.J) * law.m**2
        fall = np.abs(law._slope(r) - self.force) * h / 2 + curvature * h * h / 8
        return self.phi(r) - fall / self.T

    @cached_property
    def _cells(self) -> tuple[NDArray, float, NDArray, NDArray]:
        """Middles and length of cells, the least φ in each, and the cumulated bounds of their weights."""
        count = max(CELLS, len(self.r))
        h = (self.high - self.low) / count
        r = self.low + h * (np.arange(count) + 0.5)
        low = self.below(r, h)
        return r, h, low, np.cumsum(np.exp(-low))

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent stretches, exactly: cells under a flat bound of the density, then acceptance."""
        r, h, low, cumulative = self._cells

        def propose(rows: NDArray) -> tuple[NDArray, NDArray]:
            cell = np.searchsorted(cumulative, rng.random(len(rows)) * cumulative[-1], side="right")
            place = r[cell] + h * (rng.random(len(rows)) - 0.5)
            return place, np.exp(low[cell] - self.phi(place))

        return accepted(np.empty(count), propose, rng)
