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

from ..model import Chain, Noise, StretchFlip, ThreeSiteRotation, VelocityExchange, VelocityFlip

__all__ = ["Blocks", "Groups", "Process", "groups", "series"]

TERMS = 120

_FLIP = np.array([[-2.0]])
_EXCHANGE = np.array([[-1.0, 1.0], [1.0, -1.0]])
_TURN = np.array([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
# integers: mean, kick, weight of the square of the kick, and what the rate is divided by
_ACTIONS = {
    VelocityFlip: (_FLIP, _FLIP, 1, 1),
    StretchFlip: (_FLIP, _FLIP, 1, 1),
    VelocityExchange: (_EXCHANGE, _EXCHANGE, 1, 1),
    ThreeSiteRotation: (_TURN @ _TURN, _TURN, 2, 6),
}


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
    """

    n: int
    index: NDArray[np.int64]
    mean: NDArray[np.float64]
    kick: NDArray[np.float64]
    weight: int
    strength: float

    def whole(self) -> NDArray[np.float64]:
        """The integers of M, (n, n)."""
        return self.scatter(np.broadcast_to(self.mean, (len(self.index), *self.mean.shape)))

    def matrix(self) -> NDArray[np.float64]:
        """The action M on the mean, (n, n)."""
        return self.strength * self.whole()

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
        If `noise` is something else, or the chain is too short for it.
    """
    if noise is None:
        return None
    if type(noise) not in _ACTIONS:
        raise ValueError(f"noise = {noise!r}; allowed: None or {', '.join(t.__name__ for t in _ACTIONS)}")
    mean, kick, weight, parts = _ACTIONS[type(noise)]
    size = len(mean)
    if size > chain.n:
        raise ValueError(f"n = {chain.n} with {type(noise).__name__}; allowed: at least {size}")
    if isinstance(noise, StretchFlip):
        first = int(chain.ends[0] == "fixed")  # a bond to a wall never flips
        n = chain.n_bonds
        index = np.arange(first, first + (n if chain.periodic else chain.n - 1))[:, None]
    else:
        n = chain.n
        index = (np.arange(n if chain.periodic else n - size + 1)[:, None] + np.arange(size)) % n
    if noise.rate == 0:
        return None
    return Groups(n, index, mean, kick, weight, noise.rate / parts)


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
        Acts on s if `on_stretches`, else on p.
    """

    spread: NDArray[np.float64]
    pull: NDArray[np.float64]
    friction: NDArray[np.float64]
    force: NDArray[np.float64]
    diffusion: NDArray[np.float64]
    noise: Groups | None
    on_stretches: bool

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

    def drift(self) -> NDArray[np.float64]:
        """The drift (w + n, w + n) of the means."""
        own_s, own_p = self.damping()
        return np.block([[own_s, self.spread], [-self.pull, own_p]])


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
        return np.array([max(np.abs(a).max() for a in some) for some in (self.parts()[:2], self.parts()[2:])])

    def parts(self) -> tuple[NDArray[np.float64], ...]:
        """All of them."""
        return self.s, self.p, self.ss, self.sp, self.pp


def series(process: Process, start: Blocks, duration: float) -> Blocks:
    r"""Means and covariances a time later, by the Taylor series of the exact solution.

    The equations are linear but for the source :math:`R(mm^\top)`, whose Taylor coefficients are
    convolutions of those of the mean; the covariance is never a difference of large moments.
    A step is short enough for the series to lose no digits, and its terms run until they fall
    below round-off: the error is round-off, about 1e-15 a step.
    """
    own_s, own_p = (scipy.sparse.csr_array(m) for m in process.damping())
    spread, pull = scipy.sparse.csr_array(process.spread), scipy.sparse.csr_array(process.pull)
    diffusion, noise = np.diag(process.diffusion), process.noise
    # a bound of the norm of the whole operator on covariances
    bound = np.linalg.norm(process.spread, 2) + np.linalg.norm(process.pull, 2) + 2 * process.friction.max()
    if noise is not None:
        bound += noise.index.shape[1] * (
            2 * noise.strength * np.linalg.norm(noise.mean, 2)
            + noise.strength * noise.weight * np.linalg.norm(noise.kick, 2) ** 2
        )
    steps = max(1, math.ceil(duration * bound / 6))
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
            small = bool((term.size() <= 1e-17 * total.size()).all())
            quiet = quiet + 1 if small else 0
            if quiet == 2:
                break
        # round-off that is not symmetric would grow: the equations above only damp what is
        now = replace(total, ss=0.5 * (total.ss + total.ss.T), pp=0.5 * (total.pp + total.pp.T))
    return now
