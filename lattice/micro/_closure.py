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
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, gmres

from ..model import Chain, Noise, StretchFlip, ThreeSiteRotation, VelocityExchange, VelocityFlip

__all__ = ["Groups", "Process", "groups", "series", "stationary_covariance"]

RESIDUAL = 1e-10  # the largest one accepted, relative to the sources
TERMS = 120

_FLIP = np.array([[-2.0]])
_EXCHANGE = np.array([[-1.0, 1.0], [1.0, -1.0]])
_TURN = np.array([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
# (mean, kick) at rate 1
_ACTIONS = {
    VelocityFlip: (_FLIP, _FLIP),
    StretchFlip: (_FLIP, _FLIP),
    VelocityExchange: (_EXCHANGE, _EXCHANGE),
    ThreeSiteRotation: (_TURN @ _TURN / 6, _TURN / math.sqrt(3)),
}


@dataclass(frozen=True, eq=False)
class Groups:
    """A noise on n coordinates: the momenta, or the stretches.

    Attributes
    ----------
    n : int
        Number of coordinates.
    index : (groups, g) array
        The coordinates of each group.
    mean, kick : (g, g) array
        The matrices m and k of the module's formula, the latter with the square root of the rate.
    """

    n: int
    index: NDArray[np.int64]
    mean: NDArray[np.float64]
    kick: NDArray[np.float64]

    def matrix(self) -> NDArray[np.float64]:
        """The action M on the mean, (n, n)."""
        return self.scatter(np.broadcast_to(self.mean, (len(self.index), *self.mean.shape)))

    def local(self, second: NDArray[np.float64]) -> NDArray[np.float64]:
        """The blocks, (groups, g, g), of a matrix (n, n)."""
        return second[self.index[:, :, None], self.index[:, None, :]]

    def scatter(self, blocks: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum, (n, n), of blocks (groups, g, g)."""
        total = np.zeros((self.n, self.n))
        np.add.at(total, (self.index[:, :, None], self.index[:, None, :]), blocks)
        return total

    def source(self, blocks: NDArray[np.float64]) -> NDArray[np.float64]:
        """R(S), (n, n), from the blocks of S."""
        return self.scatter(self.kick @ blocks @ self.kick.T)

    def band(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the entries, one of each mirrored pair, that `source` fills."""
        pairs = {(min(a, b), max(a, b)) for group in self.index.tolist() for a in group for b in group}
        rows, columns = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T
        return rows, columns


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
    mean, kick = _ACTIONS[type(noise)]
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
    return Groups(n, index, noise.rate * mean, math.sqrt(noise.rate) * kick)


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


def _doubling(drift: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    r"""A solver of :math:`AC + CA^\top + D = 0` for one stable A and many D.

    Smith's method: with the Cayley transform :math:`S = (\mu - A)^{-1}(\mu + A)`, whose spectrum lies
    inside the unit circle, :math:`C = \sum_k S^k C_0 S^{k\top}`, summed by doubling.  It needs no
    eigenvectors, which a critically damped mode does not have, and only products of matrices.
    """
    unit = np.eye(len(drift))
    shift = float(np.median(np.abs(np.linalg.eigvals(drift))))
    inverse = np.linalg.inv(shift * unit - drift)
    powers = [inverse @ (drift + shift * unit)]
    while np.linalg.norm(powers[-1]) > 1e-9:
        if len(powers) == 64 or not np.isfinite(powers[-1]).all():
            raise RuntimeError(
                "the damping of some mode is lost in round-off; allowed: baths and noise that damp all modes"
            )
        powers.append(powers[-1] @ powers[-1])

    def solve(diffusion: NDArray[np.float64]) -> NDArray[np.float64]:
        total = 2 * shift * inverse @ diffusion @ inverse.T
        for power in powers:
            total = total + power @ total @ power.T
        return total

    return solve


def stationary_covariance(
    process: Process, drift: NDArray[np.float64], mean: NDArray[np.float64], laplacian: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    r"""The centred covariance :math:`AC + CA^\top + D + R(C + mm^\top) = 0` and its relative residual.

    With :math:`\mathcal{K}` the solution operator of the Lyapunov equation, the unknown is only
    the source :math:`v = R(\mathcal{K}(D + v) + mm^\top)`, a few numbers a site; GMRES finds it.
    Alone it would need as many steps as there are sites, for heat diffuses: what is slow is
    a smooth temperature profile.  The preconditioner treats those as heat conduction, with `laplacian`
    (n, n) and absorbing bath sites.

    Raises
    ------
    RuntimeError
        If the residual is above 1e-10 of the sources.
    """
    noise, w = process.noise, process.spread.shape[0]
    size = len(drift)
    diffusion = np.zeros((size, size))
    diffusion[w:, w:] = np.diag(process.diffusion)
    if noise is None:
        covariance = scipy.linalg.solve_continuous_lyapunov(drift, -diffusion)
        return covariance, 0.0
    start = 0 if process.on_stretches else w
    block = slice(start, start + noise.n)
    solve = _doubling(drift)
    rows, columns = noise.band()

    def sources(band: NDArray[np.float64]) -> NDArray[np.float64]:
        full = np.zeros((size, size))
        full[start + rows, start + columns] = band
        full[start + columns, start + rows] = band
        return full

    def emitted(second: NDArray[np.float64]) -> NDArray[np.float64]:
        return noise.source(noise.local(second))[rows, columns]

    def defect(band: NDArray[np.float64]) -> NDArray[np.float64]:
        return band - emitted(solve(sources(band))[block, block])

    known = emitted(solve(diffusion)[block, block] + np.outer(mean[block], mean[block]))
    absorbing = process.friction > 0
    profile = np.zeros(len(laplacian))
    inner = ~absorbing
    if inner.any():
        profile[inner] = np.linalg.solve(laplacian[np.ix_(inner, inner)], np.ones(inner.sum()))
    warm = np.stack([emitted(np.diag(row)) for row in np.eye(len(laplacian), noise.n)], axis=1)
    scale = np.square(warm.sum(axis=1)).mean()
    conduction = 0.0
    if inner.any():
        conduction = (warm @ profile) @ defect(warm @ profile) / (scale * profile @ laplacian @ profile)
    # heat that arrives at a bath is absorbed; the tiny number only keeps the matrix regular
    smooth = np.linalg.inv(max(conduction, 0.0) * laplacian + np.diag(np.where(absorbing, 1.0, 1e-12)))
    shape = (rows.size, rows.size)
    band, _ = gmres(
        LinearOperator(shape, matvec=defect, dtype=np.float64),
        known,
        rtol=1e-13,
        restart=min(rows.size, 200),
        maxiter=3,
        M=LinearOperator(
            shape, matvec=lambda v: v + warm @ (smooth @ (warm.T @ v)) / scale, dtype=np.float64
        ),
    )
    every = diffusion + sources(band)
    covariance = solve(every)
    error = drift @ covariance
    error = error + error.T + diffusion
    second = covariance[block, block] + np.outer(mean[block], mean[block])
    error[block, block] += noise.source(noise.local(second))
    residual = float(np.abs(error).max() / max(np.abs(every).max(), np.finfo(float).tiny))
    if not residual < RESIDUAL:
        raise RuntimeError(f"the stationary equations hold to {residual:.1e} only; allowed: {RESIDUAL:.0e}")
    return covariance, residual


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
            2 * np.linalg.norm(noise.mean, 2) + np.linalg.norm(noise.kick, 2) ** 2
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
