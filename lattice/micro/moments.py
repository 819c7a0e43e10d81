r"""Exact means and second moments of harmonic chains: no sampling, no time step.

A harmonic chain with Langevin baths and one of the noises of :mod:`lattice.model` has linear forces,
and the noise maps quadratic functions to quadratic ones: means and covariances obey closed linear
equations.  Without noise the state is Gaussian; with noise it is not, but its second moments are exact.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.integrate
import scipy.sparse.csgraph
from numpy.typing import ArrayLike, NDArray

from ..model import Chain, Langevin, Noise, StretchFlip, bath_sites
from ..waves import group_velocity, wave_numbers
from ._closure import Blocks, Groups, Process, groups, series
from ._linear import Unsolved
from ._stationary import Motion, Undamped, bond_sites, settle

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
        If an array has the wrong shape or an entry that is not finite, or `qq` or `pp` is not symmetric.
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
        n = self.chain.n
        for name in ("mean_q", "mean_p", "qq", "qp", "pp"):
            array = np.array(getattr(self, name), dtype=np.float64)
            shape = (n,) if name.startswith("mean") else (n, n)
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}; allowed: {shape}")
            if not np.isfinite(array).all():
                raise ValueError(f"{name} has entries that are not finite")
            if name in ("qq", "pp") and np.abs(array - array.T).max() > 1e-8 * np.abs(array).max():
                raise ValueError(f"{name} is not symmetric; allowed: a covariance")
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def temperatures(self) -> NDArray[np.float64]:
        r"""Kinetic temperatures :math:`T_i = \langle p_i^2\rangle - \langle p_i\rangle^2`, shape (n,)."""
        return np.diag(self.pp).copy()

    @property
    def energy_currents(self) -> NDArray[np.float64]:
        r"""Mean energy current :math:`-\frac12\langle(p_j + p_{j+1}) V'(r_j)\rangle` per bond, (n_bonds,).

        Positive to the right; nothing flows through a wall.  What the noise itself carries is
        in `noise_currents`; the heat current is the sum of both.
        """
        chain = self.chain
        rp = chain.stretches(self.qp.T).T  # bond, site
        mean_r = chain.stretches(self.mean_q)
        power = rp + np.outer(mean_r, self.mean_p)  # <r_b p_i>
        first = int(chain.ends[0] == "fixed")
        bond = np.arange(chain.n if chain.periodic else chain.n - 1)
        current = np.zeros(chain.n_bonds)
        chi = np.broadcast_to(chain.bond.chi, chain.n_bonds)
        pair = power[bond + first, bond] + power[bond + first, (bond + 1) % chain.n]
        current[bond + first] = -0.5 * chi[bond + first] * pair
        return current

    @property
    def noise_currents(self) -> NDArray[np.float64]:
        r"""Mean energy current that the noise carries through each bond, (n_bonds,), positive to the right.

        An exchange takes :math:`\frac12(p_j^2 - p_{j+1}^2)` from site j to j + 1; a rotation changes the
        kinetic energies of its three sites at rates whose sum is 0, and what is lost on one side of a
        bond goes through it.  Flips carry nothing.
        """
        acting = groups(self.chain, self.noise)
        return _carried(self.chain, self.noise, acting, self.pp, self.mean_p)

    @property
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
        The largest defect of the stationary equations with noise, relative to the largest source.

    Notes
    -----
    A chain with neither pin nor wall has no stationary position: there, q is
    the displacement from the centre of mass.
    """

    residual: float = 0.0
    _heat: NDArray[np.float64] | None = field(default=None, repr=False)
    _carried: NDArray[np.float64] | None = field(default=None, repr=False)

    @property
    def noise_currents(self) -> NDArray[np.float64]:
        return super().noise_currents if self._carried is None else self._carried.copy()

    @property
    def bath_powers(self) -> NDArray[np.float64]:
        return super().bath_powers if self._heat is None else self._heat.copy()


def _bath_vectors(
    chain: Chain, baths: Sequence[Langevin]
) -> tuple[tuple[Langevin, ...], list[int], NDArray[np.float64]]:
    """The baths, their sites, and friction, force and temperature of every site, (3, n)."""
    baths = tuple(baths)
    sites = bath_sites(chain, baths)
    vectors = np.zeros((3, chain.n))
    for site, bath in zip(sites, baths, strict=True):
        vectors[:, site] = bath.friction, bath.force, bath.temperature
    return baths, sites, vectors


