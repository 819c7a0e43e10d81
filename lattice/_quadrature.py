r"""One degree of freedom in equilibrium: the density :math:`e^{-(V(r) - Fr)/T}` of a force law, to round-off.

The midpoint rule converges faster than any power for a smooth density that vanishes at both ends of an
interval, or that is periodic.  The intervals are those where the density is above :math:`e^{-50}` of its
largest value; they follow from the law's polynomial, in units in which it is of order 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .chain import Bond

DEPTH = 50.0  # of the density in logarithms: what lies beyond is below 1e-21 of the whole
FEWEST, MOST = 64, 2**17  # nodes of an interval
MOST_AT_ONCE = 10**6  # waves at nodes
CELLS = 512  # of the envelope from which is drawn
WELLS = "allowed: a higher temperature, or a smoother law"


@dataclass(frozen=True)
class Law:
    """The coefficients of one bond or pin."""

    chi: float
    alpha: float
    beta: float
    J: float
    m: float

    @property
    def confining(self) -> bool:
        """Whether it grows without bound on both sides."""
        return self.beta > 0 or (self.beta == 0 == self.alpha and self.chi > 0)

    @property
    def periodic(self) -> bool:
        """Whether it is a cosine, or nothing."""
        return self.beta == self.alpha == self.chi == 0

    @property
    def zero(self) -> bool:
        """Whether it exerts no force."""
        return self.periodic and self.J * self.m == 0

    def scale(self, T: float) -> float:
        """A length on which the law changes by T, or turns."""
        powers = ((self.chi, 2), (self.alpha, 3), (self.beta, 4))
        logs = [(math.log(T) - math.log(abs(c))) / k for c, k in powers if c]
        if self.J and self.m:
            logs.append(min(0.0, (math.log(T) - math.log(abs(self.J))) / 2) - math.log(abs(self.m)))
        return math.exp(min(logs, default=-math.log(abs(self.m) or 1.0)))


def laws(name: str, bond: Bond, count: int) -> tuple[list[Law], NDArray[np.intp]]:
    """The different laws among `count` bonds or pins, and which of them each one has; all bounded below."""
    columns = [getattr(bond, f.name) for f in fields(bond)]
    if any(map(np.ndim, columns)):
        rows = np.stack([np.broadcast_to(column, count) for column in columns], axis=1)
        rows, which = np.unique(rows, axis=0, return_inverse=True)
        different, which = [Law(*row) for row in rows.tolist()], which.reshape(-1)
    else:
        different, which = [Law(*columns)], np.zeros(count, dtype=np.intp)
    for index, law in enumerate(different):
        if not (law.confining or law.periodic):
            raise ValueError(
                f"chain has {name} {np.argmax(which == index)} with {law}, not bounded below: there is no "
                "equilibrium; allowed: beta > 0, or chi > 0 without alpha and beta, or J alone"
            )
    return different, which


class Scaled:
    r"""A law over T in units of length s: :math:`\phi(x) = (V(sx) - Fsx)/T`, a polynomial and a cosine."""

    def __init__(self, law: Law, T: float, s: float, force: float = 0.0) -> None:
        over = s / T
        terms = (law.beta * s * over * s * s / 4, law.alpha * s * over * s / 3, law.chi * s * over / 2)
        self.polynomial = np.array([*terms, -force * s, 0.0])
        self.amplitude, self.wave = law.J / T, law.m * s
        if not np.isfinite([*self.polynomial, self.amplitude, self.wave]).all():
            raise OverflowError(f"{law} at T = {T:g}")

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b, c, d, _ = self.polynomial
        value = x * (d + x * (c + x * (b + x * a)))
        return value + 2 * self.amplitude * np.sin(0.5 * self.wave * x) ** 2 if self.amplitude else value

    def below(self, x: NDArray[np.float64], h: NDArray[np.float64]) -> NDArray[np.float64]:
        """Lower bounds on the cells x ± h/2: the value, the slope and the lowest curvature."""
        first, second, third = (np.polyval(np.polyder(self.polynomial, k), x) for k in (1, 2, 3))
        turn = self.amplitude * self.wave
        slope = np.abs(first + turn * np.sin(self.wave * x))
        # the second derivative of a quartic that is bounded below is convex, so above its tangent
        curvature = second - np.abs(third) * h / 2 - abs(turn * self.wave)
        return self(x) - slope * h / 2 + np.minimum(curvature, 0.0) * h * h / 8

    def intervals(self) -> list[tuple[float, float]]:
        """Where a confining law is at most DEPTH above its minimum."""
        first, second = np.polyder(self.polynomial), np.polyder(self.polynomial, 2)
        bends = _quadratic(*second)
        slopes = _roots(lambda x: float(np.polyval(first, x)), bends or [0.0], -1.0)
        lowest = min(float(self(np.float64(x))) for x in slopes)
        level = lowest + DEPTH - 2 * min(self.amplitude, 0.0)
        ends = _roots(lambda x: float(np.polyval(self.polynomial, x)) - level, slopes, 1.0)
        if len(ends) % 2:  # lost in round-off
            raise ValueError(f"chain has wells too narrow for their depth; {WELLS}")
        return list(zip(ends[::2], ends[1::2], strict=True))


def _quadratic(a: float, b: float, c: float) -> list[float]:
    """The real zeros of ax² + bx + c in ascending order, none lost to a small a."""
    if a == 0:
        return [-c / b] if b else []
    square = b * b - 4 * a * c
    if square <= 0:
        return []
    q = -(b + math.copysign(math.sqrt(square), b)) / 2
    return sorted([q / a, c / q])


def _roots(f: Callable[[float], float], knots: list[float], left: float) -> list[float]:
    """The zeros of a function that is monotone between knots, of the sign `left` far left and + far right."""
    from scipy.optimize import brentq  # a good part of the import, and few chains need it

    ends = []
    for knot, way, sign in ((knots[0], -1.0, left), (knots[-1], 1.0, 1.0)):
        step = way * max(1e-3, abs(knot) * 1e-3)
        while f(knot + step) * sign <= 0:
            step *= 2
            if abs(step) > 1e150:
                raise OverflowError("a potential beyond the floats")
        ends.append(knot + step)
    places = [ends[0], *knots, ends[1]]
    values = [f(x) for x in places]
    found = [x for x, value in zip(places, values, strict=True) if value == 0]
    for (a, b), (u, v) in zip(pairwise(places), pairwise(values), strict=True):
        if u * v < 0:
            found.append(brentq(f, a, b, xtol=1e-200, rtol=1e-13, maxiter=10**4))
    return sorted(found)


class Gibbs:
    r"""The density :math:`e^{-(V(r) - Fr)/T}` of a law, on the line or on the circle of a rotor.

    Attributes
    ----------
    r, weights : (nodes,) arrays
        Places and their probabilities: the mean of f is ``weights @ f(r)``.
    log_z, energy, capacity : float
        The logarithm of the integral of the density, mean and variance of :math:`(V - Fr)/T`.
    mean, deviation : float
        Of r.
    period : float
        Of the circle; infinite on the line.
    """

    def __init__(self, law: Law, T: float, force: float = 0.0) -> None:
        self.s, self.period, self.shift, self.floor = law.scale(T), math.inf, 0.0, 0.0
        if law.periodic:
            self.period = 2 * math.pi / abs(law.m)
            if law.J < 0:  # a cosine about its minimum
                self.shift, self.floor = self.period / 2, 2 * law.J / T
                law = replace(law, J=-law.J)
        self.phi = Scaled(law, T, self.s, force)
        self.pieces = self._circle() if law.periodic else self.phi.intervals()
        turns = (
            abs(self.phi.wave) * max(b - a for a, b in self.pieces)
            if abs(self.phi.amplitude) > 1e-16
            else 0.0
        )
        count = FEWEST
        while count < min(turns, MOST):  # not to be fooled by nodes in step with the cosine
            count *= 2
        now, before = self._on(count), np.inf
        while not np.abs(now - before).max() < 1e-10:
            count *= 2
            if count > MOST:
                raise ValueError(f"chain has wells too narrow at its temperature; {WELLS}")
            before, now = now, self._on(count)
        self.log_z, self.energy, self.capacity = now.tolist()
        self.r = self.s * self.x + self.shift
        self.mean = float(self.weights @ self.r)
        self.deviation = math.sqrt(self.weights @ (self.r - self.mean) ** 2)

    def _circle(self) -> list[tuple[float, float]]:
        """One turn of the circle, or the part of it near the minimum of the cosine that matters."""
        reach = self.phi.amplitude / DEPTH * 2  # over it sin² of half the angle is above 1
        angle = 2 * math.asin(1 / math.sqrt(reach)) / abs(self.phi.wave) if reach > 1 else math.inf
        half = min(self.period / 2 / self.s, angle)
        return [(-half, half)]

    def _grid(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """So many nodes an interval, and the length that each stands for."""
        steps = np.repeat([(b - a) / count for a, b in self.pieces], count)
        return np.concatenate([a + (b - a) * (np.arange(count) + 0.5) / count for a, b in self.pieces]), steps

    def _on(self, count: int) -> NDArray[np.float64]:
        """Take these nodes; log of ∫e^{-φ}dx, mean and variance of φ."""
        x, steps = self._grid(count)
        if (steps < 1e-12 * np.abs(x)).any():
            raise ValueError(f"chain has wells too narrow for where they lie; {WELLS}")
        value = self.phi(x)
        lowest = value.min()
        density = steps * np.exp(lowest - value)
        total = density.sum()
        self.x, self.steps, self.weights = x, steps, density / total
        self.value = value - lowest - self.weights @ (value - lowest)  # φ less its mean
        energy = value[0] - self.value[0] + self.floor
        log_z = math.log(total) + math.log(self.s) - lowest - self.floor
        return np.array([log_z, energy, self.weights @ self.value**2])

    def characteristic(self, k: NDArray, value: NDArray | None = None) -> NDArray[np.complex128]:
        r"""The means of :math:`e^{ikr}` times 1, f and f², shape (3, k), with φ less its mean for f."""
        value = self.value if value is None else value
        moments = np.stack([self.weights * value**power for power in range(3)], axis=1)
        parts = np.array_split(k, math.ceil(k.size * self.r.size / MOST_AT_ONCE))
        return np.concatenate([np.exp(1j * np.multiply.outer(part, self.r)) @ moments for part in parts]).T

    @cached_property
    def _cells(self) -> tuple[NDArray[np.float64], ...]:
        """Nodes, lengths of cells, the least φ in each, and the cumulated bounds of their probabilities."""
        x, steps = self._grid(max(CELLS, len(self.x)))
        low = self.phi.below(x, steps)
        return x, steps, low, np.cumsum(steps * np.exp(low.min() - low))

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent stretches, exactly: cells under a flat bound of the density, then acceptance."""
        x, steps, low, cumulative = self._cells
        drawn, todo = np.empty(count), np.arange(count)
        while len(todo):
            cell = np.searchsorted(cumulative, rng.random(len(todo)) * cumulative[-1], side="right")
            place = x[cell] + steps[cell] * (rng.random(len(todo)) - 0.5)
            good = rng.random(len(todo)) < np.exp(low[cell] - self.phi(place))
            drawn[todo[good]] = place[good]
            todo = todo[~good]
        return self.s * drawn + self.shift

    def likelihood(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        """The density over a bound of its largest value."""
        return np.exp(self._cells[2].min() - self.phi((r - self.shift) / self.s))
