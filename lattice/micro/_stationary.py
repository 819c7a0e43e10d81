r"""The stationary state of a chain between baths: a sparse linear system for means and covariance.

The unknown is what the covariance has above the Gibbs state at a temperature between those of the baths.
It is small where they differ little, and zero where they do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from ..chain import Chain, parts
from ..noise import Langevin
from ._closure import Groups
from ._motion import Motion

__all__ = ["check_rates", "excess", "heat_is_trapped", "is_damped", "loose_pieces", "resting"]

DAMPED = 1e-13  # the least damping, relative to the fastest rate, that rounding does not hide
SOFTEST = 1e-6  # frequency relative to the largest
WIDEST = 1e7  # the largest factor between two rates: what is lost of the slow one is 1e-9 of it

Floats = NDArray[np.float64]


def loose_pieces(chain: Chain, acting: Groups | None) -> list[NDArray[np.int64]]:
    """For each part of a chain that neither pin nor wall holds, the coordinates that its place changes."""
    if acting is not None and acting.on_stretches:
        return [np.arange(chain.n_bonds, chain.n)] if chain.n_bonds < chain.n else []
    springs, pins = np.broadcast_to(chain.bond.chi, chain.n_bonds), np.broadcast_to(chain.pin.chi, chain.n)
    part, held = parts(chain, springs != 0, pins != 0)
    return [np.flatnonzero(part == number) for number in np.flatnonzero(~held)]


def check_rates(
    chain: Chain, baths: Sequence[Langevin], acting: Groups | None, frequencies: Floats, loose: int
) -> None:
    """Refuse modes at rest that are no translations, and rates that rounding hides beside others."""
    if np.count_nonzero(frequencies == 0) != loose:
        raise ValueError("chain has a mode of ω² = 0 that is no translation; allowed: ω² > 0 for every other")
    springs = np.sqrt(np.abs(np.atleast_1d(chain.bond.chi)))
    others = [bath.friction for bath in baths] + ([] if acting is None else [acting.strength])
    rates = np.array([*springs, *others, frequencies.max()])
    fastest, slowest = rates.max(), rates[rates > 0].min(initial=np.inf)
    if fastest > WIDEST * slowest:
        raise ValueError(
            f"chain, baths and noise have rates from {slowest:.1e} to {fastest:.1e}; "
            f"allowed: a factor of {WIDEST:.0e} between them"
        )
    softest = frequencies[frequencies > 0].min(initial=np.inf)
    if softest < SOFTEST * frequencies.max():
        raise ValueError(
            f"chain has modes of ω = {softest:.1e} and {frequencies.max():.1e}; "
            f"allowed: a factor of {1 / SOFTEST:.0e} between them"
        )


def heat_is_trapped(chain: Chain, baths: Sequence[Langevin], acting: Groups) -> bool:
    """Whether some part of a noisy chain exchanges no energy with a bath."""
    joined = np.broadcast_to(chain.bond.chi, chain.n_bonds) != 0
    if acting.index.shape[1] > 1:
        joined = np.ones(chain.n_bonds, dtype=bool)
    part, _ = parts(chain, joined, np.zeros(chain.n, dtype=bool))
    return len({part[bath.site] for bath in baths if bath.friction > 0}) <= part.max()


def is_damped(motion: Motion, loose: int) -> bool:
    """Whether every motion decays without noise, but for the places of so many loose pieces."""
    rates = np.linalg.eigvals(motion.drift.toarray())
    return bool(np.sort(-rates.real)[loose] > DAMPED * np.abs(rates).max())


def _solved(
    matrix: scipy.sparse.csr_array, drifts: list[NDArray[np.int64]], right: Floats
) -> tuple[Floats, Floats]:
    """The solution of Ax = b, and the last correction of its refinement.

    The unknowns in a vector of `drifts` may all grow at one constant rate; then the first of them is 0.

    Raises
    ------
    RuntimeError
        If the matrix is singular.
    FloatingPointError
        If the solution is beyond the floats.
    """
    size, more = len(right), len(drifts)
    if more:
        rows, columns = np.concatenate(drifts), np.repeat(np.arange(more), [len(d) for d in drifts])
        grow = scipy.sparse.coo_array((np.full(rows.size, -1.0), (rows, columns)), shape=(size, more))
        first = [d[0] for d in drifts]
        fix = scipy.sparse.coo_array((np.ones(more), (np.arange(more), first)), shape=(more, size))
        matrix = scipy.sparse.block_array([[matrix, grow], [fix, None]])
    matrix = matrix.tocsc()
    right = np.concatenate([right, np.zeros(more)])
    try:
        factors = splu(matrix, permc_spec="MMD_ATA")
    except RuntimeError as failure:
        raise RuntimeError(f"the stationary state is lost in rounding errors: {failure}") from failure
    x, precise = factors.solve(right), matrix.astype(np.longdouble)  # where that has more digits
    for _ in range(2):
        correction = factors.solve((right - precise @ x).astype(np.float64))
        x += correction
    if not np.isfinite(x).all():
        raise FloatingPointError("a solution is not finite")
    return x[:size], correction[:size]


def resting(motion: Motion, loose: list[NDArray[np.int64]]) -> Floats:
    """The mean x of a motion under its forces; of the coordinates of a loose piece the first is 0."""
    if not motion.force.any():
        return np.zeros_like(motion.constant)
    return _solved(motion.drift, loose, -motion.constant)[0]


def _equations(motion: Motion, place: NDArray[np.int64]) -> scipy.sparse.csr_array:
    """The map C -> AC + CAᵀ + R(C) of a symmetric matrix, entry (i, j) of which is number place[i, j]."""
    drift, everywhere = motion.drift.tocoo(), np.arange(len(place))
    i, k = drift.coords
    twice = np.where(i[:, None] == everywhere, 2.0, 1.0)  # on the diagonal both terms are one
    rows, columns, values = [place[i].ravel()], [place[k].ravel()], [(twice * drift.data[:, None]).ravel()]
    noise = motion.noise
    if noise is not None:
        within = place[motion.acted, motion.acted]
        blocks = noise.local(within)
        kicks = noise.strength * noise.weight * np.einsum("ac,bd->abcd", noise.kick, noise.kick)
        for a, b, c, d in zip(*np.nonzero(kicks), strict=True):
            if a <= b:
                rows.append(blocks[:, a, b])
                columns.append(blocks[:, c, d])
                values.append(np.full(len(blocks), kicks[a, b, c, d]))
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    equations = scipy.sparse.coo_array(entries, shape=(place.max() + 1,) * 2).tocsr()
    equations.eliminate_zeros()
    return equations


def excess(motion: Motion, loose: list[NDArray[np.int64]], source: Floats) -> tuple[Floats, Floats]:
    """The matrix C, (2n, 2n), with AC + CAᵀ + R(C) + source = 0, and its last correction."""
    size = len(source)
    if not source.any():
        return np.zeros((size, size)), np.zeros((size, size))
    place = np.zeros((size, size), dtype=np.int64)
    upper = np.triu_indices(size)
    place[upper] = np.arange(upper[0].size)
    place = np.maximum(place, place.T)
    spreading = [np.unique(place[np.ix_(one, other)]) for k, one in enumerate(loose) for other in loose[k:]]
    x, correction = _solved(_equations(motion, place), spreading, -source[upper])
    return x[place], correction[place]
