r"""Waves of a chain: wave numbers, dispersion, the Fourier convention, modes, wave action.

One convention everywhere: wave numbers :math:`k \in [0, 1)`, and
:math:`\hat f(k) = \sum_y e^{-2\pi i k y} f(y)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .model import Chain

__all__ = [
    "NormalModes",
    "dispersion",
    "fourier",
    "group_velocity",
    "inverse_fourier",
    "mode_energy",
    "normal_modes",
    "wave_action",
    "wave_field",
    "wave_numbers",
]


def wave_numbers(n: int) -> NDArray[np.float64]:
    """The n wave numbers j/n of a ring of n sites, shape (n,), ascending in [0, 1).

    Raises
    ------
    ValueError
        If n is not a positive integer.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n = {n!r}; allowed: a positive integer")
    return np.arange(n) / n


def fourier(f: ArrayLike) -> NDArray[np.complex128]:
    r"""The transform :math:`\hat f(k) = \sum_y e^{-2\pi i k y} f(y)` on the last axis."""
    return np.fft.fft(f, axis=-1)


def inverse_fourier(f_hat: ArrayLike) -> NDArray[np.complex128]:
    r"""The inverse :math:`f(y) = \frac1n \sum_k e^{2\pi i k y} \hat f(k)` on the last axis."""
    return np.fft.ifft(f_hat, axis=-1)


def _stiffness(chain: Chain) -> tuple[float, float]:
    """Stiffness χ of the bonds and ω₀² of the pins of a uniform chain at rest."""
    if not chain.is_uniform:
        raise ValueError("chain has coefficients that depend on the place; allowed: a uniform chain")
    chi = float(chain.bond.curvature(0.0))
    pin = float(chain.pin.curvature(0.0))
    if pin < 0 or pin + 4 * chi < 0:
        raise ValueError(f"chain has stiffness {chi} and pinning {pin}; allowed: ω² ≥ 0 for every k")
    return chi, pin


def _finite(k: ArrayLike) -> NDArray[np.float64]:
    k = np.asarray(k, dtype=np.float64)
    if not np.isfinite(k).all():
        raise ValueError(f"k = {k!r}; allowed: finite wave numbers")
    return k


def dispersion(chain: Chain, k: ArrayLike) -> NDArray[np.float64]:
    r"""The dispersion relation :math:`\omega(k) = \sqrt{\omega_0^2 + 4\chi \sin^2 \pi k}`.

    Parameters
    ----------
    chain : Chain
        A uniform chain; :math:`\chi` and :math:`\omega_0^2` are the curvatures
        of its bond and its pin at rest.  Its boundary does not matter here.
    k : array_like
        Wave numbers.

    Raises
    ------
    ValueError
        If the chain is not uniform or not stable, or a wave number is not finite.

    Notes
    -----
    This is what the Hamiltonian of Basile, Olla and Spohn, eq. (1), gives; their
    eq. (3) has :math:`2\chi` in place of :math:`4\chi` (claim ``bos-3``).
    """
    chi, pin = _stiffness(chain)
    return np.sqrt(pin + 4 * chi * np.sin(np.pi * _finite(k)) ** 2)


def group_velocity(chain: Chain, k: ArrayLike) -> NDArray[np.float64]:
    r"""The group velocity :math:`\omega'(k)/2\pi = \chi \sin(2\pi k)/\omega(k)`, in sites per unit time.

    Without a pin it jumps from :math:`-\sqrt\chi` to :math:`+\sqrt\chi` at k = 0;
    the value there is 0, the mean of the two.  Parameters and errors as in `dispersion`.
    """
    chi, pin = _stiffness(chain)
    k = _finite(k) % 1.0
    sine, cosine = np.sin(np.pi * k), np.cos(np.pi * k)
    if pin == 0:
        return np.sqrt(chi) * cosine * np.sign(sine)
    omega = np.sqrt(pin + 4 * chi * sine**2)
    # where a negative χ takes ω to 0 at the edge of the zone, v is 0 by the same convention
    return np.divide(2 * chi * sine * cosine, omega, out=np.zeros_like(omega), where=omega > 0)


@dataclass(frozen=True, eq=False)
class NormalModes:
    r"""The eigenvectors of the stiffness matrix, :math:`\Phi u_a = \omega_a^2 u_a`.

    Attributes
    ----------
    frequencies : (n,) array
        :math:`\omega_a`, ascending.
    shapes : (n, n) array
        Row a is the unit vector :math:`u_a` over the sites.
    """

    frequencies: NDArray[np.float64]
    shapes: NDArray[np.float64]


def normal_modes(chain: Chain) -> NormalModes:
    """The normal modes of a chain's harmonic part, for any boundary and any coefficients.

    Raises
    ------
    ValueError
        If the chain at rest is unstable.
    """
    squares, columns = np.linalg.eigh(chain.stiffness_matrix())
    roundoff = chain.n * np.finfo(float).eps * max(abs(squares[0]), abs(squares[-1]))
    if squares[0] < -roundoff:
        raise ValueError(f"chain has a mode of ω² = {squares[0]:.3g}; allowed: ω² ≥ 0 for every mode")
    squares[np.abs(squares) <= roundoff] = 0.0
    return NormalModes(np.sqrt(squares), np.ascontiguousarray(columns.T))


def wave_field(chain: Chain, q: ArrayLike, p: ArrayLike) -> NDArray[np.complex128]:
    r"""The wave field :math:`\psi = (\tilde\omega * q + i p)/\sqrt2`, shape (..., n).

    In Fourier space :math:`\hat\psi(k) = (\omega(k) \hat q(k) + i \hat p(k))/\sqrt2`;
    the harmonic dynamics turns it by :math:`e^{-i\omega(k) t}`, and
    :math:`\sum_y |\psi(y)|^2` is the energy (Basile, Olla and Spohn, eq. (13)).

    Raises
    ------
    ValueError
        If the chain is not a uniform harmonic ring, or q or p has the wrong length.
    """
    if not (chain.periodic and chain.is_harmonic):
        raise ValueError(
            "chain is not a harmonic ring; allowed: boundary 'periodic', no anharmonic coefficient"
        )
    q, p = chain.on_sites("q", q), chain.on_sites("p", p)
    omega = dispersion(chain, wave_numbers(chain.n))
    return (inverse_fourier(omega * fourier(q)).real + 1j * p) / np.sqrt(2)


def mode_energy(chain: Chain, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    r"""The energy at each wave number, :math:`W(k) = |\hat\psi(k)|^2/n`, shape (..., n).

    Its mean over k, the discrete :math:`\int dk\, W`, is the energy per site.  Errors as in `wave_field`.
    """
    return np.abs(fourier(wave_field(chain, q, p))) ** 2 / chain.n


def wave_action(chain: Chain, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    r"""The wave action :math:`W(k)/\omega(k)`, shape (..., n).

    Without a pin the mode k = 0 is a translation, not a wave; its action is
    given as 0.  Errors as in `wave_field`.
    """
    energy = mode_energy(chain, q, p)
    omega = dispersion(chain, wave_numbers(chain.n))
    return np.divide(energy, omega, out=np.zeros_like(energy), where=omega > 0)
