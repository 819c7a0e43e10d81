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
from numpy.typing import ArrayLike, NDArray

from .._check import brief, finite, instance, reals, shown, work
from .._check import times as checked_times
from ..chain import Chain
from ..modes import normal_modes
from ..noise import Langevin, Noise, bath_sites
from ._closure import Blocks, closed_groups, energy_current, groups, noise_current, pace, process_of, series
from ._linear import Unsolved
from ._motion import Motion, heat_is_trapped
from ._stationary import Undamped, settle, verify

# entries of the factors of the stationary equations over n² log n, by the sites that a noise acts on at once
FILL = (20, 50, 135)
MOST_FILLED = 5e8  # 7 GB
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
        object.__setattr__(self, "baths", _bath_vectors(self.chain, self.baths)[0])
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
        The relative error of what the covariance has above the Gibbs state, as the last corrections of
        the refinement tell it; rounding comes on top.  0 if all baths have one temperature.

    Notes
    -----
    A chain with neither pin nor wall has no stationary position: there, q is the displacement from the
    centre of mass.  The currents and `bath_powers` have more digits than the moments, in which a current
    far below friction × temperature or rate × temperature is lost.
    """

    residual: float = 0.0
    _flows: tuple[NDArray[np.float64], ...] | None = field(default=None, repr=False)
    __repr__ = brief

    @property
    def energy_currents(self) -> NDArray[np.float64]:
        return super().energy_currents if self._flows is None else self._flows[0].copy()

    @property
    def noise_currents(self) -> NDArray[np.float64]:
        return super().noise_currents if self._flows is None else self._flows[1].copy()

    @property
    def bath_powers(self) -> NDArray[np.float64]:
        return super().bath_powers if self._flows is None else self._flows[2].copy()


def _bath_vectors(
    chain: Chain, baths: Sequence[Langevin]
) -> tuple[tuple[Langevin, ...], list[int], NDArray[np.float64]]:
    """The baths, their sites, and friction, force and temperature of every site, (3, n)."""
    try:
        baths = tuple(baths)
    except TypeError:
        raise ValueError(f"baths = {shown(baths)}; allowed: a sequence of Langevin baths") from None
    sites = bath_sites(chain, baths)
    vectors = np.zeros((3, chain.n))
    for site, bath in zip(sites, baths, strict=True):
        vectors[:, site] = bath.friction, bath.force, bath.temperature
    return baths, sites, vectors


def stationary(chain: Chain, baths: Sequence[Langevin], noise: Noise | None = None) -> StationaryMoments:
    r"""The stationary means and covariances of a harmonic chain with Langevin baths, and with a noise.

    With :math:`x = (q, p)` the mean solves :math:`Am + f = 0` and the covariance
    :math:`AC + CA^\top + D + R(C + mm^\top) = 0`, where A holds what the noise does to means, and R the
    rest.  The unknown is what C has above the Gibbs state at a temperature between those of the baths:
    baths of one temperature give that state exactly.  Site by site this is a sparse linear system; it
    is factorised, and refined with defects in twice the usual precision.  The work grows as
    :math:`n^3`, the memory as :math:`n^2`: about 5 s and 1 GB for 512 sites with flips.

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
        With the relative error that the refinement leaves.

    Raises
    ------
    ValueError
        If the chain is anharmonic or unstable, a bath's site does not exist or is taken, the noise
        does not fit the chain, something is not damped, so that no unique stationary state exists, the
        rates differ by more than 10⁵⁰, the moments are beyond the floats, or the factors do not fit
        into 7 GB.
    RuntimeError
        If rounding errors hide the state: the refinement does not reach a relative error of 1e-16 in
        what C has above the Gibbs state, the baths do not give what flows, or a site is colder than
        all baths, or hotter though no force acts.
    """
    acting = closed_groups(chain, noise)
    baths, sites, (friction, force, temperature) = _bath_vectors(chain, baths)
    if acting is not None and heat_is_trapped(chain, acting, friction):
        raise ValueError(
            f"baths at sites {sites} leave a part of the chain without a bath, and the noise keeps "
            "its energy; allowed: a friction above 0 in every part"
        )
    width = 1 if acting is None else acting.index.shape[1]
    work("chain", chain, FILL[min(width, len(FILL)) - 1] * chain.n**2 * math.log2(chain.n), MOST_FILLED)
    modes = normal_modes(chain)
    motion = Motion.of(chain, friction, acting)
    if np.count_nonzero(modes.frequencies == 0) != motion.first_loose.size:
        raise ValueError("chain has a mode of ω² = 0 that is no translation; allowed: ω² > 0 for every other")
    try:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            moments, flows, error = settle(chain, motion, modes, temperature, force)
    except Undamped as failure:
        raise ValueError(
            f"baths at sites {sites} leave a mode undamped, or nearly so that rounding hides it; "
            "allowed: baths that damp every mode, by a friction above 0 at a site where it moves"
        ) from failure
    except Unsolved as failure:
        raise RuntimeError(f"the stationary state is lost in rounding errors: {failure}") from failure
    except FloatingPointError as failure:
        raise ValueError(
            f"baths = {shown(baths)}: the moments are beyond the floats; allowed: smaller numbers"
        ) from failure
    verify(chain, baths, moments, flows)
    flows = (*flows[:2], flows[2][sites])
    return StationaryMoments(chain, *moments, baths=baths, noise=noise, residual=error, _flows=flows)


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
    :math:`1/\omega_{\max}`, with terms down to round-off: the relative error is about 1e-15 a step.
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
    baths, _, vectors = _bath_vectors(chain, baths)
    n = chain.n
    if instance("start", start, Moments, "Moments").chain.n != n:
        raise ValueError(f"start has {start.chain.n} sites; allowed: {n}")
    times = checked_times(times)

    try:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            process, to_s, to_q = process_of(chain, acting, vectors)
            speed = pace(process)
            steps = times.size + times[-1] * speed
            work("times", times, steps, min(MOST_STEPS, MOST_ENTRIES / n**2))
            now = Blocks(
                s=to_s @ start.mean_q,
                p=start.mean_p,
                ss=to_s @ start.qq @ to_s.T,
                sp=to_s @ start.qp,
                pp=start.pp,
            )
            run = []
            for duration in np.diff(times, prepend=0.0):
                now = series(process, now, float(duration), max(1, math.ceil(duration * speed)))
                covariances = (to_q @ now.ss @ to_q.T, to_q @ now.sp, now.pp)
                run.append(Moments(chain, to_q @ now.s, now.p, *covariances, baths=baths, noise=noise))
    except FloatingPointError as error:
        raise ValueError(
            "start, times: the moments are beyond the floats; allowed: smaller numbers"
        ) from error
    return tuple(run)
