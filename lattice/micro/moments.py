r"""Exact means and second moments of harmonic chains: no sampling, no time step.

A harmonic chain with Langevin baths and one of the noises of :mod:`lattice.noise` has linear forces,
and the noise maps quadratic functions to quadratic ones: means and covariances obey closed linear
equations.  Without noise the state is Gaussian; with noise it is not, but its second moments are exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

from .._check import brief, finite, instance, reals, shown, work
from .._check import times as checked_times
from ..chain import Chain
from ..modes import normal_modes
from ..noise import Langevin, Noise, bath_sites, listed
from ._closure import closed_groups, energy_current, groups, noise_current
from ._motion import Motion, advanced
from ._stationary import check_rates, excess, heat_is_trapped, is_damped, loose_pieces, resting

MOST_SITES = 512  # of a stationary state
LARGEST_ERROR = 1e-8
LEAST = 1e-8  # temperature × the fastest rate: errors of smaller currents are relative to this
MOST_STEPS = 1e5  # of an evolution
MOST_ENTRIES = 1e9  # of the matrices of all its steps

__all__ = ["Moments", "StationaryMoments", "evolve", "stationary"]


@dataclass(frozen=True, eq=False)
class Moments:
    r"""Means and centred covariances of displacements and momenta.

    Parameters
    ----------
    chain : Chain
        What they belong to.
    mean_q, mean_p : (n,) array
        Mean displacements and momenta.
    qq, qp, pp : (n, n) array
        Covariances; ``qp[i, j]`` is that of :math:`q_i` and :math:`p_j`.
    baths : tuple of Langevin
        Its baths.
    noise : noise or None
        What disturbs it.

    Raises
    ------
    ValueError
        If the chain is anharmonic, an array has the wrong shape or an entry that is not finite, `qq` or `pp`
        is not symmetric, or a bath or the noise does not fit the chain; a property also if it is beyond
        the floats.
    """

    chain: Chain
    mean_q: NDArray[np.float64]
    mean_p: NDArray[np.float64]
    qq: NDArray[np.float64]
    qp: NDArray[np.float64]
    pp: NDArray[np.float64]
    baths: tuple[Langevin, ...] = ()
    noise: Noise | None = None
    __repr__ = brief

    def __post_init__(self) -> None:
        groups(instance("chain", self.chain, Chain, "a Chain"), self.noise)
        if not self.chain.is_harmonic:
            raise ValueError("chain is anharmonic; allowed: bonds and pins with chi alone")
        object.__setattr__(self, "baths", listed(self.baths))
        bath_sites(self.chain, self.baths)
        n = self.chain.n
        for name in ("mean_q", "mean_p", "qq", "qp", "pp"):
            array = np.array(reals(name, getattr(self, name)))
            shape = (n,) if name.startswith("mean") else (n, n)
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}; allowed: {shape}")
            half = array / 2  # the difference of two entries may be beyond the floats
            if name in ("qq", "pp") and np.abs(half - half.T).max() > 1e-8 * np.abs(half).max():
                raise ValueError(f"{name} is not symmetric; allowed: a covariance")
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def temperatures(self) -> NDArray[np.float64]:
        r"""Kinetic temperatures :math:`T_i = \langle p_i^2\rangle - \langle p_i\rangle^2`, shape (n,)."""
        return np.diag(self.pp).copy()

    @property
    @finite
    def energy_currents(self) -> NDArray[np.float64]:
        r"""Mean energy current :math:`-\frac12\langle(p_j + p_{j+1}) V'(r_j)\rangle` per bond, (n_bonds,).

        Positive to the right; nothing flows through a wall.  What the noise itself carries is
        in `noise_currents`; the heat current is the sum of both.
        """
        chain = self.chain
        rp = chain.stretches(self.qp.T).T
        return energy_current(chain, rp + np.outer(chain.stretches(self.mean_q), self.mean_p))

    @property
    @finite
    def noise_currents(self) -> NDArray[np.float64]:
        r"""Mean energy current that the noise carries through each bond, (n_bonds,), positive to the right.

        An exchange takes :math:`\frac12(p_j^2 - p_{j+1}^2)` from site j to j + 1; a rotation changes the
        kinetic energies of its three sites at rates whose sum is 0, and what is lost on one side of a
        bond goes through it.  Flips carry nothing.
        """
        return noise_current(self.chain, groups(self.chain, self.noise), self.pp, self.mean_p)

    @property
    @finite
    def bath_powers(self) -> NDArray[np.float64]:
        r"""Mean power :math:`\gamma(T - \langle p^2\rangle) + f\langle p\rangle` of each bath, (baths,)."""
        square = self.temperatures + self.mean_p**2
        return np.array(
            [
                bath.friction * (bath.temperature - square[bath.site]) + bath.force * self.mean_p[bath.site]
                for bath in self.baths
            ]
        )


@dataclass(frozen=True, eq=False)
class StationaryMoments(Moments):
    r"""Means and centred covariances in the stationary state.

    Attributes
    ----------
    chain, mean_q, mean_p, qq, qp, pp, baths, noise
        As in :class:`Moments`.
    residual : float
        An estimate of the relative error of temperatures and currents: the last correction of the
        refinement, relative to the largest of what they have above the Gibbs state; at most 1e-8.
        0 if all baths have one temperature.

    Notes
    -----
    A chain with neither pin nor wall has no stationary position: there, q is the displacement from the
    centre of mass.  `noise_currents` and `bath_powers`, which are what flows away from the sites of the
    baths, keep digits that small differences of the moments have lost.
    """

    residual: float = 0.0
    _noise_currents: NDArray[np.float64] | None = field(default=None, repr=False)
    __repr__ = brief

    @property
    def noise_currents(self) -> NDArray[np.float64]:
        return super().noise_currents if self._noise_currents is None else self._noise_currents.copy()

    @property
    @finite
    def bath_powers(self) -> NDArray[np.float64]:
        """Mean power of each bath, (baths,)."""
        flowing = np.diff(self.chain.slots(self.energy_currents + self.noise_currents))
        return flowing[bath_sites(self.chain, self.baths)]


def stationary(chain: Chain, baths: Sequence[Langevin], noise: Noise | None = None) -> StationaryMoments:
    r"""The stationary means and covariances of a harmonic chain with Langevin baths, and with a noise.

    With :math:`x = (q, p)` the mean solves :math:`Am + f = 0` and the covariance
    :math:`AC + CA^\top + D + R(C + mm^\top) = 0`, where A holds what the noise does to means, and R the
    rest.  The unknown is what C has above the Gibbs state at a temperature between those of the baths:
    baths of one temperature give that state exactly.  Entry by entry this is a sparse linear system.  The
    relative error of temperature differences and of currents is below 1e-9 for chains of up to 256 sites,
    frictions and rates from 1e-3 to 1e3 and bath temperatures that differ by 1e-3 of them.  The work grows
    as :math:`n^3`, the memory as :math:`n^2`: 256 sites take 4 s and 0.5 GB with flips, four times as much
    with rotations.

    Parameters
    ----------
    chain : Chain
        Harmonic; any boundary, coefficients may depend on the place.
    baths : sequence of Langevin
        At different sites.
    noise : VelocityFlip, StretchFlip, VelocityExchange, ThreeSiteRotation or None
        Stretches flip only where they are free coordinates: no pin, no ring, at most one wall.

    Returns
    -------
    StationaryMoments
        With an estimate of its error.

    Raises
    ------
    ValueError
        If the chain is anharmonic or unstable, has more than 512 sites or a mode softer than 10⁻⁶ of
        the stiffest, a bath's site does not exist or is taken, the noise does not fit the chain,
        something is not damped, so that no unique stationary state exists, two rates differ by more
        than a factor of 10⁷, or the moments are beyond the floats.
    RuntimeError
        If rounding errors hide the state: their estimate is above 1e-8, the baths do not give what
        flows, or a site is colder than all baths, or hotter though no force acts.
    """
    acting = closed_groups(chain, noise)
    baths, sites = listed(baths), bath_sites(chain, baths)
    work("chain", chain, chain.n, MOST_SITES)
    modes, loose = normal_modes(chain), loose_pieces(chain, acting)
    check_rates(chain, baths, acting, modes.frequencies, len(loose))
    if acting is not None and heat_is_trapped(chain, baths, acting):
        raise ValueError(
            f"baths at sites {sites} leave a part of the chain without a bath, and the noise keeps "
            "its energy; allowed: a friction above 0 in every part"
        )
    motion = Motion.of(chain, baths, acting)
    if acting is None and not is_damped(motion, len(loose)):
        raise ValueError(
            f"baths at sites {sites} leave a mode undamped, or nearly so that rounding hides it; "
            "allowed: baths that damp every mode, by a friction above 0 at a site where it moves"
        )
    n, wave, damped = chain.n, modes.frequencies > 0, motion.friction > 0
    still, gibbs = modes.shapes[~wave], modes.shapes[wave] / modes.frequencies[wave, None]
    centred = motion.to_q - still.T @ (still @ motion.to_q)
    T = motion.temperature[damped]
    # as much heat would come in as go out if the chain were one body at this temperature
    base = T[0] + np.average(T - T[0], weights=motion.friction[damped])
    try:
        with np.errstate(over="raise", invalid="raise"):
            mean = resting(motion, loose)
            source = motion.heat(base)
            source[motion.acted, motion.acted] += motion.kicked(
                np.outer(mean, mean)[motion.acted, motion.acted]
            )
            found, correction = excess(motion, loose, source)
            q, p = centred @ mean[:n], mean[n:]
            qq = base * (gibbs.T @ gibbs) + centred @ found[:n, :n] @ centred.T
            qp, pp = centred @ found[:n, n:], base * np.eye(n) + found[n:, n:]
            error = _error(chain, motion, found, correction, np.abs(T - base).max())
    except FloatingPointError as failure:
        raise ValueError(
            f"baths = {shown(baths)}: the moments are beyond the floats; allowed: smaller numbers"
        ) from failure
    carried = noise_current(chain, acting, found[n:, n:], p)
    moments = StationaryMoments(
        chain, q, p, qq, qp, pp, baths=baths, noise=noise, residual=error, _noise_currents=carried
    )
    _verify(moments, motion)
    return moments


def _error(
    chain: Chain, motion: Motion, excess: NDArray[np.float64], correction: NDArray[np.float64], spread: float
) -> float:
    """The relative size of a correction to temperatures, which differ by `spread`, and to currents."""
    n = chain.n

    def largest(x: NDArray[np.float64]) -> tuple[float, float]:
        rp = chain.stretches((motion.to_q @ x[:n, n:]).T).T
        return np.abs(np.diag(x[n:, n:])).max(), np.abs(energy_current(chain, rp)).max()

    (hot, flowing), (hot_by, flowing_by) = largest(excess), largest(correction)
    hot = max(hot, spread) or 1.0
    return float(max(hot_by / hot, flowing_by / max(flowing, LEAST * hot * abs(motion.drift).max())))


def _verify(moments: StationaryMoments, motion: Motion) -> None:
    """Refuse what breaks a law of every stationary state: a guard, no part of the solution.

    At each site what the bath gives is what flows away, by the springs and by the noise; and without
    forces no site is hotter than the hottest bath, or colder than the coldest.

    Raises
    ------
    RuntimeError
        If it does, or if the estimate of the error is too large.
    """
    T, work_done = moments.temperatures, motion.force * moments.mean_p
    given = motion.friction * (motion.temperature - T - moments.mean_p**2) + work_done
    flowing = np.diff(moments.chain.slots(moments.energy_currents + moments.noise_currents))
    missing, size = np.abs(flowing - given).max(), np.abs(flowing).max()
    baths = motion.temperature[motion.friction > 0]
    # what is given is a difference of larger powers, and friction is added to faster rates
    rounding = 1e-14 * abs(motion.drift).max() * baths.max() + 1e-12 * np.abs(work_done).max()
    margin = LARGEST_ERROR * np.ptp(baths) + 1e-14 * baths.max()
    cold = T.min() < baths.min() - margin
    hot = T.max() > baths.max() + margin and not motion.force.any()
    if not moments.residual <= LARGEST_ERROR or not missing <= 1e-6 * size + rounding or cold or hot:
        raise RuntimeError(
            f"the stationary state is lost in rounding errors: they are about {moments.residual:.1e}; "
            f"of the power {size:.1e} {missing:.1e} is missing, and temperatures are from {T.min():.3g} "
            f"to {T.max():.3g}"
        )


def evolve(
    chain: Chain,
    start: Moments,
    times: ArrayLike,
    baths: Sequence[Langevin] = (),
    noise: Noise | None = None,
) -> tuple[Moments, ...]:
    r"""The means and covariances of a harmonic chain at chosen times.

    The closed equations :math:`\dot m = Am + f`, :math:`\dot C = AC + CA^\top + D + R(C + mm^\top)`
    (`stationary` describes them) are solved by their Taylor series in steps of about
    :math:`1/\omega_{\max}`, with all terms above round-off: the relative error is about 1e-14 a step.
    A step costs of order :math:`n^2`.

    Parameters
    ----------
    chain : Chain
        Harmonic; rings too.
    start : Moments
        At time 0; its baths and its noise do not matter.
    times : (times,) array
        Ascending, not negative.
    baths, noise
        As in `stationary`; neither is needed.

    Returns
    -------
    tuple of Moments
        One for each of the times.

    Raises
    ------
    ValueError
        If the chain is anharmonic, the times do not ascend or need more than 10⁵ steps (a step is about
        a time of the fastest oscillation, friction or noise; fewer are allowed above 100 sites), `start`
        has another number of sites, a bath's site does not exist or is taken, the noise does not fit the
        chain, or the moments grow beyond the floats.

    Notes
    -----
    A flipped stretch moves the sites to its right, or those to its left if the right end is fixed.
    """
    acting = closed_groups(chain, noise)
    baths, n = listed(baths), chain.n
    bath_sites(chain, baths)
    if instance("start", start, Moments, "Moments").chain.n != n:
        raise ValueError(f"start has {start.chain.n} sites; allowed: {n}")
    times = checked_times(times)
    try:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            motion, run = Motion.of(chain, baths, acting), []
            steps = times.size + times[-1] * motion.pace
            work("times", times, steps, min(MOST_STEPS, MOST_ENTRIES / n**2))
            to_x, to_qp = (scipy.linalg.block_diag(half, np.eye(n)) for half in (motion.to_s, motion.to_q))
            mean = to_x @ np.concatenate([start.mean_q, start.mean_p])
            covariance = to_x @ np.block([[start.qq, start.qp], [start.qp.T, start.pp]]) @ to_x.T
            for duration in np.diff(times, prepend=0.0):
                steps = max(1, math.ceil(duration * motion.pace))
                mean, covariance = advanced(motion, mean, covariance, float(duration), steps)
                m, C = to_qp @ mean, to_qp @ covariance @ to_qp.T
                blocks = C[:n, :n], C[:n, n:], C[n:, n:]
                run.append(Moments(chain, m[:n], m[n:], *blocks, baths=baths, noise=noise))
    except FloatingPointError as error:
        raise ValueError(
            "start, times: the moments are beyond the floats; allowed: smaller numbers"
        ) from error
    return tuple(run)
