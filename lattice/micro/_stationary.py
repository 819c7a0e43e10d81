r"""The equations for the stationary moments of a chain between baths, site by site.

The covariance is the Gibbs state at a temperature between those of the baths, and an excess over it.
The equations for the excess couple neighbours only, and nothing in them is a small difference of large
rates: what the noise keeps, and what the springs pass on, cancels before a number is formed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import scipy.sparse

from ..model import Chain
from ._closure import Groups
from ._linear import ENOUGH, Entries, Floats, Indices, Linear, Unsolved, halves, two_product, two_sum

__all__ = ["Balance", "Excess", "Motion", "Settled", "Undamped", "bond_sites", "settle"]

Pairs = tuple[Indices, Indices, Indices, Indices, Floats]  # of a map of matrices: (i, j) from (k, l)

WIDEST = 1e50  # the largest factor between two rates


def _joined(*parts: Entries) -> Entries:
    rows, columns, values = (np.concatenate(some) for some in zip(*parts, strict=True))
    return rows, columns, values


def _diagonal(values: Floats) -> Entries:
    place = np.arange(values.size)
    return place, place, values


def _times(strength: float, rows: Indices, columns: Indices, whole: Floats) -> Entries:
    """A number times a matrix of small integers, without rounding."""
    return _joined(*((rows, columns, part * whole) for part in halves(np.float64(strength))))


def _sandwich(left: Entries, right: Entries) -> Pairs:
    """The map C -> L C Rᵀ."""
    (i, k, a), (j, m, b) = left, right
    same_i, same_j = np.ones_like(i), np.ones_like(j)
    places = (np.outer(i, same_j), np.outer(same_i, j), np.outer(k, same_j), np.outer(same_i, m))
    return *(place.ravel() for place in places), np.outer(a, b).ravel()


def bond_sites(chain: Chain) -> tuple[Indices, Indices]:
    """The sites to the left and to the right of each bond, -1 for a wall."""
    right = np.arange(chain.n_bonds) + int(chain.ends[0] != "fixed")
    left = right - 1
    right = right % chain.n if chain.periodic else np.where(right < chain.n, right, -1)
    return left, right


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
        Acts on y if `on_stretches`, else on p.
    on_stretches : bool
        Whether y are the stretches.
    unit : float
        The unit of all rates, a power of 2; that of y is its reciprocal.
    """

    n: int
    w: int
    spread: Entries
    pull: Entries
    friction: Floats
    stiffness: Floats
    loose: Indices
    noise: Groups | None
    on_stretches: bool
    unit: float

    @classmethod
    def of(cls, chain: Chain, friction: Floats, noise: Groups | None, on_stretches: bool) -> Motion:
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
        unit = float(np.ldexp(0.5, np.frexp(fastest)[1])) or 1.0
        chi, pin = chi / unit / unit, pin / unit / unit
        left, right = bond_sites(chain)
        ends = ((left >= 0, left, -1.0), (right >= 0, right, 1.0))
        inner = (left >= 0) & (right >= 0)
        if on_stretches:
            bond, site, sign = spread = _joined(
                *((np.flatnonzero(on), at[on], np.full(on.sum(), sign)) for on, at, sign in ends)
            )
            pull, stiffness = (site, bond, sign * chi[bond]), np.sqrt(chi)
        else:
            w, spread = n, _diagonal(np.ones(n))
            own = [(at[on], at[on], chi[on]) for on, at, _ in ends]
            across = [(a[inner], b[inner], -chi[inner]) for a, b in ((left, right), (right, left))]
            pull = _joined(*own, *across, _diagonal(pin))
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
            noise = replace(noise, strength=noise.strength / unit)
        return cls(n, w, spread, pull, friction / unit, stiffness, loose, noise, on_stretches, unit)

    @property
    def first_loose(self) -> Indices:
        """The first site of each loose piece."""
        return np.unique(self.loose, return_index=True)[1][int((self.loose < 0).any()) :]

    @property
    def own(self) -> tuple[Entries, Entries]:
        """The linear drift of y by itself and of p by itself."""
        damping = _diagonal(-self.friction)
        nothing = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
        if self.noise is None:
            return nothing, damping
        whole = self.noise.whole()
        rows, columns = np.nonzero(whole)
        turned = _times(self.noise.strength, rows, columns, whole[rows, columns])
        return (turned, damping) if self.on_stretches else (nothing, _joined(damping, turned))

    def displacements(self, y: Floats) -> Floats:
        """The displacements (n, ...) of coordinates (w, ...), in loose pieces from their centres of mass."""
        q = y.copy()
        if self.on_stretches:
            bond, site, sign = self.spread
            gradient = np.zeros((self.w, self.n))
            gradient[bond, site] = sign
            q = np.linalg.pinv(gradient) @ y
        for piece in range(self.first_loose.size):
            q[self.loose == piece] -= q[self.loose == piece].mean(axis=0)
        return q / self.unit


