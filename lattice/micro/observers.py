"""What a run keeps: all states, the totals of its currents, or averages along the chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._check import brief, instance, integer, one_of, shown
from .._kernels import observe as kernel
from .._kernels.operations import Own
from ..chain import Chain, State, energy
from ..estimate import Estimate
from ..noise import Langevin, Noise
from ..stats import jackknife, mean
from ._splitting import Setting
from .currents import energy_current, momentum_current

__all__ = ["Averages", "Profiles", "Series", "Totals", "Trajectory"]

FEWEST_BLOCKS = 2
Strips = Iterable[tuple[slice, Any]]  # which replicas, and what was found on their strip


@dataclass(frozen=True, eq=False, kw_only=True)
class _Run:
    """The inputs that made a run, and who was lost."""

    times: NDArray[np.float64]
    chain: Chain
    dt: float
    scheme: str
    baths: tuple[Langevin, ...] = ()
    noise: Noise | None = None
    seed: np.random.SeedSequence | None = None
    lost: Mapping[int, float] = field(default_factory=dict)

    __repr__ = brief


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory(_Run):
    """States of an ensemble at chosen times, and the inputs that made them.

    Attributes
    ----------
    q, p : (times, replicas, n) array
        Displacements and momenta of the replicas that are not lost, in their order; read-only.
    times : (times,) array
        Since the start.
    chain, dt, scheme, baths, noise
        What was evolved and how; `dt` is the longest step allowed.
    seed : numpy.random.SeedSequence or None
        Where the random numbers came from: given as `rng`, it makes the same run again, any number of times.
    lost : mapping of int to float
        Which replicas of the start left the finite numbers, and the output time at which this was noticed.
    """

    q: NDArray[np.float64]
    p: NDArray[np.float64]

    def state(self, i: int) -> State:
        """The ensemble at ``times[i]``."""
        i = integer("i", i, least=-len(self.times), most=len(self.times) - 1)
        return State(self.q[i], self.p[i])

    def energy(self) -> NDArray[np.float64]:
        """Total energies, shape (times, replicas)."""
        return energy(self.chain, self.q, self.p)


@dataclass(frozen=True, eq=False, repr=False)
class Series(_Run):
    r"""Sums over the chain at chosen times, and the inputs that made them.

    Attributes
    ----------
    energy_current, momentum_current : (times, replicas) array
        Total currents, sums over all bonds of :math:`-\frac12(p_j + p_{j+1})V'(r_j)` and :math:`-V'(r_j)`.
    momentum, squares : (times, replicas) array
        :math:`\sum_j p_j` and :math:`\sum_j p_j^2`.
    final : State
        The replicas that are not lost at the last time: a run may go on from here.
    times, chain, dt, scheme, baths, noise, seed, lost
        As those of a `Trajectory`.
    """

    energy_current: NDArray[np.float64]
    momentum_current: NDArray[np.float64]
    momentum: NDArray[np.float64]
    squares: NDArray[np.float64]
    final: State


@dataclass(frozen=True, eq=False, repr=False)
class Averages(_Run):
    """Averages along the chain over time and replicas, with errors from blocks of time.

    Attributes
    ----------
    blocks : mapping of str to (blocks, n) or (blocks, n_bonds) array
        Averages over each block, of `p`, its square `squares` and `pin_energy` at each site; of `stretch`,
        `tension`, `bond_energy` and `energy_current` on each bond.
    outputs : int
        That were averaged in a block; those at the beginning that fill none were left out.
    final : State
        The replicas that are not lost at the last time: a run may go on from here.
    times, chain, dt, scheme, baths, noise, seed, lost
        As those of a `Trajectory`.
    """

    blocks: Mapping[str, NDArray[np.float64]]
    outputs: int
    final: State

    def mean(self, name: str) -> Estimate:
        """The average of one of `blocks`, shape (n,) or (n_bonds,).

        Its error is that of independent blocks: they have to be longer than the memory of what is averaged.
        """
        found = mean(self.blocks[one_of("name", name, self.blocks)])
        return Estimate(found.value, found.stderr, self._how(name))

    def temperature(self) -> Estimate:
        r"""The kinetic temperature :math:`\langle p_j^2\rangle - \langle p_j\rangle^2` of each site."""
        samples = np.stack([self.blocks["p"], self.blocks["squares"]], axis=1)
        found = jackknife(lambda x: x[:, 1].mean(axis=0) - x[:, 0].mean(axis=0) ** 2, samples)
        return Estimate(found.value, found.stderr, self._how("kinetic temperature"))

    def _how(self, name: str) -> str:
        return f"{name} of {self.final.replicas} replicas in {len(self.blocks['p'])} blocks of {self.outputs}"


def totals_of(run: object) -> Series:
    """A run by the totals of its currents."""
    if isinstance(run, Series):
        return run
    if not isinstance(run, Trajectory) or not len(run.times):
        raise ValueError(f"runs holds {shown(run)}; allowed: Trajectory or Series, with 2 times or more")
    return Series(
        energy_current=energy_current(run.chain, run.q, run.p).sum(axis=-1),
        momentum_current=momentum_current(run.chain, run.q).sum(axis=-1),
        momentum=run.p.sum(axis=-1),
        squares=np.square(run.p).sum(axis=-1),
        final=run.state(-1),
        **{f.name: getattr(run, f.name) for f in fields(_Run)},
    )


# An observer says how many numbers it keeps, in all and for the replicas of a strip; what looks at a strip
# and what it has found there in the end; how the strips are put together, and what has become of the replicas
# that are not lost.


@dataclass(frozen=True)
class States:
    """Keep all states: what a run does unless it is told otherwise."""

    def _numbers(self, times: int, replicas: int, n: int, strip: int) -> float:
        return 2.0 * times * replicas * n

    def _operation(self, setting: Setting, times: int, replicas: int) -> tuple[Callable, Own]:
        return kernel.record, kernel.recording(times, replicas, setting.chain.n)

    def _found(self, own: Own, kept: NDArray[np.bool_]) -> Any:
        return own.values["q"].copy(), own.values["p"].copy()

    def _collect(self, strips: Strips, times: int, replicas: int, n: int) -> Any:
        q, p = np.empty((times, replicas, n)), np.empty((times, replicas, n))
        for part, found in strips:
            q[:, part], p[:, part] = found
        return q, p

    def _result(self, seen: Any, kept: NDArray[np.bool_], final: State, inputs: dict) -> Trajectory:
        q, p = (_of(kept, rows) for rows in seen)
        return Trajectory(q=q, p=p, **inputs)


@dataclass(frozen=True)
class Totals:
    """Keep the total currents of energy and momentum, and what Green-Kubo needs besides: a :class:`Series`.

    Four numbers for each time and replica, whatever the length of the chain.  Where even these are too
    many, a run goes on from the `final` state of the last, and `green_kubo` takes one after the other.
    """

    def _numbers(self, times: int, replicas: int, n: int, strip: int) -> float:
        return 4.0 * times * replicas

    def _operation(self, setting: Setting, times: int, replicas: int) -> tuple[Callable, Own]:
        return kernel.totals, kernel.totalling(setting.bond, setting.pin, times, replicas)

    def _found(self, own: Own, kept: NDArray[np.bool_]) -> Any:
        return own.values["out"].copy()

    def _collect(self, strips: Strips, times: int, replicas: int, n: int) -> Any:
        seen = np.empty((len(kernel.TOTALS), times, replicas))
        for part, found in strips:
            seen[:, :, part] = np.moveaxis(found, -1, 0)
        return seen

    def _result(self, seen: Any, kept: NDArray[np.bool_], final: State, inputs: dict) -> Series:
        rows = (_of(kept, row) for row in seen)
        return Series(**dict(zip(kernel.TOTALS, rows, strict=True)), final=final, **inputs)


@dataclass(frozen=True)
class Profiles:
    """Average along the chain over the times and the replicas: :class:`Averages`.

    What is kept does not grow with the times.

    Parameters
    ----------
    blocks : int
        Of equal length, into which the times are cut, 2 or more: their spread gives the errors.

    Raises
    ------
    ValueError
        If `blocks` is something else.
    """

    blocks: int = 32

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", integer("blocks", self.blocks, least=FEWEST_BLOCKS))

    def _numbers(self, times: int, replicas: int, n: int, strip: int) -> float:
        if times < self.blocks:
            raise ValueError(f"blocks = {self.blocks} with {times} times; allowed: at most one a time")
        return (2.0 + strip) * self.blocks * len(kernel.PROFILES) * (n + 1)

    def _operation(self, setting: Setting, times: int, replicas: int) -> tuple[Callable, Own]:
        n, laws = setting.chain.n, (setting.bond, setting.pin)
        return kernel.profile, kernel.profiling(*laws, times, replicas, n, self.blocks)

    def _found(self, own: Own, kept: NDArray[np.bool_]) -> Any:
        return own.values["out"][kept].sum(axis=0)

    def _collect(self, strips: Strips, times: int, replicas: int, n: int) -> Any:
        return sum(found for _, found in strips)

    def _result(self, seen: Any, kept: NDArray[np.bool_], final: State, inputs: dict) -> Averages:
        chain, outputs = inputs["chain"], inputs["times"].size // self.blocks
        total = seen / (outputs * final.replicas)
        first = int(chain.ends[0] != "fixed")  # among the places between sites, 0 to n
        places = {True: slice(0, chain.n), False: slice(first, first + chain.n_bonds)}
        blocks = {}
        for k, name in enumerate(kernel.PROFILES):
            blocks[name] = np.ascontiguousarray(total[:, k, places[name in ("p", "squares", "pin_energy")]])
            blocks[name].setflags(write=False)
        return Averages(blocks=blocks, outputs=outputs, final=final, **inputs)


def _of(kept: NDArray[np.bool_], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rows (times, replicas, ...) of those that are kept, read-only."""
    rows = rows if kept.all() else rows[:, kept]
    rows.setflags(write=False)
    return rows


def observer(observe: object) -> States | Totals | Profiles:
    """The argument `observe`, checked."""
    if isinstance(observe, type):
        raise ValueError(f"observe = {shown(observe)}; allowed: an object, {observe.__name__}() for example")
    if observe is None:
        return States()
    return instance("observe", observe, (Totals, Profiles), "None, Totals() or Profiles()")
