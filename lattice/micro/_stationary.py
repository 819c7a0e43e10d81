r"""The stationary state of a chain between baths: equations site by site, solved to round-off.

The covariance is the Gibbs state at a temperature between those of the baths, and an excess over it.
The equations for the excess couple neighbours only, and nothing in them is a small difference of large
rates: what the noise keeps, and what the springs pass on, cancels before a number is formed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from ..chain import Chain
from ..modes import NormalModes
from ..noise import Langevin
from ._closure import Groups, energy_current, noise_current
from ._linear import ENOUGH, Entries, Floats, Indices, Linear, Unsolved, two_product, two_sum
from ._motion import Motion, diagonal, joined, mean_motion

__all__ = ["Undamped", "settle", "verify"]

TILT = 1e-14  # friction that is added to the factors, relative to the largest frequency
WELL = 1e-9  # relative gaps, amplitudes and rates above which nothing is near round-off

Pairs = tuple[Indices, Indices, Indices, Indices, Floats]  # of a map of matrices: (i, j) from (k, l)


class Undamped(Unsolved):
    """Some motion is damped by nothing, or by so little that rounding errors hide it."""


@dataclass(frozen=True, eq=False)
class Block:
    """Unknowns laid out as a matrix: the place of entry (k, l) among them, -1 for none, and its sign."""

    place: Indices
    sign: Floats

    def of(self, x: Floats) -> Floats:
        """The matrix."""
        return np.where(self.place >= 0, self.sign * x[self.place], 0.0)


def _symmetric(size: int, first: int, without: Indices | None = None) -> Block:
    """A symmetric matrix, its places counted from `first`; between the indices `without` it is 0."""
    wanted = np.triu(np.ones((size, size), dtype=bool))
    if without is not None:
        wanted[np.ix_(without, without)] = False
    rows, columns = np.nonzero(wanted)
    place = np.full((size, size), -1)
    place[rows, columns] = place[columns, rows] = first + np.arange(rows.size)
    return Block(place, np.ones((size, size)))


def _antisymmetric(size: int, first: int) -> Block:
    rows, columns = np.triu_indices(size, 1)
    place = np.full((size, size), -1)
    place[rows, columns] = place[columns, rows] = first + np.arange(rows.size)
    return Block(place, np.sign(np.arange(size) - np.arange(size)[:, None]).astype(float))


def _sandwich(left: Entries, right: Entries) -> Pairs:
    """The map C -> L C Rᵀ."""
    (i, k, a), (j, m, b) = left, right
    first, second = np.ones_like(i), np.ones_like(j)
    places = (np.outer(i, second), np.outer(first, j), np.outer(k, second), np.outer(first, m))
    return *(place.ravel() for place in places), np.outer(a, b).ravel()


def _stirring(noise: Groups) -> Pairs:
    """What a noise of strength 1 does to second moments: integers, so that what cancels, cancels exactly."""
    n, one = noise.n, diagonal(np.ones(noise.n))
    matrix = noise.matrix()
    mean = *np.nonzero(matrix), matrix[matrix != 0]
    kicks = noise.weight * np.einsum("ac,bd->abcd", noise.kick, noise.kick)
    shape = (len(noise.index), *kicks.shape)
    places = (np.expand_dims(noise.index, [a for a in (1, 2, 3, 4) if a != axis]) for axis in (1, 2, 3, 4))
    kicked = *(np.broadcast_to(p, shape).ravel() for p in places), np.broadcast_to(kicks, shape).ravel()
    parts = zip(_sandwich(mean, one), _sandwich(one, mean), kicked, strict=True)
    i, j, k, m, value = (np.concatenate(part) for part in parts)
    whole = scipy.sparse.coo_array((value, (i * n + j, k * n + m)), shape=(n * n, n * n)).tocsr().tocoo()
    return *np.divmod(whole.row, n), *np.divmod(whole.col, n), whole.data


def _terms(rows: Indices, block: Block, term: Pairs, factor: float = 1.0) -> Entries:
    """A linear map of a block in the equations (i, j), which stand at `rows`."""
    i, j, k, m, value = term
    column, value = block.place[k, m], factor * value * block.sign[k, m]
    kept = (column >= 0) & (value != 0)
    return rows[i, j][kept], column[kept], value[kept]


def _half(term: Pairs) -> Pairs:
    """Half of a map of symmetric matrices, for equations that stand for two transposed entries."""
    i, j, k, m, value = term
    upper = i <= j
    return i[upper], j[upper], k[upper], m[upper], (np.where(i == j, 0.5, 1.0) * value)[upper]


def _apart(size: int, more: int) -> scipy.sparse.csr_array:
    """Takes a matrix, row by row, to the upper halves of its symmetric and its antisymmetric part.

    Further entries, so many, it leaves as they are.
    """
    (i, j), (k, m) = np.triu_indices(size), np.triu_indices(size, 1)
    row, rest = np.arange(size * size), size * size + np.arange(more)
    rows = np.concatenate([row, row, rest])
    columns = np.concatenate([i * size + j, k * size + m, j * size + i, m * size + k, rest])
    values = np.concatenate([np.full(size * size + i.size, 0.5), np.full(k.size, -0.5), np.ones(more)])
    return scipy.sparse.coo_array((values, (rows, columns))).tocsr()


class Balance:
    r"""The stationary equations for the excess C of a covariance over the Gibbs state.

    With "…ᵀ" for the transpose of what stands before it,

    .. math::
        C_{yp}B^\top + \tfrac12 N_y(C_{yy}) + \ldots^\top &= -\text{heat}_y, \\
        BC_{pp} - C_{yy}F^\top + M_yC_{yp} + C_{yp}(M_p - \Gamma)^\top &= 0, \\
        -FC_{yp} - \Gamma C_{pp} + \tfrac12 N_p(C_{pp}) + \ldots^\top &= -\text{heat}_p,

    where N is what the noise does to second moments, and M to means.  Unless stretches flip, y are the
    displacements, and the first line only says that :math:`C_{yp}` is antisymmetric.  The places of loose
    pieces c diffuse: there :math:`C_{yp}` has a further part :math:`D_{cc'}`, the same at all their
    sites, and :math:`C_{yy}` is taken relative to their first sites.

    Parameters
    ----------
    motion : Motion
        Whose covariance it is.
    tilt : float
        A friction that is added everywhere in the factors: they must not be singular where something
        is not damped.

    Raises
    ------
    Unsolved
        If the equations have no unique solution.
    """

    def __init__(self, motion: Motion, tilt: float) -> None:
        n, w, first = motion.n, motion.w, motion.first_loose
        if motion.on_stretches:
            self._yy = _symmetric(w, 0)
            place = self._yy.place.max() + 1 + np.arange(w * n).reshape(w, n)
            self._yp = [Block(place, np.ones((w, n)))]
        else:
            self._yy = _symmetric(n, 0, first)
            self._yp = [_antisymmetric(n, self._yy.place.max() + 1)]
        if first.size and not motion.on_stretches:
            spread = np.pad(
                _symmetric(first.size, self._yp[0].place.max() + 1).place, (0, 1), constant_values=-1
            )
            self._yp.append(Block(spread[np.ix_(motion.loose, motion.loose)], np.ones((n, n))))
        self._pp = _symmetric(n, self._yp[-1].place.max() + 1)
        self._size = self._pp.place.max() + 1
        # an equation of a symmetric block stands for two entries
        self._rows_y = _symmetric(w, 0).place if motion.on_stretches else None
        start = 0 if self._rows_y is None else self._rows_y.max() + 1
        self._rows_x = start + np.arange(w * n).reshape(w, n)
        self._rows_p = _symmetric(n, start + w * n).place

        # all unknowns as temperatures; besides, the temperatures themselves
        weights = np.zeros((2, self._size))
        weights[0, self._yy.place] = np.outer(motion.stiffness, motion.stiffness)
        for block in self._yp:
            weights[0, block.place] = motion.stiffness[:, None]
        weights[:, self._pp.place] = 1.0
        mix = None if motion.on_stretches else _apart(n, self._size - n * n)
        entries = joined(*self._inner(motion), *self._damping(motion.friction))
        more = joined(*self._damping(np.full(n, tilt))) if tilt > 0 else None
        self._system = Linear(entries, weights, mix, more)
        self._friction = motion.friction

    def _inner(self, motion: Motion) -> list[Entries]:
        """All terms but those of friction."""
        one_y, one_p = diagonal(np.ones(motion.w)), diagonal(np.ones(motion.n))
        yy, yp, pp, noise = self._yy, self._yp, self._pp, motion.noise
        found = [
            _terms(self._rows_x, pp, _sandwich(motion.spread, one_p)),
            _terms(self._rows_x, yy, _sandwich(one_y, motion.pull), -1.0),
            _terms(self._rows_p, yp[0], _sandwich(motion.pull, one_p), -1.0),
        ]
        if motion.on_stretches:
            found.append(_terms(self._rows_y, yp[0], _sandwich(one_y, motion.spread)))
            found.append(_terms(self._rows_y, yy, _half(_stirring(noise))))
            found.append(_terms(self._rows_x, yp[0], _sandwich(motion.turning, one_p)))
        elif noise is not None:
            found.append(_terms(self._rows_p, pp, _half(_stirring(noise))))
            found += [_terms(self._rows_x, block, _sandwich(one_y, motion.turning)) for block in yp]
        return found

    def _damping(self, friction: Floats) -> list[Entries]:
        """The terms of a friction."""
        one, damping = diagonal(np.ones(len(self._rows_x))), diagonal(-friction)
        on_p = _terms(self._rows_p, self._pp, _sandwich(damping, diagonal(np.ones(friction.size))))
        return [on_p, *(_terms(self._rows_x, block, _sandwich(one, damping)) for block in self._yp)]

    def solve(
        self, heat_y: Floats, heat_p: Floats, heat_p_low: Floats, enough: float = ENOUGH
    ) -> tuple[tuple[Floats, ...], float]:
        """The excess that heats sustain, and its relative error; refined until this is `enough`.

        Returns
        -------
        excess : tuple
            Its blocks yy, yp and pp; the rounding of pp; yp without D, which holds the currents.
        error : float

        Raises
        ------
        Unsolved
            If rounding errors hide the solution.
        """
        right, right_low = np.zeros((2, self._size))
        half = 1 - 0.5 * np.eye(len(heat_p))
        right[self._rows_p], right_low[self._rows_p] = -half * heat_p, -half * heat_p_low
        if self._rows_y is not None:
            right[self._rows_y] = -(1 - 0.5 * np.eye(len(heat_y))) * heat_y
        absorbs = self._friction > 0
        driven = np.abs(np.diag(heat_p))[absorbs] / (2 * self._friction[absorbs])
        x, low, error = self._system.solve(right, right_low, [0.0, driven.max(initial=0.0)], enough)
        flowing, *spreading = (block.of(x) for block in self._yp)
        return (self._yy.of(x), sum(spreading, flowing), self._pp.of(x), self._pp.of(low), flowing), error


def _is_well_damped(motion: Motion, modes: NormalModes) -> bool:
    """Whether each mode of a chain without noise certainly feels a bath, by far more than by rounding.

    A mode is undamped if it moves no bath; if frequencies meet, so may a sum of their modes.
    """
    absorbs = motion.friction > 0
    squares = (modes.frequencies / motion.unit) ** 2
    reach = (modes.shapes[:, absorbs] ** 2).sum(axis=1)
    gap = np.diff(squares).min() / squares[-1] if squares[-1] > 0 else 0.0
    least = motion.friction[absorbs].min(initial=1.0)
    return bool(min(gap, reach.min(), least, np.sqrt(squares[-1])) > WELL)


def _differences(motion: Motion, temperature: Floats) -> tuple[Floats, Floats, float]:
    """A temperature, and the differences from it where there is friction, each the sum of two numbers.

    It is that at which as much heat would come in as go out if the chain were one body: then even the
    excess of a chain that is nearly one keeps its digits.
    """
    absorbs = motion.friction > 0
    part = motion.friction[absorbs] / motion.friction.max()
    known = temperature[absorbs]
    base = float(known[0] + (part * (known - known[0])).sum() / part.sum())
    differ, low = two_sum(temperature, np.full(motion.n, -base))
    return np.where(absorbs, differ, 0.0), np.where(absorbs, low, 0.0), base


def settle(
    chain: Chain, motion: Motion, modes: NormalModes, temperature: Floats, force: Floats
) -> tuple[tuple[Floats, ...], tuple[Floats, Floats, Floats], float]:
    """The stationary state of a motion with the temperatures of baths and forces at the sites.

    Returns
    -------
    moments : tuple
        Means of q and p, and the blocks qq, qp and pp of the covariance.
    flows : tuple
        Currents of the springs and of the noise through the bonds, and the power that each site takes
        up; they have digits that the moments have not.
    error : float
        The relative error of the excess over the Gibbs state, before it is rounded.

    Raises
    ------
    Undamped
        If there is no noise, and not every mode is damped.
    Unsolved
        If rounding errors hide the solution.
    """
    n, w, noise, unit = motion.n, motion.w, motion.noise, motion.unit
    safe = noise is not None or _is_well_damped(motion, modes)
    try:
        balance = Balance(motion, 0.0 if safe else TILT * modes.frequencies.max() / unit)
        if not safe:  # what is not damped grows without limit under any heat
            balance.solve(np.zeros((n, n)), np.eye(n), np.zeros((n, n)), enough=0.01)
    except Unsolved as failure:
        raise failure if noise is not None else Undamped(*failure.args) from failure
    strongest = np.abs(force).max() or 1.0
    mean_y, mean_y_low, mean_p = (strongest * part for part in mean_motion(motion, force / strongest / unit))

    differ, differ_low, base = _differences(motion, temperature)
    heat, heat_low = two_product(2 * motion.friction, differ)
    heat_low += 2 * motion.friction * differ_low
    heat_p, heat_y = np.diag(heat), np.zeros((w, w))
    if motion.on_stretches:
        heat_y = noise.stirred(mean_y)
    elif noise is not None:
        heat_p, lost = two_sum(heat_p, noise.stirred(mean_p))
        heat_low += np.diag(lost)
    excess, error = [np.zeros(shape) for shape in ((w, w), (w, n), (n, n), (n, n), (w, n))], 0.0
    largest = max(np.abs(heat_y).max(), np.abs(heat_p).max())
    if largest > 0:
        scale = float(np.ldexp(1.0, np.frexp(largest)[1]))
        excess, error = balance.solve(heat_y / scale, heat_p / scale, np.diag(heat_low) / scale)
        excess = [scale * part for part in excess]
    yy, yp, pp, pp_low, flowing = excess

    wave = modes.frequencies > 0
    shapes = modes.shapes[wave] / modes.frequencies[wave, None]
    moments = (
        motion.displacements(mean_y),
        mean_p,
        base * (shapes.T @ shapes) + motion.displacements(motion.displacements(yy).T),
        motion.displacements(yp),
        base * np.eye(n) + pp,
    )
    lacking = (differ - np.diag(pp)) + (differ_low - np.diag(pp_low))
    r, rp = mean_y, flowing
    if not motion.on_stretches:
        r, rp = chain._stretches(mean_y) + chain._stretches(mean_y_low), chain._stretches(flowing.T).T
    flows = (
        energy_current(chain, (rp + np.outer(r, mean_p)) / unit),
        unit * noise_current(chain, noise, pp, mean_p),
        unit * motion.friction * (lacking - mean_p**2) + force * mean_p,
    )
    return moments, flows, error


def verify(
    chain: Chain, baths: tuple[Langevin, ...], moments: tuple[Floats, ...], flows: tuple[Floats, ...]
) -> None:
    """Refuse what breaks a law of every stationary state: a guard, no part of the solution.

    At each site what the bath gives is what flows away, by the springs and by the noise; and without
    forces no site is hotter than the hottest bath, or colder than the coldest.

    Raises
    ------
    RuntimeError
        If it does.
    """
    mean_p, temperatures = moments[1], np.diag(moments[-1])
    by_springs, by_noise, given = flows
    missing = np.abs(np.diff(chain.slots(by_springs + by_noise)) - given).max()
    damping = [bath for bath in baths if bath.friction > 0]
    least, most = (pick(bath.temperature for bath in damping) for pick in (min, max))
    # the rounding of works that cancel, and, where no heat can pass, of what could
    rounding = 1e-12 * max(abs(bath.force * mean_p[bath.site]) for bath in baths)
    rounding += 1e-22 * max(bath.friction for bath in damping) * (most - least)
    margin = 1e-12 * (most - least) + 1e-15 * most
    cold = temperatures.min() < least - margin
    hot = temperatures.max() > most + margin and not any(bath.force for bath in baths)
    if missing > 1e-6 * np.abs(given).max() + rounding or cold or hot:
        raise RuntimeError(
            f"the stationary state is lost in rounding errors: of the power {np.abs(given).max():.1e} "
            f"{missing:.1e} is missing, and temperatures are from {temperatures.min():.3g} "
            f"to {temperatures.max():.3g}"
        )
