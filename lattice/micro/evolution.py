"""Time evolution of an ensemble of chains: in isolation, with noise, between Langevin baths."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _check
from .._check import finite, generator, instance, number, one_of, shown, work
from .._kernels.march import FIXED, FREE, PERIODIC, UNROLL, Strip
from .._kernels.observe import watch, watching
from .._kernels.random import LANES, streams
from ..chain import Chain, State, started
from ..noise import Langevin, Noise, bath_sites, listed
from ._noises import moving
from ._splitting import SCHEMES, Program, Setting, Splitting
from .observers import Averages, Profiles, Series, Totals, Trajectory, observer

__all__ = ["BlowUp", "evolve"]

# Sites, ghosts included, that one task holds: what fits into the first-level cache.
STRIP = 1024
MOST_STEPS = 1e15  # of a site: a few days.  A step costs as much as 100 sites at least.
MOST_NUMBERS = 1e10  # that are kept: 80 GB
# By how much the logarithm of a mean that the noise damps may change in a step (see the notes of `evolve`).
MOST_DECAY = 0.8
ENDS = {"free": FREE, "fixed": FIXED, "periodic": PERIODIC}
CHUNK = 2e8  # site-steps in one call of the loop: some tenths of a second


class BlowUp(RuntimeError):
    """All replicas have left the finite numbers.

    Attributes
    ----------
    time : float
        The output time at which the first loss was noticed; the time before all were still finite.
    replica : int
        Which it was (the first, if several went in the same interval).
    lost : dict of int to float
        When each was noticed.
    trajectory : Trajectory or None
        All replicas up to the output time before the first loss; every entry is finite.  None if the run
        was to keep something else.
    """

    def __init__(self, lost: dict[int, float], trajectory: Trajectory | None) -> None:
        super().__init__(lost, trajectory)
        self.time, self.replica = min((time, replica) for replica, time in lost.items())
        self.lost, self.trajectory = lost, trajectory

    def __str__(self) -> str:
        many = f", the first of {len(self.lost)}," if len(self.lost) > 1 else ""
        text = f"replica {self.replica}{many} blew up before t = {self.time:.6g}"
        if self.trajectory is None:
            return text
        kept = self.trajectory.times.size
        return f"{text} (dt = {self.trajectory.dt:.3g}); the {kept} earlier outputs are in .trajectory"


@finite
def highest_frequency(chain: Chain, q: NDArray[np.float64]) -> float:
    r"""An upper bound of it, from the curvatures at rest and at the displacements q.

    Gershgorin: :math:`\omega^2 \le \max_j\,[2|V''_{j-1}| + 2|V''_j| + |U''_j|]`, which for a
    uniform chain is the band edge :math:`4\chi + \omega_0^2`.  A cosine counts :math:`|J|m^2`
    wherever it stands.
    """

    def largest(law, x):
        curvature = np.maximum(np.abs(law.chi + x * (2 * law.alpha + 3 * x * law.beta)), np.abs(law.chi))
        return curvature.max(axis=0) + np.abs(law.J) * law.m**2

    bonds = chain.slots(largest(chain.bond, chain.stretches(q)))
    return math.sqrt((2 * (bonds[:-1] + bonds[1:]) + largest(chain.pin, q)).max())


def _coefficients(chain: Chain, replicas: int) -> tuple[tuple, tuple]:
    """Bond and pin as the kernel wants them: numbers, or arrays along a strip of `replicas`."""
    cosine = bool(np.any(chain.bond.J) or np.any(chain.pin.J))
    names = ("chi",) if chain.is_harmonic else ("chi", "alpha", "beta", *(("J", "m") if cosine else ()))
    bond = [getattr(chain.bond, name) for name in names]
    pin = [getattr(chain.pin, name) for name in names if not chain.pin.is_zero]
    if chain.is_uniform:
        return tuple(map(float, bond)), tuple(map(float, pin))
    bond = [np.append(chain.slots(np.broadcast_to(row, chain.n_bonds)), 0.0) for row in bond]
    pin = [np.pad(np.broadcast_to(row, chain.n), 1) for row in pin]
    # longer than needed: what fills a strip up is never read back
    copies = replicas + -(-UNROLL // (chain.n + 2))
    return tuple(np.tile(row, copies) for row in bond), tuple(np.tile(row, copies) for row in pin)


def _chosen_step(
    chain: Chain,
    start: State,
    times: NDArray[np.float64],
    dt: float | None,
    splitting: Splitting,
    baths: tuple[Langevin, ...],
    noise: Noise | None,
    fading: float,
) -> float:
    """The longest step, chosen or checked; the noise damps a mean at the rate `fading`."""
    stiffest = highest_frequency(chain, start.q)
    damping = max([fading, *(bath.friction for bath in baths)])
    if dt is None:
        longest = float(np.diff(times, prepend=0.0).max()) or 1.0  # any, if only the start is asked for
        fastest = max(stiffest, damping)
        dt = min(longest, splitting.default / fastest) if fastest > 0 else longest
    else:
        dt = number("dt", dt, above=0)
    if dt * stiffest >= splitting.limit:
        raise ValueError(
            f"dt = {dt!r} with frequencies up to {stiffest:.4g} of chain and start; "
            f"allowed: below {splitting.limit / stiffest:.4g}, where the scheme is stable"
        )
    if dt * fading > MOST_DECAY * (1 + 1e-9):
        raise ValueError(
            f"dt = {dt!r} with noise = {noise!r}; allowed: at most {MOST_DECAY / fading:.4g}, "
            "where the noise acts at a rate that is wrong by 5 %"
        )
    count, most = float(times[-1]) / dt if dt > 0 else math.inf, MOST_STEPS / (start.q.size + 100)
    if not count <= most:
        raise ValueError(
            f"times = {shown(times)} with dt = {dt:.4g} need {count:.1e} steps; allowed: at most {most:.0e} "
            f"(frequencies of chain and start reach {stiffest:.2g}, rates of noise and baths {damping:.2g})"
        )
    return dt


def _intervals(
    times: NDArray[np.float64], dt: float
) -> tuple[list[tuple[int, float]], NDArray[np.int64], NDArray[np.float64]]:
    """The kinds of intervals between outputs, steps and their duration; of which kind each is, its steps."""
    counts, sizes = _check.steps(times, dt)
    known: dict[tuple[int, float], int] = {}
    each = (known.setdefault((int(k), float(h)), len(known)) for k, h in zip(counts, sizes, strict=True))
    score = np.fromiter(each, np.int64, len(counts))
    return list(known), score, counts


def _chunks(work: NDArray[np.float64]) -> list[slice]:
    """The intervals, cut where the work amounts to a multiple of CHUNK."""
    parts = np.floor(np.cumsum(work) / CHUNK)
    cuts = [0, *np.flatnonzero(np.diff(parts)) + 1, len(work)]
    return [slice(int(a), int(b)) for a, b in pairwise(cuts)]


def _groups(replicas: int, most: int) -> list[list[slice]]:
    """The replicas of each strip, in tasks: some full strips each, but so many tasks that none is waited for.

    The last strip may be shorter, and is a task of its own then.
    """
    full = [slice(i, i + most) for i in range(0, replicas - most + 1, most)]
    few = min(8, 1 + len(full) // 16)
    rest = [[slice(len(full) * most, replicas)]] if replicas % most else []
    return [full[i : i + few] for i in range(0, len(full), few)] + rest


def _evolve_strips(task: tuple) -> list[tuple]:
    """Strips of replicas through all times (at module level, so that process pools can send them).

    For each strip: for each replica the first output at which it is not finite, or -1; q and p in the end;
    what was seen.
    """
    starts, setting, score, chunks, observer = task
    replicas, n = starts[0][0].shape
    strip, watched = Strip(replicas, n, setting.ends), watching(replicas)
    look, seen = observer._operation(setting, len(score), replicas)
    program = Program(setting, replicas, [(look, seen), (watch, watched)])
    lost, found = watched.values["lost"], []
    for start in starts:
        strip.load(*start)
        program.reset()
        for chunk in chunks:  # between them Python may be interrupted
            program.play(strip.own, score[chunk])
            if lost.min() >= 0:
                break
        found.append((lost.copy(), strip.q.copy(), strip.p.copy(), observer._found(seen, lost < 0)))
    return found


def evolve(
    chain: Chain,
    start: State,
    times: ArrayLike,
    *,
    dt: float | None = None,
    scheme: str = "verlet",
    baths: Iterable[Langevin] = (),
    noise: Noise | None = None,
    rng: np.random.Generator | int | None = None,
    observe: Totals | Profiles | None = None,
    map: Callable = builtins.map,
) -> Trajectory | Series | Averages:
    r"""Evolve an ensemble and return its states at given times, or what is observed of them.

    Parameters
    ----------
    chain : Chain
        What is simulated.
    start : State
        The ensemble at time 0.
    times : (times,) array
        Increasing times since the start at which to keep the state, or to observe it; 0 is allowed.
    dt : float, optional
        The longest step: each interval between outputs is cut into as few equal steps as
        this allows.  By default :math:`\omega\,dt = 0.1` (Verlet) or 0.5 (fourth order),
        where ω is a bound of the highest frequency that counts the curvatures at rest and
        in the start state, or the largest friction or the fastest decay by the noise if that is higher.
    scheme : {"verlet", "fourth-order"}
        Velocity Verlet, or the splitting with six force evaluations a step of Blanes and Moan
        (2002), stable for :math:`\omega\,dt` below 2 and 3.16.  Both are symplectic and time-reversible.
    baths : iterable of Langevin
        At most one a site.
    noise : VelocityFlip, StretchFlip, VelocityExchange or ThreeSiteRotation, optional
        Acts everywhere along the chain.  A flipped stretch moves all sites to its right (to its left if the
        right end is fixed): it needs a free end, bonds with an even V and no pins.  A ring would not close
        again.
    rng : numpy.random.Generator or int
        Where the noise and that of the baths come from; needed if there is a noise or a bath has a
        temperature above 0.  Each replica gets a child that the generator spawns: its next run has
        other noise, whereas a seed gives the same noise every time.
    observe : Totals or Profiles, optional
        What to keep instead of the states, which for long runs of large systems are too many.
    map : callable
        Like the builtin, that of a thread or process pool for example; called over fixed
        blocks of replicas.  The result does not depend on it.

    Returns
    -------
    Trajectory, or Series (of Totals), or Averages (of Profiles)
        It carries the inputs.  A replica that leaves the finite numbers, as some do in an unbounded
        potential, is left out of it, and named in its attribute `lost`; the others are what they are
        without it.  A mean over those that are left is biased if many are lost.

    Notes
    -----
    A bath acts between the steps by its exact Ornstein-Uhlenbeck map, half before
    and half after ("OBABO").  What a symmetric kick-drift-kick step of a harmonic chain conserves
    contains the kinetic energy unchanged, and that is all a bath sees of it: so with baths
    of one temperature at a few sites the kept momenta are exactly canonical and no current
    flows, at any step.  (With the bath amid the drift, "BAOAB", they would be colder by a
    factor :math:`1 - \omega^2 dt^2/4`, a fake temperature profile.)  Bias of the
    stationary state: :math:`O(dt^2)`, in equilibrium that of the scheme.

    A noise acts between the steps too, by maps that keep to round-off what it is to keep: half of
    it, half of the baths, the step, half of the baths, half of the noise, where two halves of the
    noise that meet are one.  Exchanges, and rotations, that share a site act one after another:
    disjoint ones together, in two or three groups (and one or two single ones on a ring whose
    length is not divisible), in the opposite order every other time.  All of this is of second
    order in dt.  In a step h what flips damp at the rate :math:`\phi = 2\gamma` conducts
    :math:`\frac{\phi h}2 \coth \frac{\phi h}2` times as well as it should, and exchanges spread long waves
    :math:`\tanh(2\gamma h)/2\gamma h` times as fast.  Beyond :math:`\phi h = 0.8` (where
    :math:`\phi = 4\gamma` for exchanges and :math:`\frac32\gamma` for rotations) they would be wrong by more
    than 5 %, and in the end belong to the step and not to the noise: such steps are refused.

    What was said of the kinetic energy holds again: in a harmonic chain without baths the energy
    that Verlet conserves, :math:`O(dt^2)` from the true one, is conserved with the noise as well.
    For flipped stretches kick and drift have to change places in this, so with Verlet they act
    amid the drift.  In an anharmonic chain, or with the fourth-order scheme, the noise turns the
    energy error of the scheme into a random walk, whose variance grows at the rate of the noise times the
    square of that error.

    Raises
    ------
    ValueError
        Before anything is computed, if an argument is not allowed.  A `dt` at which the stiffest bond is
        unstable is not, or at which a noise would have wrong rates; nor are steps without end.
    BlowUp
        If no replica is left.  The error carries what was computed until the first was lost.
    """
    instance("chain", chain, Chain, "a Chain")
    started(start, (chain.n,))
    splitting = SCHEMES[one_of("scheme", scheme, SCHEMES)]
    times = _check.times(times, strictly=True).copy()
    times.setflags(write=False)
    instance("map", map, Callable, "a callable like the builtin map")
    baths, observing = listed(baths), observer(observe)
    bath_sites(chain, baths)
    action = moving(chain, noise)
    fading = action.decay * noise.rate if action else 0.0
    dt = _chosen_step(chain, start, times, dt, splitting, baths, noise, fading)
    replicas, n = start.q.shape
    most = max(1, STRIP // (n + 2))
    work("times", times, observing._numbers(times.size, replicas, n, min(most, replicas)), MOST_NUMBERS)
    random, seed = np.zeros((replicas, 4, LANES), dtype=np.uint64), None
    noisy = fading > 0 or any(bath.temperature > 0 and bath.friction > 0 for bath in baths)
    if noisy or rng is not None:
        source = generator(rng).bit_generator.seed_seq
        seed = deepcopy(source)
        random = streams(source, replicas) if noisy else random

    movements, score, steps = _intervals(times, dt)
    ends = tuple(ENDS[end] for end in chain.ends)
    laws = _coefficients(chain, min(most, replicas))
    setting = Setting(chain, splitting, *laws, ends, baths, noise if fading > 0 else None, movements)
    chunks = _chunks(steps * most * (n + 2))
    groups = _groups(replicas, most)
    common = setting, score, chunks, observing
    tasks = [([(start.q[x], start.p[x], random[x]) for x in group], *common) for group in groups]

    final_q, final_p, when = np.empty((replicas, n)), np.empty((replicas, n)), np.empty(replicas, np.int64)

    def strips() -> Iterator[tuple[slice, Any]]:
        for group, results in zip(groups, map(_evolve_strips, tasks), strict=True):
            for part, (lost, q, p, found) in zip(group, results, strict=True):
                when[part], final_q[part], final_p[part] = lost, q, p
                yield part, found

    seen, kept = observing._collect(strips(), times.size, replicas, n), when < 0
    lost = {int(i): float(times[when[i]]) for i in np.flatnonzero(~kept)}
    inputs = {"chain": chain, "dt": dt, "scheme": scheme, "baths": baths, "noise": noise, "seed": seed}
    if not kept.any():
        first = when.min()
        before = [rows[:first] for rows in seen] if observe is None else []
        raise BlowUp(lost, Trajectory(*before, times=times[:first], **inputs) if before else None)
    final = State(final_q[kept], final_p[kept])
    return observing._result(seen, kept, final, {**inputs, "times": times, "lost": lost})
