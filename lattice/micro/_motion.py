r"""The motion of a harmonic chain, site by site, without rounding: springs, walls, pins, friction, noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse

from ..chain import Chain
from ._closure import Groups, bond_sites
from ._linear import Entries, Floats, Indices, Linear

__all__ = ["Motion", "diagonal", "heat_is_trapped", "joined", "mean_motion"]

WIDEST = 1e50  # the largest factor between two rates


def joined(*parts: Entries) -> Entries:
    rows, columns, values = (np.concatenate(some) for some in zip(*parts, strict=True))
    return rows, columns, values


def diagonal(values: Floats) -> Entries:
    place = np.arange(values.size)
    return place, place, values


@dataclass(frozen=True, eq=False)
class Motion:
    r"""The motion :math:`\dot y = Bp`, :math:`\dot p = -Fy - \Gamma p` of a harmonic chain, and its noise.

    Attributes
    ----------
    n, w : int
        Number of sites and of coordinates y: the displacements, or the stretches if these flip.
    spread, pull : Entries
        B and F.
    friction : (n,) array
        The diagonal of Γ.
    stiffness : (w,) array
        Square roots of the stiffnesses of y; without any springs 1.
    loose : (n,) array
        The number of the piece that a site belongs to if neither pin nor wall holds it; else -1.
    noise : Groups or None
        Of strength 1.
    unit : float
        The unit of all rates, the strength of the noise if there is one; that of y is its reciprocal.
    """

    n: int
    w: int
    spread: Entries
    pull: Entries
    friction: Floats
    stiffness: Floats
    loose: Indices
    noise: Groups | None
    unit: float

    @classmethod
    def of(cls, chain: Chain, friction: Floats, noise: Groups | None) -> Motion:
        """The motion of a chain.

        Raises
        ------
        ValueError
            If two of its rates differ by more than a factor of 1e50.
        """
        n, w = chain.n, chain.n_bonds
        chi, pin = np.broadcast_to(chain.bond.chi, w), np.broadcast_to(chain.pin.chi, n)
        strength = 0.0 if noise is None else noise.strength
        rates = np.concatenate([np.sqrt(np.abs(chi)), np.sqrt(np.abs(pin)), friction, [strength]])
        fastest, slowest = rates.max(), rates[rates > 0].min(initial=np.inf)
        if fastest > WIDEST * slowest:
            raise ValueError(
                f"chain, baths and noise have rates from {slowest:.1e} to {fastest:.1e}; "
                f"allowed: a factor of {WIDEST:.0e} between them"
            )
        # in units of the noise what it does are integers, which cancel exactly
        unit = strength or fastest or 1.0
        chi, pin = chi / unit / unit, pin / unit / unit
        left, right = bond_sites(chain)
        ends = ((left >= 0, left, -1.0), (right >= 0, right, 1.0))
        inner = (left >= 0) & (right >= 0)
        if noise is not None and noise.on_stretches:
            bond, site, sign = spread = joined(
                *((np.flatnonzero(on), at[on], np.full(on.sum(), sign)) for on, at, sign in ends)
            )
            pull, stiffness = (site, bond, sign * chi[bond]), np.sqrt(chi)
        else:
            w, spread = n, diagonal(np.ones(n))
            own = [(at[on], at[on], chi[on]) for on, at, _ in ends]
            across = [(a[inner], b[inner], -chi[inner]) for a, b in ((left, right), (right, left))]
            pull = joined(*own, *across, diagonal(pin))
            stiffness = np.sqrt(np.bincount(pull[0], np.abs(pull[2]), n))
        stiffness[stiffness == 0] = stiffness.max() or 1.0

        springs = inner & (chi != 0)
        graph = scipy.sparse.coo_array((chi[springs], (left[springs], right[springs])), shape=(n, n))
        pieces, piece = scipy.sparse.csgraph.connected_components(graph, directed=False)
        held = np.zeros(pieces, dtype=bool)
        held[piece[pin != 0]] = True
        for on, at, _ in ends:
            held[piece[at[on & ~inner & (chi != 0)]]] = True
        loose = np.where(held, -1, np.cumsum(~held) - 1)[piece]
        if noise is not None:
            noise = replace(noise, strength=1.0)
        return cls(n, w, spread, pull, friction / unit, stiffness, loose, noise, unit)

    @property
    def first_loose(self) -> Indices:
        """The first site of each loose piece."""
        return np.unique(self.loose, return_index=True)[1][int((self.loose < 0).any()) :]

    @property
    def on_stretches(self) -> bool:
        """Whether y are the stretches."""
        return self.noise is not None and self.noise.on_stretches

    @property
    def turning(self) -> Entries:
        """What the noise does to the means of what it acts on: y if they are the stretches, else p."""
        if self.noise is None:
            return diagonal(np.zeros(0))
        matrix = self.noise.matrix()
        return *np.nonzero(matrix), matrix[matrix != 0]

    def displacements(self, y: Floats) -> Floats:
        """The displacements (n, ...) of coordinates (w, ...), in loose pieces from their centres of mass."""
        q = y.copy()
        if self.on_stretches and self.w < self.n:
            q = np.concatenate([np.zeros_like(y[:1]), np.cumsum(y, axis=0)])
        elif self.on_stretches and np.count_nonzero(self.spread[0] == 0) == 1:  # a wall on the left
            q = np.cumsum(y, axis=0)
        elif self.on_stretches:
            q = -np.cumsum(y[::-1], axis=0)[::-1]
        for piece in range(self.first_loose.size):
            q[self.loose == piece] -= q[self.loose == piece].mean(axis=0)
        return q / self.unit


def mean_motion(motion: Motion, force: Floats) -> tuple[Floats, Floats, Floats]:
    """The stationary means of y, what they lost by rounding, and those of p, under constant forces.

    Without flips of stretches each piece of the chain moves as a whole, and only if nothing holds it.
    The place of such a piece is that of its first site, and arbitrary.

    Raises
    ------
    Unsolved
        If there is none.
    """
    n, w = motion.n, motion.w
    if not force.any():
        return np.zeros(w), np.zeros(w), np.zeros(n)
    turning, damping = motion.turning, diagonal(-motion.friction)
    if motion.on_stretches:
        (i, j, a), (k, m, b) = motion.spread, motion.pull
        entries = joined(turning, (i, j + w, a), (k + w, m, -b), (damping[0] + w, damping[1] + w, damping[2]))
        weights = np.concatenate([motion.stiffness, np.ones(n)])
        found, low, _ = Linear(entries, weights[None]).solve(np.concatenate([np.zeros(w), -force]))
        return found[:w], low[:w], found[w:]
    # in place of the displacement of the first site of a loose piece: its velocity
    first, moving = motion.first_loose, motion.loose >= 0
    (i, j, a), (k, m, b) = motion.pull, joined(turning, damping)
    inner, dragged = ~np.isin(j, first), moving[m]
    drag = (k[dragged], first[motion.loose[m[dragged]]], b[dragged])
    weights = motion.stiffness.copy()
    weights[first] = 1.0
    y, low, _ = Linear(joined((i[inner], j[inner], -a[inner]), drag), weights[None]).solve(-force)
    p = np.zeros(n)
    p[moving] = y[first[motion.loose[moving]]]
    y[first] = low[first] = 0.0
    return y, low, p


def heat_is_trapped(chain: Chain, acting: Groups, friction: Floats) -> bool:
    """Whether some part of a noisy chain exchanges no energy with a bath."""
    first, second = bond_sites(chain)
    springs = (first >= 0) & (second >= 0) & (np.broadcast_to(chain.bond.chi, chain.n_bonds) != 0)
    first, second = first[springs], second[springs]
    if not acting.on_stretches:
        first = np.concatenate([first, acting.index[:, :-1].ravel()])
        second = np.concatenate([second, acting.index[:, 1:].ravel()])
    graph = scipy.sparse.coo_array((np.ones(first.size), (first, second)), shape=(chain.n, chain.n))
    parts, part = scipy.sparse.csgraph.connected_components(graph, directed=False)
    return len(set(part[friction > 0])) < parts