def _held(motion: Motion) -> tuple[Entries, Indices]:
    """The pull without that of the places of loose pieces, and the first sites of these."""
    first = motion.first_loose
    i, j, a = motion.pull
    inner = ~np.isin(j, first)
    return (i[inner], j[inner], a[inner]), first


def gibbs(motion: Motion) -> Floats:
    """The covariance of the displacements in the Gibbs state of temperature 1, (n, n).

    Raises
    ------
    ValueError
        If the chain is unstable.
    """
    (i, j, a), first = _held(motion)
    # the rows of the held sites
    inner = ~np.isin(i, first)
    hold = _joined((i[inner], j[inner], a[inner]), (first, first, np.ones(first.size)))
    whole = np.zeros((motion.n, motion.n))
    np.add.at(whole, motion.pull[:2], motion.pull[2])
    squares = np.linalg.eigvalsh(whole)
    if squares[0] < -motion.n * np.finfo(float).eps * np.abs(squares).max():
        raise ValueError(
            f"chain has a mode of ω² = {squares[0] * motion.unit**2:.3g}; allowed: ω² ≥ 0 for every mode"
        )
    right = np.eye(motion.n)
    right[:, first] = 0.0
    try:
        covariance = Linear(hold, motion.stiffness[None]).solve(right)[0]
    except Unsolved as error:
        raise ValueError(
            "chain has a mode of ω² = 0 besides the motion of pieces that nothing holds; allowed: ω² > 0"
        ) from error
    if (np.diag(covariance) < 0).any():
        raise ValueError("chain has a mode of ω² < 0; allowed: ω² ≥ 0 for every mode")
    return motion.displacements(motion.displacements(covariance).T)


def mean_motion(motion: Motion, force: Floats) -> tuple[Floats, Floats]:
    """The stationary means of y and p under constant forces at the sites.

    Without flips of stretches each piece of the chain moves as a whole, and only if nothing holds it.
    The place of such a piece is that of its first site, and arbitrary.

    Raises
    ------
    Unsolved
        If there is none.
    """
    n, w = motion.n, motion.w
    if not force.any():
        return np.zeros(w), np.zeros(n)
    own_y, own_p = motion.own
    if motion.on_stretches:
        (i, j, a), (k, m, b) = motion.spread, motion.pull
        entries = _joined(own_y, (i, j + w, a), (k + w, m, -b), (own_p[0] + w, own_p[1] + w, own_p[2]))
        weights = np.concatenate([motion.stiffness, np.ones(n)])
        found = Linear(entries, weights[None]).solve(np.concatenate([np.zeros(w), -force]))[0]
        return found[:w], found[w:]
    # in place of the displacement of the first site of a loose piece: its velocity
    (i, j, a), first = _held(motion)
    k, m, b = own_p
    moving = motion.loose >= 0
    dragged = moving[m]
    drag = (k[dragged], first[motion.loose[m[dragged]]], b[dragged])
    weights = motion.stiffness.copy()
    weights[first] = 1.0
    y = Linear(_joined((i, j, -a), drag), weights[None]).solve(-force)[0]
    p = np.zeros(n)
    p[moving] = y[first[motion.loose[moving]]]
    y[first] = 0.0
    return y, p


@dataclass(frozen=True, eq=False)
class Block:
    """Unknowns laid out as a matrix: the place of entry (k, l) among them, -1 for none, and its sign."""

    place: Indices
    sign: Floats | float = 1.0

    def of(self, x: Floats) -> Floats:
        """The matrix."""
        return np.where(self.place >= 0, self.sign * x[self.place], 0.0)


def _triangle(size: int, first: int, offset: int, without: Indices | None = None) -> Indices:
    """Places from `first` for the entries on and above a diagonal, the same for those below."""
    place = np.full((size, size), -1)
    wanted = np.triu(np.ones((size, size), dtype=bool), offset)
    if without is not None:
        wanted[np.ix_(without, without)] = False
    rows, columns = np.nonzero(wanted)
    place[rows, columns] = place[columns, rows] = first + np.arange(rows.size)
    return place


