"""The conductivity of a harmonic chain with noise, exactly: no sampling, no time step, any strength."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.integrate
from numpy.typing import ArrayLike, NDArray

from .._check import instance, shown, work
from ..chain import Chain
from ..noise import Noise
from ..waves import dispersion, group_velocity, wave_numbers
from ._closure import groups

WEAKEST = 1e-100  # a pin beside the bonds, for a conductivity
MOST_SITES = 1e7  # of a ring, for its conductivity

__all__ = ["Conductivity", "exact_kappa"]


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


def exact_kappa(chain: Chain, noise: Noise) -> Conductivity:
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

    Returns
    -------
    Conductivity
        What the Hamiltonian dynamics carries, in the infinite chain and on the ring, and what the noise does.

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
    if acting.on_stretches and np.any(chain.pin.chi):
        raise ValueError("noise flips the stretches of a pinned chain; allowed: no pin")
    dispersion(chain, 0.0)  # refuses a chain that is not uniform, or unstable
    place = np.arange(len(acting.mean))
    apart = place - place[:, None]
    uniform = -acting.mean.sum()  # the damping at k = 0, in units of the strength of the noise
    chi, pin = float(chain.bond.chi), float(chain.pin.chi)
    if 0 < pin < WEAKEST * abs(chi):
        raise ValueError(f"pin.chi = {pin!r}; allowed: 0, or at least {WEAKEST:.0e} of bond.chi")

    def share(k: ArrayLike) -> NDArray[np.float64]:
        sine = np.sin(np.pi * np.asarray(k)[..., None, None] * apart)
        return group_velocity(chain, k) ** 2 / ((2 * acting.mean * sine**2).sum(axis=(-2, -1)) + uniform)

    ring = float(share(wave_numbers(chain.n)[1:]).sum() / chain.n)
    integral = math.inf
    if chi == 0:
        integral = 0.0
    elif pin > 0 or uniform > 0:
        integral = _integral(share, chi, pin)
    found = Conductivity(
        chain=chain,
        noise=noise,
        hamiltonian=integral / acting.strength,
        ring=ring / acting.strength,
        carried=float((acting.kick**2 * apart**2).sum() / 4 * acting.weight) * acting.strength,
    )
    beyond = not math.isfinite(found.ring + found.carried)
    if beyond or (math.isfinite(integral) and not math.isfinite(found.hamiltonian)):
        raise ValueError(
            f"chain, noise = {shown(noise)}: the conductivity is beyond the floats; allowed: other numbers"
        )
    return found


def _integral(share: Callable[[ArrayLike], NDArray[np.float64]], chi: float, pin: float) -> float:
    """The integral over all wave numbers of an even function that bends where the waves are softest.

    There, k is counted as knee × sinh u: so the bend is as wide as the rest, however close to the end it is.
    """
    soft = pin if chi > 0 else pin + 4 * chi  # the least ω², at k = 0 or at k = 1/2
    knee = math.sqrt(max(soft, 0.0) / abs(chi)) / (2 * math.pi) or 1.0

    def stretched(u: float) -> float:
        k = min(knee * math.sinh(u), 0.5)
        return float(share(k if chi > 0 else 0.5 - k)) * knee * math.cosh(u)

    with warnings.catch_warnings():
        warnings.simplefilter("error", scipy.integrate.IntegrationWarning)
        try:
            half, _ = scipy.integrate.quad(
                stretched, 0.0, math.asinh(0.5 / knee), epsabs=0.0, epsrel=1e-11, limit=400
            )
        except scipy.integrate.IntegrationWarning as error:
            raise RuntimeError("the integral over k is not found to 1e-11") from error
    return 2 * half
