r"""Pinned chains in equilibrium by the transfer operator.

With the kernel :math:`e^{-[V(q'-q) + U(q)]/T}` the partition function is an integral over one displacement
after the other.  On a uniform grid each converges faster than any power: with a hundred nodes, about, to
round-off.  The grid is made finer and wider until nothing changes.  Derivatives are carried along.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ._check import work
from ._quadrature import WELLS, Gibbs, Scaled, laws
from ._stretches import power, product
from .chain import Chain, parts

MOST_NODES = 1024
MOST_WORK = 1e13
WIDE = 10  # nodes through which the logarithm of a message is interpolated
LAGRANGE = np.linalg.inv(np.vander(np.arange(WIDE) - (WIDE - 1) / 2))  # of polynomials through them
MOST_AT_ONCE, FEW_AT_ONCE = 10**7, 50_000  # numbers of the messages of some replicas, and of one site's
MOST_TEETH = 1e11  # among which displacements are drawn
FAR = 1e4  # an energy over T at which a weight is 0
LEAST = 1e-300  # of a message


class Jet:
    """Weights e^{-φ}, times e^{log}, and the same times a quantity and its square: φ - `energy`, or another.

    A product of them, of numbers or of operators, is the same of the sum of their quantities.
    """

    def __init__(self, parts: NDArray, log: float, energy: float) -> None:
        scale = parts[0].max()
        if not 0 < scale < math.inf:
            raise ValueError(f"chain has weights beyond the floats; {WELLS}")
        self.parts, self.log, self.energy = parts / scale, log + math.log(scale), energy

    @classmethod
    def of(cls, phi: NDArray, shift: float = 0.0, log: float = 0.0, value: NDArray | None = None) -> Jet:
        """Of energies over T, whose part above `energy` is the quantity unless its value is given."""
        low = phi.min()
        above = np.minimum(phi - low, FAR)
        weights, energy = np.exp(-above), low + shift if value is None else 0.0
        value = above - shift if value is None else np.where(weights > 0, value, 0.0)
        return cls(np.stack([weights, value * weights, value**2 * weights]), log - low, energy)

    def __mul__(self, other: Jet) -> Jet:
        return self._times(other, np.multiply)

    def __matmul__(self, other: Jet) -> Jet:
        return self._times(other, np.matmul)

    def row(self) -> Jet:
        """A vector as a matrix of one row."""
        return Jet(self.parts[:, None, :], self.log, self.energy)

    def transposed(self) -> Jet:
        return Jet(self.parts.swapaxes(1, 2), self.log, self.energy)

    def trace(self) -> Jet:
        return Jet(np.trace(self.parts, axis1=1, axis2=2), self.log, self.energy)

    def _times(self, other: Jet, times: Callable) -> Jet:
        parts = product(self.parts, other.parts, times)
        return Jet(parts, self.log + other.log, self.energy + other.energy)


class Transfer:
    """The transfer operator of a pinned chain at one temperature, on a grid on which it has converged."""

    def __init__(self, chain: Chain, T: float) -> None:
        self.chain, self.T = chain, T
        self.bonds, bond = laws("bond", chain.bond, chain.n_bonds)
        self.pins, self.pin = laws("pin", chain.pin, chain.n)
        self.slot = chain._slots(bond + 1.0).astype(int) - 1  # -1 beyond a free end
        both = [law for law in self.bonds + self.pins if not law.zero]
        turning = {abs(law.m) for law in both} if all(law.periodic for law in both) else set()
        self.period = 2 * math.pi / turning.pop() if len(turning) == 1 else math.inf
        if self.period == math.inf:
            self._refuse(bond)
        self.s = min(law.scale(T) for law in both)
        self.V, self.U = ([Scaled(law, T, self.s) for law in some] for some in (self.bonds, self.pins))
        self._converge()

    def _refuse(self, bond: NDArray[np.intp]) -> None:
        """Refuse a chain of which something can go anywhere."""
        strong = np.array([law.confining for law in self.bonds])[bond]
        part, held = parts(self.chain, strong, np.array([law.confining for law in self.pins])[self.pin])
        loose = np.flatnonzero(~held[part])
        if loose.size:
            raise ValueError(
                f"chain has site {loose[0]}, which neither a pin nor a wall holds; "
                "allowed: a pin that grows on both sides, no anharmonic pin, or cosines alone, of one m"
            )

    def _guess(self) -> tuple[float, float, float]:
        """Middle, half width and step of the first grid in units of s, as of a harmonic chain."""
        widths = [
            [Gibbs(law, self.T) if law.confining else None for law in some]
            for some in (self.bonds, self.pins)
        ]
        V, U = ([g.deviation / self.s if g else math.inf for g in some] for some in widths)
        turns = [law.scale(self.T) / self.s for law in self.bonds + self.pins if law.J]
        step = 1 / math.sqrt(2 / min([*V, *turns]) ** 2 + 1 / min([*U, *turns]) ** 2)
        if self.period < math.inf:
            return 0.0, self.period / 2 / self.s, step
        chi = 1 / max(V) ** 2 if max(V) < math.inf else 0.0
        pin = float(np.mean([1 / u**2 for u in U]))
        means = [g.mean / self.s for g in widths[1] if g] or [0.0]
        square = 1 / math.sqrt(pin * (pin + 4 * chi)) if pin else self.chain.n / 4 / chi
        return (max(means) + min(means)) / 2, 9 * math.sqrt(square) + max(means) - min(means), step

    def _converge(self) -> None:
        middle, half, step = self._guess()
        count = max(24, 2 * math.ceil(half / step))
        before, shift = np.inf, 0.0
        while count <= MOST_NODES:
            self.h = 2 * half / count
            self.x = middle - half + self.h * np.arange(count)
            total = self._total(shift)
            excess = float(total.parts[1] / total.parts[0])
            variance = float(total.parts[2] / total.parts[0]) - excess**2
            found = np.array([total.log, total.energy + excess, variance])
            if np.abs(found - before).max() < 1e-9 * self.chain.n:
                self.thermodynamics = tuple(found.tolist())
                return
            before, shift = found, shift + excess / self.chain.n
            count *= 2
            if self.period == math.inf:
                half *= 1.25
        raise ValueError(f"chain needs a grid of more than {MOST_NODES} displacements; {WELLS}")

    def _total(self, shift=0.0, on_bonds: Callable | None = None, on_sites: Callable | None = None) -> Jet:
        """The partition function, and the energy, of which a site has about `shift`, or a function's sum."""
        n, x, ring, uniform = self.chain.n, self.x, self.chain.periodic, self.chain.is_uniform
        other = on_bonds or on_sites  # than the energy
        turn = self.period / self.s

        def valued(f: Callable | None, y: NDArray) -> NDArray | None:
            if turn < math.inf:
                y = y - turn * np.rint(y / turn)
            return f(self.s * y) if f else 0 * y if other else None

        def bond(law: int, r: NDArray) -> Jet:
            return Jet.of(self.V[law](r), value=valued(on_bonds, r))

        def site(law: int) -> Jet:
            return Jet.of(self.U[law](x), shift, math.log(self.h) + math.log(self.s), valued(on_sites, x))

        @functools.lru_cache(maxsize=64)
        def step(slot: int, pin: int) -> Jet:
            return bond(slot, x[:, None] - x) * site(pin).row()

        def end(slot: int, way: int) -> Jet:
            law = self.slot[slot]
            return bond(law, way * x) if law >= 0 else Jet.of(0 * x, value=0 * x)

        last = n if ring else n - 1
        work("chain", self.chain, 12.0 * last * len(x) ** (3 if ring and not uniform else 2), MOST_WORK)
        steps = (step(int(self.slot[j + 1]), int(self.pin[j])) for j in range(last))
        if uniform:
            steps = iter([power(next(steps), last, Jet.__matmul__)])
        if ring:
            return functools.reduce(lambda before, one: one @ before, steps).trace()
        column = functools.reduce(lambda before, one: one @ before, steps, end(0, 1).row().transposed())
        return ((end(-1, -1) * site(int(self.pin[-1]))).row() @ column).trace()

    def bond_average(self, f: Callable) -> float:
        """The mean over bonds of the average of f(r)."""
        return self._average(f, "on_bonds") / self.chain.n_bonds

    def site_average(self, f: Callable) -> float:
        """The mean over sites of the average of f(q)."""
        return self._average(f, "on_sites") / self.chain.n

    def _average(self, f: Callable, where: str) -> float:
        unit = np.abs(f(self.s * self.x)).max() or 1.0  # whose square may be beyond the floats
        found = self._total(**{where: lambda y: f(y) / unit}).parts
        return found[1] / found[0] * unit

    # sampling: messages forwards, displacements backwards

    def draw(self, replicas: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent samples of all displacements, shape (replicas, n)."""
        work("replicas", replicas, float(replicas) * self.chain.n * len(self.x), MOST_TEETH)
        most = min(MOST_AT_ONCE // self.chain.n, FEW_AT_ONCE) if self.chain.periodic else FEW_AT_ONCE
        size = max(1, most // len(self.x))
        parts = [Sample(self, rng, min(size, replicas - done)).q for done in range(0, replicas, size)]
        return np.concatenate(parts) * self.s


class Sample:
    """Some replicas: messages from left to right, then displacements from right to left.

    The message to a site is the weight of all to its left as a function of where it is itself.
    """

    def __init__(self, on: Transfer, rng: np.random.Generator, size: int) -> None:
        self.on, self.rng, self.size = on, rng, size
        self.slot, self.pin, n = on.slot.tolist(), on.pin.tolist(), on.chain.n
        # the grid, and beyond it what the interpolation near its ends takes
        self.nodes = on.x[0] + on.h * (np.arange(len(on.x) + WIDE - 1) - WIDE // 2 + 1)
        self.kernel = functools.lru_cache(maxsize=64)(lambda bond: self._kernel(bond, self.nodes, on.x))
        self.held = [np.exp(phi.min() - phi)[:, None] for phi in (U(on.x) for U in on.U)]
        q, first, left = np.empty((n, size)), 0, np.zeros(1)  # a wall, if there is one
        if on.chain.periodic:
            first, left = 1, self._pick(self._around()[:, None], 0, -1, left)
            q[0] = left
        bond = self.slot[first]
        start = -on.V[bond](self.nodes[:, None] - left) if bond >= 0 else 0 * self.nodes[:, None]
        messages = [self._on_grid(np.exp(start - start.max(axis=0)))]
        for site in range(first, n - 1):
            message = self._on_grid(self.kernel(self.slot[site + 1])) @ (
                self.held[self.pin[site]] * messages[-1]
            )
            messages.append(message / message.max(axis=0))
        right = left
        for site in range(n - 1, first, -1):
            message = self.kernel(self.slot[site]) @ (
                self.held[self.pin[site - 1]] * messages[site - 1 - first]
            )
            right = q[site] = self._pick(self._log(message), site, self.slot[site + 1], right)
        q[first] = self._pick(start, first, self.slot[first + 1], right)
        self.q = q.T

    @staticmethod
    def _on_grid(message: NDArray) -> NDArray:
        return message[WIDE // 2 - 1 : -(WIDE // 2)]

    @staticmethod
    def _log(message: NDArray) -> NDArray:
        return np.log(np.maximum(message / message.max(axis=0), LEAST))

    def _kernel(self, bond: int, to: NDArray, start: NDArray) -> NDArray[np.float64]:
        """The kernel of a bond from places to places, its largest entry 1."""
        phi = self.on.V[bond](to[:, None] - start)
        return np.exp(phi.min() - phi)

    def _around(self) -> NDArray[np.float64]:
        """The logarithm of the weight of going round the ring from a place back to it."""

        def times(a: NDArray, b: NDArray) -> NDArray:
            found = a @ b
            return found / found.max()

        n, held = self.on.chain.n, [self.held[pin].T for pin in self.pin]
        steps = (self._on_grid(self.kernel(self.slot[site + 1])) * held[site] for site in range(1, n - 1))
        if self.on.chain.is_uniform:
            way = power(next(steps), n - 2, times)
        else:
            way = functools.reduce(lambda before, step: times(step, before), steps)
        back = self.kernel(self.slot[-1]) * held[-1] @ way
        return self._log((back * self._kernel(self.slot[1], self.on.x, self.nodes).T).sum(axis=1))

    def _pick(self, message: NDArray, site: int, bond: int, right: NDArray) -> NDArray[np.float64]:
        """Draw a displacement, given the logarithm of the message, and what a bond ties it to, if any does.

        From a comb of places with a random offset a tooth is drawn.  The sum over a comb does not depend on
        its offset, as sums over this grid are integrals.
        """
        offset = self.rng.random(self.size)
        places = self.on.x[:, None] + self.on.h * offset
        logs = self._between(message, offset) - self.on.U[self.pin[site]](places)
        if bond >= 0:
            logs -= self.on.V[bond](right - places)
        weights = np.cumsum(np.exp(logs - logs.max(axis=0)), axis=0)
        tooth = (weights < self.rng.random(self.size) * weights[-1]).sum(axis=0)
        return places[tooth, np.arange(self.size)]

    def _between(self, message: NDArray, offset: NDArray) -> NDArray[np.float64]:
        """The message, so much of a step beyond each point of the grid: a polynomial through WIDE nodes."""
        share = np.vander(offset - 0.5, WIDE) @ LAGRANGE
        if message.shape[1] == 1:
            return sliding_window_view(message[:, 0], WIDE) @ share.T
        return sum(share[:, node] * message[node : node + len(self.on.x)] for node in range(WIDE))
