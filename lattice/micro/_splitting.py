"""Splitting schemes, and the programs that the time loop plays.

Half of the noise, half of the baths, the step, half of the baths, half of the noise: two halves that meet
between two steps are one.  The first and the last kick of a step, which meet as well, are one kick, and the
baths and flips act amid it without parting it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._kernels import baths as bath_kernel
from .._kernels import march as kernel
from .._kernels.operations import Own, operation
from ..chain import Chain
from ..noise import Langevin, Noise, bath_sites
from ._noises import action_of

__all__ = ["SCHEMES", "Program", "Setting", "Splitting"]


@dataclass(frozen=True)
class Splitting:
    """Kicks and drifts in units of the step, palindromic, a kick first.

    `limit` is the largest stable ωh of an oscillator, `default` the one that evolve chooses.
    """

    kicks: tuple[float, ...]
    drifts: tuple[float, ...]
    limit: float
    default: float


def _palindrome(kicks: tuple[float, ...], drifts: tuple[float, ...]) -> tuple[tuple[float, ...], ...]:
    """Fill in the middle kick and the middle drifts, so that either sum is 1, and mirror."""
    last = 0.5 - sum(drifts)
    return (*kicks, 1 - 2 * sum(kicks), *reversed(kicks)), (*drifts, last, last, *reversed(drifts))


# The fourth-order scheme is SRKN6b of Blanes and Moan, J. Comput. Appl. Math. 142, 313 (2002).
SCHEMES = {
    "verlet": Splitting((0.5, 0.5), (1.0,), limit=2.0, default=0.1),
    "fourth-order": Splitting(
        *_palindrome(
            (0.0829844064174052, 0.396309801498368, -0.0390563049223486),
            (0.245298957184271, 0.604872665711080),
        ),
        limit=3.1634,
        default=0.5,
    ),
}


@dataclass(frozen=True, eq=False)
class Setting:
    """What a program is made from, the same for all replicas; it can be sent to another process.

    Attributes
    ----------
    chain : Chain
    splitting : Splitting
    bond, pin : tuples
        The laws as the kernels take them, arrays along a strip.
    ends : pair of int
    baths : tuple of Langevin
    noise : Noise or None
        None if its rate is 0.
    movements : list of (int, float)
        Steps of an interval between outputs, and their duration h.
    """

    chain: Chain
    splitting: Splitting
    bond: tuple
    pin: tuple
    ends: tuple[int, int]
    baths: tuple[Langevin, ...]
    noise: Noise | None
    movements: list[tuple[int, float]]


class Program:
    """The operations for one strip, in order, and how often each part of them is played.

    Parameters
    ----------
    setting : Setting
    replicas : int
        Of the strip.
    closing : sequence of (operation, Own)
        What looks at the state at the end of each movement.
    """

    def __init__(self, setting: Setting, replicas: int, closing: Sequence[tuple[Callable, Own]]) -> None:
        chain, baths = setting.chain, setting.baths
        self.setting, self.action = setting, action_of(chain, setting.noise)
        self.laws = kernel.laws(setting.bond, setting.pin)
        self.store = self.action.store(replicas, chain.n) if self.action else None
        self.normals = None
        if baths:
            self.sites = np.array(bath_sites(chain, baths), dtype=np.int64)
            self.numbers = np.array([(b.temperature, b.friction, b.force) for b in baths])
            self.normals = bath_kernel.normals(replicas, self.numbers)
        self.replicas = replicas
        self.rows, self.phrases, self.movements = [], [], [0]
        self.kept = {self.normals} if self.normals else set()
        for steps, h in setting.movements:
            if steps > 0:
                self._interval(steps, h)
            for function, own in closing:
                self._row(function, own)
            self._phrase(1)
            self.movements.append(len(self.phrases))
        self.tables = (
            np.array(self.rows, kernel.INSTRUCTION),
            np.array(self.phrases),
            np.array(self.movements),
        )

    def reset(self) -> None:
        """Forget what belongs to the replicas that were played: for others now."""
        for own in self.kept:
            own.reset()

    def play(self, strip: Own, score: NDArray[np.int64]) -> None:
        """Play these movements on a strip."""
        kernel.march(np.uint64(strip.address), *self.tables, score)

    def _row(self, function: Callable, own: Own, a: float = 0.0, b: float = 0.0) -> None:
        self.kept.add(own)
        self.rows.append((operation(function, own.kind), own.address, a, b))

    def _phrase(self, times: int) -> None:
        """The rows since the last phrase are played so many times."""
        begin = self.phrases[-1][1] if self.phrases else 0
        self.phrases.append((begin, len(self.rows), times))

    def _sweep(self, kick: float, drift: float) -> None:
        self._row(kernel.sweep, self.laws, kick, drift)

    def _act(self, duration: float, fresh: bool) -> None:
        """The noise alone."""
        for function, number in self.action.rows(self.setting.noise.rate, duration, fresh):
            self._row(function, self.store, number)

    def _bathe(self, baths: Own | None, kick: float = 0.0, drift: float = 0.0) -> None:
        """A kick with the baths amid it and a drift; the baths alone if there is neither."""
        if baths is not None:
            self._row(bath_kernel.note, baths)
        if kick or drift:
            self._sweep(kick, drift)
        if baths is not None:
            self._row(bath_kernel.mend, baths, drift)

    def _interval(self, steps: int, h: float) -> None:
        """So many steps of duration h."""
        kicks, drifts = self.setting.splitting.kicks, self.setting.splitting.drifts
        whole = half = None
        if self.normals is not None:
            whole, half = (
                bath_kernel.baths(self.replicas, self.sites, self.numbers, duration, self.normals)
                for duration in (h, 0.5 * h)
            )
        # The step's own energy contains p²/2 unchanged and the potential not.  So what changes the
        # momenta parts the kick between two steps, and what changes the stretches parts the drift.
        amid_drift = self.action is not None and self.action.on_stretches and len(drifts) == 1
        amid_kick = self.action is not None and not amid_drift

        def opening(kick: float, baths: Own | None, fresh: bool) -> None:
            """The first kick and drift of a step."""
            drift = h * drifts[0]
            if not amid_drift:
                self._bathe(baths, kick, drift)
                return
            self._bathe(baths, kick, 0.5 * drift)
            self._act(h, fresh)
            self._sweep(0.0, 0.5 * drift)

        def joint(fresh: bool) -> None:
            """The same with the last kick of the step before, and with what acts between the two."""
            kick, drift = h * (kicks[0] + kicks[-1]), h * drifts[0]
            if not amid_kick:
                opening(kick, whole, fresh)
            elif self.action.mends and half is None:
                *before, (mend, _) = self.action.rows(self.setting.noise.rate, h, fresh)
                for function, number in before:
                    self._row(function, self.store, number)
                self._sweep(kick, drift)
                self._row(mend, self.store, drift)
            else:
                self._sweep(0.5 * kick, 0.0)
                self._bathe(half)
                self._act(h, fresh)
                self._bathe(half)
                self._sweep(0.5 * kick, drift)

        def rest() -> None:
            for kick, drift in zip(kicks[1:-1], drifts[1:], strict=True):
                self._sweep(h * kick, h * drift)

        if amid_kick:
            self._act(0.5 * h, True)
        self._bathe(half)
        opening(h * kicks[0], None, True)
        rest()
        self._phrase(1)
        # gaps drawn for half a step, or a step of another duration, are of no use
        for fresh, times in ((amid_kick, min(steps - 1, 1)), (False, steps - 2)):
            if times > 0:
                joint(fresh)
                rest()
                self._phrase(times)
        self._sweep(h * kicks[-1], 0.0)
        self._bathe(half)
        if amid_kick:
            self._act(0.5 * h, True)