def _noise_pairs(noise: Groups) -> Pairs:
    """What a noise does to second moments."""
    n, whole = noise.n, noise.whole()
    place = np.nonzero(whole)
    mean, one = (*place, whole[place]), _diagonal(np.ones(n))
    group = np.repeat(noise.index, noise.index.shape[1], axis=1), np.tile(noise.index, noise.index.shape[1])
    many = group[0].shape[1]
    kicks = np.tile(noise.weight * np.kron(noise.kick, noise.kick).ravel(), len(noise.index))
    rows, columns = (
        [np.repeat(part, many, axis=1).ravel() for part in group],
        [np.tile(part, many).ravel() for part in group],
    )
    i, j, k, m, value = (
        np.concatenate(parts)
        for parts in zip(_sandwich(mean, one), _sandwich(one, mean), (*rows, *columns, kicks), strict=True)
    )
    # integers: what cancels, cancels exactly
    total = scipy.sparse.coo_array((value, (i * n + j, k * n + m)), shape=(n * n, n * n)).tocsr()
    total.eliminate_zeros()
    total = total.tocoo()
    rows, columns, values = _times(noise.strength, *total.coords, total.data)
    return *np.divmod(rows, n), *np.divmod(columns, n), values


class _Collection:
    """Entries of a linear system for the blocks of a covariance, collected term by term."""

    def __init__(self) -> None:
        self.parts: list[Entries] = []

    def add(self, rows: Indices, block: Block, term: Pairs, sign: float = 1.0) -> None:
        """Add a linear map of a block to the equations (i, j) at `rows`."""
        i, j, k, m, value = term
        column = block.place[k, m]
        value = sign * value * (block.sign if isinstance(block.sign, float) else block.sign[k, m])
        kept = (column >= 0) & (value != 0)
        self.parts.append((rows[i, j][kept], column[kept], value[kept]))

    def add_noise(self, rows: Indices, block: Block, noise: Groups) -> None:
        """Add half of the noise to equations that stand for a matrix and its transpose together."""
        i, j, k, m, value = _noise_pairs(noise)
        upper = i <= j
        value = np.where(i == j, 0.5, 1.0) * value
        self.add(rows, block, (i[upper], j[upper], k[upper], m[upper], value[upper]))


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