def _carried(
    chain: Chain, noise: Noise | None, acting: Groups | None, pp: NDArray[np.float64], p: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The energy current of a noise through each bond, from covariances and means of the momenta."""
    current = np.zeros(chain.n_bonds)
    if acting is None or isinstance(noise, StretchFlip):
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


def _acting(chain: Chain, noise: Noise | None) -> Groups | None:
    """The groups of the noise, if the moments of this chain with it close."""
    if not chain.is_harmonic:
        raise ValueError("chain is anharmonic; allowed: bonds and pins with chi alone")
    acting = groups(chain, noise)
    walls = 2 if chain.periodic else chain.ends.count("fixed")
    free = walls < 2 and not np.any(chain.pin.chi) and np.all(np.asarray(chain.bond.chi) > 0)
    if isinstance(noise, StretchFlip) and not free:
        raise ValueError(
            "noise flips the stretches, which are not free coordinates; allowed: a chain with no pin, "
            "at most one wall and every bond's chi above 0"
        )
    return acting


def _verify(state: StationaryMoments) -> None:
    """Refuse a state that breaks what every stationary state obeys: a guard, no part of the solution.

    What the baths give is what flows, at each site; and without heat from elsewhere no site is
    hotter than the hottest bath or colder than the coldest.
    """
    chain, powers = state.chain, state.bath_powers
    given = np.zeros(chain.n)
    given[bath_sites(chain, state.baths)] = powers
    heat = state.energy_currents + state.noise_currents
    missing = np.abs(np.diff(chain.slots(heat)) - given).max(initial=0.0)
    known = [bath.temperature for bath in state.baths if bath.friction > 0]
    least, most = min(known), max(known)
    margin = 1e-12 * (most - least) + 1e-15 * most
    cold = state.temperatures.min() < least - margin
    hot = state.temperatures.max() > most + margin and not state.mean_p.any()
    if missing > 1e-6 * np.abs(powers).max(initial=0.0) or cold or hot:
        raise RuntimeError(
            f"the stationary state is lost in rounding errors: {missing:.1e} of the power "
            f"{np.abs(powers).max():.1e} is missing, at temperatures from {state.temperatures.min():.3g} "
            f"to {state.temperatures.max():.3g}"
        )


def _heat_is_trapped(chain: Chain, acting: Groups, on_stretches: bool, friction: NDArray[np.float64]) -> bool:
    """Whether some part of a noisy chain exchanges no energy with a bath."""
    first, second = bond_sites(chain)
    springs = (first >= 0) & (second >= 0) & (np.broadcast_to(chain.bond.chi, chain.n_bonds) != 0)
    first, second = first[springs], second[springs]
    if not on_stretches:
        first = np.concatenate([first, acting.index[:, :-1].ravel()])
        second = np.concatenate([second, acting.index[:, 1:].ravel()])
    graph = scipy.sparse.coo_array((np.ones(first.size), (first, second)), shape=(chain.n, chain.n))
    parts, part = scipy.sparse.csgraph.connected_components(graph, directed=False)
    return len(set(part[friction > 0])) < parts


def stationary(chain: Chain, baths: Sequence[Langevin], noise: Noise | None = None) -> StationaryMoments:
    r"""The stationary means and covariances of a harmonic chain with Langevin baths, and with a noise.

    With :math:`x = (q, p)` the mean solves :math:`Am + f = 0` and the covariance
    :math:`AC + CA^\top + D + R(C + mm^\top) = 0`.  Without noise R = 0 and Bartels and Stewart's
    method solves it.  With noise A holds what the noise does to means, and R is the
    rest, which sees and fills only entries of the covariance next to its diagonal: the few numbers
    a site of R are found by an iteration whose every step solves a Lyapunov equation.  Either way
    the work grows as :math:`n^3`.

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
        does not fit the chain, or something is not damped, so that no unique stationary state exists.
    RuntimeError
        If the equations with noise are not solved to 1e-10 of the largest source, or there is so much
        noise between the baths that their powers do not add up to 0.

    Notes
    -----
    With noise the temperatures lose digits as the number of collisions between the baths grows.  A
    current far below rate × temperature is a small difference of large sources: the sum of
    `bath_powers`, 0 in exact arithmetic, shows what is left of its digits.
    """
    acting = _acting(chain, noise)
    baths, sites, (friction, force, temperature) = _bath_vectors(chain, baths)
    on_stretches = acting is not None and isinstance(noise, StretchFlip)
    if acting is not None and _heat_is_trapped(chain, acting, on_stretches, friction):
        raise ValueError(
            f"baths at sites {sites} leave a part of the chain without a bath, and the noise keeps "
            "its energy; allowed: a friction above 0 in every part"
        )
    motion = Motion.of(chain, friction, acting, on_stretches)
    try:
        state = settle(motion, temperature, force)
    except Undamped as error:
        raise ValueError(
            f"baths at sites {sites} leave a mode undamped; "
            "allowed: baths that damp every mode, by a friction above 0 at a site where it moves"
        ) from error
    except Unsolved as error:
        raise RuntimeError(f"the stationary state is lost in rounding errors: {error}") from error
    found = StationaryMoments(
        chain=chain,
        mean_q=state.mean_q,
        mean_p=state.mean_p,
        qq=state.qq,
        qp=state.qp,
        pp=state.pp,
        baths=baths,
        noise=noise,
        residual=state.error,
        _heat=state.heat[sites] + force[sites] * state.mean_p[sites],
        _carried=_carried(chain, noise, acting, state.pp_excess, state.mean_p),
    )
    _verify(found)
    return found


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
        If the chain is anharmonic, the times do not ascend, `start` has another number of sites, a
        bath's site does not exist or is taken, or the noise does not fit the chain.

    Notes
    -----
    A flipped stretch moves the sites to its right, or those to its left if the right end is fixed.
    """
    acting = _acting(chain, noise)
    baths, _, (friction, force, temperature) = _bath_vectors(chain, baths)
    n, diffusion = chain.n, 2 * friction * temperature
    if start.chain.n != n:
        raise ValueError(f"start has {start.chain.n} sites; allowed: {n}")
    times = np.asarray(times, dtype=np.float64)
    if times.ndim != 1 or not np.isfinite(times).all() or np.any(np.diff(times, prepend=0.0) < 0):
        raise ValueError(f"times = {times!r}; allowed: a vector of ascending numbers, not negative")

    stiffness = chain.stiffness_matrix()
    on_stretches = isinstance(noise, StretchFlip)
    to_s = np.eye(n)
    if on_stretches:
        gradient = chain.stretches(np.eye(n)).T
        # the stretches, and without a wall the place of the first site, which no flip moves
        to_s = np.concatenate([gradient, to_s[: n - chain.n_bonds]])
    # a frequency turns positions into momenta: then all entries of the drift are rates
    unit = math.sqrt(np.linalg.norm(stiffness, 2)) or 1.0
    to_s = unit * to_s
    to_q = np.linalg.inv(to_s)
    process = Process(to_s, stiffness @ to_q, friction, force, diffusion, acting, on_stretches)
    now = Blocks(
        s=to_s @ start.mean_q,
        p=start.mean_p,
        ss=to_s @ start.qq @ to_s.T,
        sp=to_s @ start.qp,
        pp=start.pp,
    )
    run = []
    for duration in np.diff(times, prepend=0.0):
        now = series(process, now, float(duration))
        run.append(
            Moments(
                chain=chain,
                mean_q=to_q @ now.s,
                mean_p=now.p,
                qq=to_q @ now.ss @ to_q.T,
                qp=to_q @ now.sp,
                pp=now.pp,
                baths=tuple(baths),
                noise=noise,
            )
        )
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
    if not chain.periodic:
        raise ValueError(f"boundary = {chain.boundary!r}; allowed: 'periodic'")
    if not chain.is_harmonic:
        raise ValueError("chain is anharmonic; allowed: bonds and pins with chi alone")
    acting = groups(chain, noise)
    if acting is None:
        raise ValueError(f"noise = {noise!r}; allowed: a noise with a rate above 0")
    pinned = bool(np.any(chain.pin.chi))
    if isinstance(noise, StretchFlip) and pinned:
        raise ValueError("noise flips the stretches of a pinned chain; allowed: no pin")
    place = np.arange(len(acting.mean))
    apart = place - place[:, None]

    uniform = -acting.strength * acting.mean.sum()  # the damping at k = 0
    keeps_momentum = uniform == 0

    def share(k: ArrayLike) -> NDArray[np.float64]:
        sine = np.sin(np.pi * np.asarray(k)[..., None, None] * apart)
        damping = (2 * acting.strength * acting.mean * sine**2).sum(axis=(-2, -1))
        return group_velocity(chain, k) ** 2 / (damping if keeps_momentum else damping + uniform)

    ring = float(share(wave_numbers(chain.n)[1:]).sum() / chain.n)  # refuses a chain that is not uniform
    integral, chi, pin = math.inf, float(chain.bond.chi), float(chain.pin.chi)
    if chi == 0:
        integral = 0.0
    elif pinned or not keeps_momentum:
        # a weak pin bends v²/φ at k = ω₀/2π√χ, which an adaptive rule would not find by itself
        knee = math.sqrt(pin / chi) / (2 * math.pi)
        points = knee * 10.0 ** np.arange(-1, 40)
        points = points[(points > 0) & (points < 0.5)]
        with warnings.catch_warnings():
            warnings.simplefilter("error", scipy.integrate.IntegrationWarning)
            half, _ = scipy.integrate.quad(
                share, 0.0, 0.5, epsabs=0.0, epsrel=1e-11, limit=400, points=points if points.size else None
            )
        integral = 2 * half
    return Conductivity(
        chain=chain,
        noise=noise,
        hamiltonian=integral,
        ring=ring,
        carried=float(acting.strength * acting.weight * (acting.kick**2 * apart**2).sum() / 4),
    )
