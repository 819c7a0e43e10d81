r"""What the noises do to means and second moments, and the equations that follow.

Every noise acts on small groups g of neighbouring coordinates.  For its generator :math:`\mathcal{S}`,
the mean changes by :math:`\mathcal{S} x = M x` and the second moments :math:`S = \langle x x^\top\rangle` by

.. math:: \mathcal{S} S = M S + S M^\top + R(S), \qquad
          M = \sum_g m_g, \quad R(S) = \sum_g k_g S k_g^\top,

with the same small matrices m and k in each group.  A jump :math:`x \to Ux` has :math:`m = k = U - 1`;
a diffusion :math:`\frac16 Y^2` has :math:`m = Y^2/6` and :math:`k = Y/\sqrt3`.  So M joins the drift,
and the rest R only sees, and only fills, entries next to the diagonal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from .._check import instance, shown
from ..chain import Chain
from ..noise import Noise
from ._noises import action_of

__all__ = [
    "Blocks",
    "Groups",
    "Process",
    "closed_groups",
    "groups",
    "noise_current",
    "pace",
    "process_of",
    "series",
]

TERMS = 120


@dataclass(frozen=True, eq=False)
class Groups:
    r"""A noise on n coordinates: the momenta, or the stretches.

    Attributes
    ----------
    n : int
        Number of coordinates.
    index : (groups, g) array
        The coordinates of each group.
    mean, kick : (g, g) array
        Integers: the matrices m and k of the module's formula are `strength` × `mean` and
        :math:`\sqrt{}` (`strength` × `weight`) × `kick`.
    weight : int
        Makes k so.
    strength : float
        The rate, or a part of it.
    on_stretches : bool
        Whether it acts on the stretches.
    """

    n: int
    index: NDArray[np.int64]
    mean: NDArray[np.float64]
    kick: NDArray[np.float64]
    weight: int
    strength: float
    on_stretches: bool

    def matrix(self) -> NDArray[np.float64]:
        """The action M on the mean, (n, n)."""
        return self.strength * self.scatter(np.broadcast_to(self.mean, (len(self.index), *self.mean.shape)))

    def local(self, second: NDArray[np.float64]) -> NDArray[np.float64]:
        """The blocks, (groups, g, g), of a matrix (n, n)."""
        return second[self.index[:, :, None], self.index[:, None, :]]

    def scatter(self, blocks: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum, (n, n), of blocks (groups, g, g)."""
        total = np.zeros((self.n, self.n))
        np.add.at(total, (self.index[:, :, None], self.index[:, None, :]), blocks)
        return total

    def stirred(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """R(mmᵀ), (n, n), of a mean m."""
        kicked = mean[self.index] @ self.kick.T
        return self.scatter(self.strength * self.weight * kicked[:, :, None] * kicked[:, None, :])

    def source(self, blocks: NDArray[np.float64]) -> NDArray[np.float64]:
        """R(S), (n, n), from the blocks of S."""
        return self.scatter(self.strength * self.weight * self.kick @ blocks @ self.kick.T)


def groups(chain: Chain, noise: Noise | None) -> Groups | None:
    """The groups of a noise on a chain; None if nothing acts.

    Raises
    ------
    ValueError
        If `noise` is something else or its rate a last bit of the floats, or the chain is too short for it.
    """
    action = action_of(chain, noise)
    if action is None:
        return None
    size = len(action.mean)
    if action.on_stretches:
        first = int(chain.ends[0] == "fixed")  # a bond to a wall never flips
        n = chain.n_bonds
        index = np.arange(first, first + (n if chain.periodic else chain.n - 1))[:, None]
    else:
        n = chain.n
        index = (np.arange(n if chain.periodic else n - size + 1)[:, None] + np.arange(size)) % n
    if noise.rate == 0:
        return None
    strength = noise.rate / action.parts
    if strength == 0:
        raise ValueError(f"noise = {shown(noise)}; allowed: a rate of 0, or one that floats can divide")
    return Groups(n, index, action.mean, action.kick, action.weight, strength, action.on_stretches)


def closed_groups(chain: Chain, noise: Noise | None) -> Groups | None:
    """The groups of a noise on a chain whose moments close with it.

    Raises
    ------
    ValueError
        If the chain is none or anharmonic, or the noise does not fit it.
    """
    instance("chain", chain, Chain, "a Chain")
    if not chain.is_harmonic:
        raise ValueError("chain is anharmonic; allowed: bonds and pins with chi alone")
    acting = groups(chain, noise)
    walls = 2 if chain.periodic else chain.ends.count("fixed")
    free = walls < 2 and not np.any(chain.pin.chi) and np.all(np.asarray(chain.bond.chi) > 0)
    if acting is not None and acting.on_stretches and not free:
        raise ValueError(
            "noise flips the stretches, which are not free coordinates; allowed: a chain with no pin, "
            "at most one wall and every bond's chi above 0"
        )
    return acting


def bond_sites(chain: Chain) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The sites to the left and to the right of each bond, -1 for a wall."""
    right = np.arange(chain.n_bonds) + int(chain.ends[0] != "fixed")
    left = right - 1
    right = right % chain.n if chain.periodic else np.where(right < chain.n, right, -1)
    return left, right


def energy_current(chain: Chain, power: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean energy current of the springs from the means of r_b p_i, (n_bonds, n); none through a wall."""
    left, right = bond_sites(chain)
    bond = np.flatnonzero((left >= 0) & (right >= 0))
    current = np.zeros(chain.n_bonds)
    chi = np.broadcast_to(chain.bond.chi, chain.n_bonds)[bond]
    current[bond] = -0.5 * chi * (power[bond, left[bond]] + power[bond, right[bond]])
    return current


def noise_current(
    chain: Chain, acting: Groups | None, pp: NDArray[np.float64], p: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The energy current of a noise through each bond, from covariances and means of the momenta."""
    current = np.zeros(chain.n_bonds)
    if acting is None or acting.on_stretches:
        return current
    blocks, means = acting.local(pp), p[acting.index]
    change = acting.mean @ blocks + blocks @ acting.mean.T
    change += acting.weight * acting.kick @ blocks @ acting.kick.T
    # the means by differences, which vanish where all move alike
    gain = 0.5 * np.diagonal(change, axis1=1, axis2=2) + means * (means @ acting.mean.T)
    gain += 0.5 * acting.weight * (means @ acting.kick.T) ** 2
    first = int(chain.ends[0] == "fixed")
    np.add.at(current, first + acting.index[:, :-1], -acting.strength * np.cumsum(gain, axis=1)[:, :-1])
    return current


@dataclass(frozen=True, eq=False)
class Process:
    r"""The linear process :math:`ds = Bp\,dt`, :math:`dp = (-Fs - \Gamma p + f)\,dt`, baths and one noise.

    Attributes
    ----------
    spread, pull : (w, n) and (n, w) array
        B and F; s are w coordinates of the positions, in units of momentum.
    friction, force, diffusion : (n,) array
        The diagonal of Γ, f and the strength of the white noise of the baths.
    noise : Groups or None
        Acts on s if they are the stretches, else on p.
    """

    spread: NDArray[np.float64]
    pull: NDArray[np.float64]
    friction: NDArray[np.float64]
    force: NDArray[np.float64]
    diffusion: NDArray[np.float64]
    noise: Groups | None

    @property
    def on_stretches(self) -> bool:
        """Whether the noise acts on s."""
        return self.noise is not None and self.noise.on_stretches

    def damping(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The linear drift of s by itself, (w, w), and of p by itself, (n, n)."""
        w = len(self.spread)
        own_s, own_p = np.zeros((w, w)), -np.diag(self.friction)
        if self.noise is not None:
            m = self.noise.matrix()
            if self.on_stretches:
                own_s[: self.noise.n, : self.noise.n] += m
            else:
                own_p += m
        return own_s, own_p


def process_of(
    chain: Chain, acting: Groups | None, vectors: NDArray[np.float64]
) -> tuple[Process, NDArray[np.float64], NDArray[np.float64]]:
    """The process of a chain, and the matrices that take q to its coordinates s, and back."""
    friction, force, temperature = vectors
    n, stiffness = chain.n, chain.stiffness_matrix()
    to_s = np.eye(n)
    if acting is not None and acting.on_stretches:
        gradient = chain.stretches(np.eye(n)).T
        # the stretches, and without a wall the place of the first site, which no flip moves
        to_s = np.concatenate([gradient, to_s[: n - chain.n_bonds]])
    # a frequency turns positions into momenta: then all entries of the drift are rates
    unit = math.sqrt(np.linalg.norm(stiffness, 2)) or 1.0
    to_s = unit * to_s
    to_q = np.linalg.inv(to_s)
    heat = 2 * friction * temperature
    return Process(to_s, stiffness @ to_q, friction, force, heat, acting), to_s, to_q


@dataclass
class Blocks:
    """Means of s and p, and the covariances ss, sp and pp."""

    s: NDArray[np.float64]
    p: NDArray[np.float64]
    ss: NDArray[np.float64]
    sp: NDArray[np.float64]
    pp: NDArray[np.float64]

    def size(self) -> NDArray[np.float64]:
        """The largest mean and the largest covariance, (2,)."""
        largest = np.array([np.abs(part).max() for part in self.parts()])
        return np.array([largest[:2].max(), largest[2:].max()])

    def parts(self) -> tuple[NDArray[np.float64], ...]:
        """All of them."""
        return self.s, self.p, self.ss, self.sp, self.pp


def pace(process: Process) -> float:
    """Steps of the series a unit of time: a bound of the norm of the equations for the covariance, over 6.

    Longer steps would lose digits in terms that grow before they fall; shorter ones cost more.
    """
    with np.errstate(over="ignore"):  # an infinite number of steps is refused like any that is too large
        bound = (
            np.linalg.norm(process.spread, 2) + np.linalg.norm(process.pull, 2) + 2 * process.friction.max()
        )
        noise = process.noise
        if noise is not None:
            kicks = noise.weight * np.linalg.norm(noise.kick, 2) ** 2
            bound += noise.index.shape[1] * noise.strength * (2 * np.linalg.norm(noise.mean, 2) + kicks)
    return float(bound) / 6


def series(process: Process, start: Blocks, duration: float, steps: int) -> Blocks:
    r"""Means and covariances a time later, by the Taylor series of the exact solution.

    The equations are linear but for the source :math:`R(mm^\top)`, whose Taylor coefficients are
    convolutions of those of the mean; the covariance is never a difference of large moments.
    A step is short enough for the series to lose no digits, and its terms run until they fall
    below round-off: the error is round-off, about 1e-15 a step.

    Raises
    ------
    FloatingPointError
        If they grow beyond the floats.
    """
    own_s, own_p = (scipy.sparse.csr_array(m) for m in process.damping())
    spread, pull = scipy.sparse.csr_array(process.spread), scipy.sparse.csr_array(process.pull)
    diffusion, noise = np.diag(process.diffusion), process.noise
    h = duration / steps

    def rate(x: Blocks, square: NDArray[np.float64] | float, order: int) -> Blocks:
        """The derivative of one Taylor coefficient; `square` holds the blocks of that of mmᵀ."""
        ss = spread @ x.sp.T + own_s @ x.ss
        pp = own_p @ x.pp - pull @ x.sp
        ss, pp = ss + ss.T, pp + pp.T
        if order == 0:
            pp = pp + diffusion
        if noise is not None and process.on_stretches:
            ss[: noise.n, : noise.n] += noise.source(noise.local(x.ss) + square)
        elif noise is not None:
            pp += noise.source(noise.local(x.pp) + square)
        return Blocks(
            s=spread @ x.p + own_s @ x.s,
            p=own_p @ x.p - pull @ x.s + (process.force if order == 0 else 0.0),
            ss=ss,
            sp=spread @ x.pp - (pull @ x.ss).T + own_s @ x.sp + (own_p @ x.sp.T).T,
            pp=pp,
        )

    now = start
    for _ in range(steps):
        term, total = now, now
        local = []
        quiet = 0
        for order in range(TERMS):
            square = 0.0
            if noise is not None:
                local.append((term.s if process.on_stretches else term.p)[noise.index])
                near = np.array(local)
                square = np.einsum("jga,jgb->gab", near, near[::-1])
            factor = h / (order + 1)
            term = Blocks(*(factor * part for part in rate(term, square, order).parts()))
            total = Blocks(*(a + b for a, b in zip(total.parts(), term.parts(), strict=True)))
            size = term.size()
            if not np.isfinite(size).all():
                raise FloatingPointError("a term is not finite")
            small = bool((size <= 1e-17 * total.size()).all())
            quiet = quiet + 1 if small else 0
            if quiet == 2:  # the mean feeds the covariance one term later
                break
        else:
            raise RuntimeError(f"a Taylor series has not ended after {TERMS} terms")
        # round-off that is not symmetric would grow: the equations above only damp what is
        now = replace(total, ss=0.5 * (total.ss + total.ss.T), pp=0.5 * (total.pp + total.pp.T))
    return now