@dataclass(frozen=True, eq=False)
class Excess:
    """Blocks of an excess over the Gibbs state, or of what sustains it; `pp_low` is the rounding of `pp`."""

    yy: Floats
    yp: Floats
    pp: Floats
    pp_low: Floats

    def times(self, factor: float) -> Excess:
        """All of it multiplied."""
        return Excess(*(factor * getattr(self, part.name) for part in fields(self)))


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

    Raises
    ------
    Unsolved
        If the equations have no unique solution.
    """

    def __init__(self, motion: Motion) -> None:
        n, w = motion.n, motion.w
        first = motion.first_loose
        self._friction, self._absorbs = motion.friction, motion.friction > 0
        if motion.on_stretches:
            self._yy = Block(_triangle(w, 0, 0))
            size = self._yy.place.max() + 1
            self._yp = [Block(size + np.arange(w * n).reshape(w, n))]
        else:
            self._yy = Block(_triangle(n, 0, 0, first))
            size = self._yy.place.max() + 1
            self._yp = [Block(_triangle(n, size, 1), np.triu(np.ones((n, n))) - np.tri(n))]
        size = self._yp[0].place.max() + 1
        if not motion.on_stretches and first.size:
            spreading = np.append(_triangle(first.size, size, 0), np.full((first.size, 1), -1), axis=1)
            spreading = np.append(spreading, np.full((1, first.size + 1), -1), axis=0)
            self._yp.append(Block(spreading[np.ix_(motion.loose, motion.loose)]))
            size = spreading.max() + 1
        self._pp = Block(_triangle(n, size, 0))
        size = self._pp.place.max() + 1

        # all unknowns as temperatures; besides, the temperatures themselves
        weights = np.zeros((2, size))
        weights[0, self._yy.place] = np.outer(motion.stiffness, motion.stiffness)
        for block in self._yp:
            weights[0, block.place] = motion.stiffness[:, None]
        weights[:, self._pp.place] = 1.0
        mix = None
        if not motion.on_stretches:
            mix = _apart(n, size - n * n)
        self._system = Linear(self._entries(motion), weights, mix)

    def _entries(self, motion: Motion) -> Entries:
        n, w = motion.n, motion.w
        collected = _Collection()
        own_y, own_p = motion.own
        one_y, one_p = _diagonal(np.ones(w)), _diagonal(np.ones(n))
        start = 0
        self._rows_y = None
        if motion.on_stretches:
            self._rows_y = rows = _triangle(w, 0, 0)
            start = rows.max() + 1
            collected.add(rows, self._yp[0], _sandwich(one_y, motion.spread))
            collected.add_noise(rows, self._yy, motion.noise)
        rows = start + np.arange(w * n).reshape(w, n)
        collected.add(rows, self._pp, _sandwich(motion.spread, one_p))
        collected.add(rows, self._yy, _sandwich(one_y, motion.pull), -1.0)
        for block in self._yp:
            collected.add(rows, block, _sandwich(own_y, one_p))
            collected.add(rows, block, _sandwich(one_y, own_p))
        self._rows_p = rows = _triangle(n, start + w * n, 0)
        collected.add(rows, self._yp[0], _sandwich(motion.pull, one_p), -1.0)
        collected.add(rows, self._pp, _sandwich(_diagonal(-motion.friction), one_p))
        if motion.noise is not None and not motion.on_stretches:
            collected.add_noise(rows, self._pp, motion.noise)
        return _joined(*collected.parts)

    def solve(self, heat: Excess, enough: float = ENOUGH) -> tuple[Excess, float]:
        """The excess that heat sustains, and its relative error; refined until this is `enough`.

        Raises
        ------
        Unsolved
            If rounding errors hide the solution.
        """
        right, right_low = np.zeros((2, self._pp.place.max() + 1))
        half_p = 1 - 0.5 * np.eye(len(heat.pp))
        right[self._rows_p], right_low[self._rows_p] = -half_p * heat.pp, -half_p * heat.pp_low
        if self._rows_y is not None:
            right[self._rows_y] = -(1 - 0.5 * np.eye(len(heat.yy))) * heat.yy
        driven = np.abs(np.diag(heat.pp))[self._absorbs] / (2 * self._friction[self._absorbs])
        x, low, error = self._system.solve(right, right_low, [0.0, driven.max(initial=0.0)], enough)
        yp = sum(block.of(x) for block in self._yp)
        return Excess(self._yy.of(x), yp, self._pp.of(x), self._pp.of(low)), error


class Undamped(Unsolved):
    """Some motion is damped by nothing, or by so little that rounding errors hide it."""


@dataclass(frozen=True, eq=False)
class Settled:
    """A stationary state: means, the covariance, and what cannot be had from these to all digits.

    Attributes
    ----------
    mean_q, mean_p, qq, qp, pp : arrays
        As in `Moments`.
    pp_excess : (n, n) array
        `pp` without that of the Gibbs state, which carries nothing.
    heat : (n,) array
        Mean power :math:`\\gamma(T - \\langle p^2\\rangle)` at each site.
    error : float
        The relative error of the excess, before it is rounded.
    """

    mean_q: Floats
    mean_p: Floats
    qq: Floats
    qp: Floats
    pp: Floats
    pp_excess: Floats
    heat: Floats
    error: float


def settle(motion: Motion, temperature: Floats, force: Floats) -> Settled:
    """The stationary state of a motion with the temperatures of baths and forces at the sites.

    Raises
    ------
    Undamped
        If there is no noise, and not every mode is damped.
    Unsolved
        If rounding errors hide the solution.
    """
    n, w, noise = motion.n, motion.w, motion.noise
    try:
        balance = Balance(motion)
        if noise is None:
            everywhere = Excess(np.zeros((n, n)), np.zeros((n, n)), np.eye(n), np.zeros((n, n)))
            balance.solve(everywhere, 0.01)  # what is not damped grows without limit
    except Unsolved as error:
        if noise is None:
            raise Undamped from error
        raise
    equilibrium = motion.displacements(motion.displacements(np.diag(motion.stiffness**-2)).T)
    if not motion.on_stretches:
        equilibrium = gibbs(motion)
    mean_y, mean_p = mean_motion(motion, force / motion.unit)

    differ, differ_low, base = _differences(motion, temperature)
    heat, heat_low = two_product(2 * motion.friction, differ)
    heat_low += 2 * motion.friction * differ_low
    heat_p, heat_y = np.diag(heat), np.zeros((w, w))
    if noise is not None and motion.on_stretches:
        heat_y = noise.stirred(mean_y)
    elif noise is not None:
        heat_p, lost = two_sum(heat_p, noise.stirred(mean_p))
        heat_low += np.diag(lost)
    largest = max(np.abs(heat_y).max(), np.abs(heat_p).max())
    excess, error = Excess(heat_y, np.zeros((w, n)), np.zeros((n, n)), np.zeros((n, n))), 0.0
    if largest > 0:
        scale = float(np.ldexp(1.0, np.frexp(largest)[1]))
        sustained = Excess(heat_y, np.zeros((w, n)), heat_p, np.diag(heat_low))
        excess, error = balance.solve(sustained.times(1 / scale))
        excess = excess.times(scale)

    lacking = (differ - np.diag(excess.pp)) + (differ_low - np.diag(excess.pp_low))
    return Settled(
        mean_q=motion.displacements(mean_y),
        mean_p=mean_p,
        qq=base * equilibrium + motion.displacements(motion.displacements(excess.yy).T),
        qp=motion.displacements(excess.yp),
        pp=base * np.eye(n) + excess.pp,
        pp_excess=excess.pp,
        heat=motion.unit * motion.friction * (lacking - mean_p**2),
        error=error,
    )


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
