r"""Exact means and second moments of harmonic chains: no sampling, no time step.

A harmonic chain with Langevin baths and one of the noises of :mod:`lattice.noise` has linear forces,
and the noise maps quadratic functions to quadratic ones: means and covariances obey closed linear
equations.  Without noise the state is Gaussian; with noise it is not, but its second moments are exact.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.integrate
from numpy.typing import ArrayLike, NDArray

from .._check import finite, instance, reals, shown, work
from .._check import times as checked_times
from ..chain import Bond, Chain, Pin
from ..noise import Langevin, Noise, StretchFlip, bath_sites
from ..waves import dispersion, group_velocity, normal_modes, wave_numbers
from ._closure import Blocks, closed_groups, energy_current, groups, noise_current, pace, process_of, series
from ._linear import Unsolved
from ._motion import Motion, heat_is_trapped
from ._stationary import Undamped, settle, verify

# entries of the factors of the stationary equations over n² log n, by the sites that a noise acts on at once
FILL = {1: 20, 2: 50, 3: 135}
MOST_FILLED = 5e8  # 7 GB
MOST_STEPS = 1e5  # of an evolution
MOST_ENTRIES = 1e9  # of the matrices of all its steps
WEAKEST = 1e-100  # a pin beside the bonds, for a conductivity
MOST_SITES = 1e7  # of a ring, for its conductivity

__all__ = ["Conductivity", "Moments", "StationaryMoments", "conductivity", "evolution", "stationary"]


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
    work("chain", chain, FILL[width] * chain.n**2 * math.log2(chain.n), MOST_FILLED)
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


def evolution(
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


@dataclass(frozen=True, eq=False)
class Conductivity:
    r"""The heat conductivity of a uniform harmonic chain with noise.

    Attributes
    ----------
    chain, noise
        What it belongs to.
    hamiltonian : float
        The Green-Kubo integral of the Hamiltonian current of the infinite chain; may be infinite.
    ring : float
        The same on the ring of ``chain.n`` sites, always finite.
    carried : float
        What the noise itself carries, at any length.
    """

    chain: Chain
    noise: Noise
    hamiltonian: float
    ring: float
    carried: float

    @property
    def total(self) -> float:
        r"""The conductivity :math:`\kappa` of the infinite chain: `hamiltonian` + `carried`."""
        return self.hamiltonian + self.carried


def conductivity(chain: Chain, noise: Noise) -> Conductivity:
    r"""The exact Green-Kubo conductivity of a uniform harmonic chain with noise, at zero frequency.

    .. math:: \kappa = \int_0^1 \frac{v(k)^2}{\phi(k)}\,dk + \kappa_s, \qquad v = \omega'/2\pi .

    :math:`\phi(k)` is the rate at which the noise damps the mean of :math:`\hat p(k)`: with rate γ it
    is 2γ for flips of either kind, :math:`4\gamma\sin^2\pi k` for the exchange and
    :math:`\frac43\gamma\sin^2(\pi k)\,(1 + 2\cos^2\pi k)` for the rotation.  The noise carries
    :math:`\kappa_s`: 0 for flips, γ/2 for the exchange, γ for the rotation (so the printed
    :math:`\kappa^{(0)}/\varepsilon + \varepsilon\gamma` of Basile, Olla and Spohn 2010, section 6.4, holds).

    Parameters
    ----------
    chain : Chain
        A uniform harmonic ring.
    noise : VelocityFlip, StretchFlip, VelocityExchange or ThreeSiteRotation
        With a rate above 0; the stretches flip only if nothing is pinned.

    Raises
    ------
    ValueError
        If the chain is not a uniform harmonic ring, or the noise has rate 0 or does not fit the chain.

    Notes
    -----
    The energy of a site is its kinetic energy, its pin's and half of that of its two bonds.  The
    Hamiltonian dynamics carries :math:`J = -\frac12\sum_j (p_j + p_{j+1})V'(r_j)` in all, per unit of
    time.  The noise carries a random amount, energy times distance, whose drift is a sum of
    differences of neighbours: 0 on a ring.  The variance of all that is carried in a long time t is
    :math:`2nT^2\kappa t`, so with :math:`Q` the quadratic variation of the noise's share per unit of time

    .. math:: \kappa = \frac{1}{nT^2}\int_0^\infty \langle J(t) J(0)\rangle\,dt
              + \frac{Q}{2nT^2} .

    There is no cross term: what the noise carries later does not correlate with J before, and
    the motion reversed says the same of what it carried earlier.

    *First part.*  J is a sum over k of odd multiples of :math:`\hat q(k)^*\hat p(k)`.  The Hamiltonian
    flow turns these into :math:`|\hat p|^2` and :math:`\omega^2|\hat q|^2` with odd factors, and k
    cancels -k; a noise on p multiplies each by :math:`-\phi(k)`.  So each wave number is an
    eigenvector of the generator, its resolvent at zero frequency is :math:`1/\phi(k)`, and its
    variance in equilibrium :math:`T^2 v(k)^2`.  Flips of the stretches act on :math:`r_j p_i`
    likewise, with 2γ.  On a ring the integral is the mean over its wave numbers, and k = 0 contributes
    nothing: with a pin and a noise that keeps the momentum :math:`v^2/\phi` has a limit there, and the
    ring lacks this limit / n.  Without a pin the integral of such a noise diverges.

    *Second part.*  Within a group, site b passes kinetic energy to site a at the rate
    :math:`k_{ab}^2\,p_b^2/2`.  A temperature gradient therefore drives the current
    :math:`-\kappa_s\nabla T` with :math:`\kappa_s = \frac14\sum_{a\ne b}(a - b)^2k_{ab}^2`, for there is
    one group a site; the noise is reversible, and :math:`Q/2nT^2` is the same number.
    """
    instance("chain", chain, Chain, "a Chain")
    if not chain.periodic:
        raise ValueError(f"boundary = {chain.boundary!r}; allowed: 'periodic'")
    if not chain.is_harmonic:
        raise ValueError("chain is anharmonic; allowed: bonds and pins with chi alone")
    work("chain", chain, chain.n, MOST_SITES)
    acting = groups(chain, noise)
    if acting is None:
        raise ValueError(f"noise = {noise!r}; allowed: a noise with a rate above 0")
    if isinstance(noise, StretchFlip) and np.any(chain.pin.chi):
        raise ValueError("noise flips the stretches of a pinned chain; allowed: no pin")
    dispersion(chain, 0.0)  # refuses a chain that is not uniform, or unstable
    place = np.arange(len(acting.mean))
    apart = place - place[:, None]
    uniform = -acting.mean.sum()  # the damping at k = 0, in units of the strength of the noise

    # in units of the largest coefficient
    stiffest = max(abs(float(chain.bond.chi)), float(chain.pin.chi)) or 1.0
    chi, pin = float(chain.bond.chi) / stiffest, float(chain.pin.chi) / stiffest
    if 0 < pin < WEAKEST * abs(chi):
        raise ValueError(f"pin.chi = {chain.pin.chi!r}; allowed: 0, or at least {WEAKEST:.0e} of bond.chi")
    scaled = Chain(chain.n, Bond(chi=chi), Pin(chi=pin))

    def share(k: ArrayLike) -> NDArray[np.float64]:
        sine = np.sin(np.pi * np.asarray(k)[..., None, None] * apart)
        return group_velocity(scaled, k) ** 2 / ((2 * acting.mean * sine**2).sum(axis=(-2, -1)) + uniform)

    ring = float(share(wave_numbers(chain.n)[1:]).sum() / chain.n)
    integral = math.inf
    if chi == 0:
        integral = 0.0
    elif pin > 0 or uniform > 0:
        integral = _integral(share, chi, pin)
    found = Conductivity(
        chain=chain,
        noise=noise,
        hamiltonian=stiffest * integral / acting.strength,
        ring=stiffest * ring / acting.strength,
        carried=float((acting.kick**2 * apart**2).sum() / 4 * acting.weight) * acting.strength,
    )
    beyond = not math.isfinite(found.ring + found.carried)
    if beyond or (math.isfinite(integral) and not math.isfinite(found.hamiltonian)):
        raise ValueError(
            f"chain, noise = {shown(noise)}: the conductivity is beyond the floats; allowed: other numbers"
        )
    return found


def _integral(share: Callable[[ArrayLike], NDArray[np.float64]], chi: float, pin: float) -> float:
    """The integral over all wave numbers of an even function that bends where the waves are softest."""
    soft = pin if chi > 0 else pin + 4 * chi  # the least ω², at k = 0 or at k = 1/2
    knee = math.sqrt(max(soft, 0.0) / abs(chi)) / (2 * math.pi)
    # which an adaptive rule would not find by itself
    points = knee * 10.0 ** np.arange(-1, 40)
    points = points[(points > 0) & (points < 0.5)]
    points = points if chi > 0 else 0.5 - points
    with warnings.catch_warnings():
        warnings.simplefilter("error", scipy.integrate.IntegrationWarning)
        try:
            half, _ = scipy.integrate.quad(
                share, 0.0, 0.5, epsabs=0.0, epsrel=1e-11, limit=400, points=points if points.size else None
            )
        except scipy.integrate.IntegrationWarning as error:
            raise RuntimeError("the integral over k is not found to 1e-11") from error
    return 2 * half
