r"""Waves of a chain: wave numbers, dispersion, the Fourier convention, modes, wave action.

One convention everywhere: wave numbers :math:`k \in [0, 1)`, and
:math:`\hat f(k) = \sum_y e^{-2\pi i k y} f(y)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._check import brief, field, finite, instance, integer, reals, shown, work
from .chain import MOST_SITES, Chain, canonical

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

# Squares of frequencies below this share of the largest have too few digits left for a common solver.
SOFT = 1e-6
MOST_STEPS = 1e13  # of the normal modes, n³


def wave_numbers(n: int) -> NDArray[np.float64]:
    """The n wave numbers j/n of a ring of n sites, shape (n,), ascending in [0, 1).

    Raises
    ------
    ValueError
        If n is not a positive integer, or above 10⁹.
    """
    n = integer("n", n, least=1, most=MOST_SITES)
    return np.arange(n) / n


def _vectors(name: str, values: ArrayLike) -> NDArray[np.complex128]:
    values = field(name, values)
    if values.ndim == 0:
        raise ValueError(f"{name} has shape (); allowed: (..., n)")
    return values


@finite
def fourier(f: ArrayLike) -> NDArray[np.complex128]:
    r"""The transform :math:`\hat f(k) = \sum_y e^{-2\pi i k y} f(y)` on the last axis.

    Raises
    ------
    ValueError
        If f has no entries, or one that is not finite.
    """
    return np.fft.fft(_vectors("f", f), axis=-1)


@finite
def inverse_fourier(f_hat: ArrayLike) -> NDArray[np.complex128]:
    r"""The inverse :math:`f(y) = \frac1n \sum_k e^{2\pi i k y} \hat f(k)` on the last axis.

    Errors as in `fourier`.
    """
    return np.fft.ifft(_vectors("f_hat", f_hat), axis=-1)


def _stiffness(chain: Chain) -> tuple[float, float]:
    """Stiffness χ of the bonds and ω₀² of the pins of a uniform chain at rest."""
    instance("chain", chain, Chain, "a Chain")
    if not chain.is_uniform:
        raise ValueError("chain has coefficients that depend on the place; allowed: a uniform chain")
    chi = float(chain.bond.curvature(0.0))
    pin = float(chain.pin.curvature(0.0))
    if pin < 0 or pin + 4 * chi < 0:
        raise ValueError(f"chain has stiffness {chi} and pinning {pin}; allowed: ω² ≥ 0 for every k")
    return chi, pin


@finite
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
    return np.sqrt(pin + 4 * chi * np.sin(np.pi * reals("k", k)) ** 2)


@finite
def group_velocity(chain: Chain, k: ArrayLike) -> NDArray[np.float64]:
    r"""The group velocity :math:`\omega'(k)/2\pi = \chi \sin(2\pi k)/\omega(k)`, in sites per unit time.

    Without a pin it jumps from :math:`-\sqrt\chi` to :math:`+\sqrt\chi` at k = 0;
    the value there is 0, the mean of the two.  Parameters and errors as in `dispersion`.
    """
    chi, pin = _stiffness(chain)
    k = reals("k", k) % 1.0
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
    __repr__ = brief


def _parts(chain: Chain) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The translations of what bonds hold together, unit vectors (parts, n), and which a pin or a wall holds.

    Bonds without stiffness cut the chain.  The translation of a part that nothing holds costs no energy.
    """
    n = chain.n
    bonds = np.broadcast_to(chain.bond.curvature(0.0), chain.n_bonds) != 0
    held = np.broadcast_to(chain.pin.curvature(0.0), n) != 0
    beside = chain._slots(bonds)  # to the left of each site, and to the right of the last
    part = np.cumsum(beside[:n] == 0)
    if chain.periodic and bonds[-1]:
        part[part == part[-1]] = part[0]  # over the end of the ring
    for end, site, slot in zip(chain.ends, (0, -1), (0, n), strict=True):
        if end == "fixed" and beside[slot]:
            held = held | (part == part[site])
    shapes = np.array([part == name for name in np.unique(part)], dtype=np.float64)
    return shapes / np.sqrt(shapes.sum(axis=1, keepdims=True)), shapes @ held > 0


def _soft(chain: Chain, parts: NDArray[np.float64], held: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
    """Frequencies, the highest first, and modes in columns, to relative round-off however soft they are.

    Without negative coefficients the energy is a sum of squares, and the frequencies are the singular
    values of a matrix of differences whose rows are scaled by the roots of the stiffnesses.  Where the
    translations of parts, whose bonds say exactly nothing, are coordinates of their own, Jacobi's method
    finds those as precisely as the stiffnesses are known (LAPACK's dgejsv).
    """
    from scipy.linalg import lapack  # a good part of the import, and few chains need it

    others = np.linalg.qr(parts.T, mode="complete")[0][:, len(parts) :]
    basis = np.concatenate([parts[held].T, others], axis=1)
    stiffness = np.concatenate([np.broadcast_to(chain.bond.curvature(0.0), chain.n_bonds),
                                np.broadcast_to(chain.pin.curvature(0.0), chain.n)])  # fmt: skip
    rows = np.concatenate([chain._stretches(basis.T).T, basis])[stiffness > 0]
    rows *= np.sqrt(stiffness[stiffness > 0])[:, None]
    values, _, columns, scales, _, failed = lapack.dgejsv(
        rows, joba=2, jobu=3, jobv=0, jobr=0, jobt=0, jobp=0
    )
    if failed:
        raise RuntimeError(f"the slowest modes of {shown(chain)} were not found")
    return values * (scales[0] / scales[1]), basis @ columns


@finite
def normal_modes(chain: Chain) -> NormalModes:
    """The normal modes of a chain's harmonic part, for any boundary and any coefficients.

    Each part that neither a pin nor a wall holds has one translation: its frequency is 0 and its shape
    constant, exactly.  All other frequencies of a chain without negative coefficients are above 0, however
    soft a pin is; their relative error is below 1e-9, and that of the softest of the order of round-off.

    Raises
    ------
    ValueError
        If the chain at rest is unstable, or has more than 20,000 sites.
    RuntimeError
        If the slowest modes are not found.
    """
    instance("chain", chain, Chain, "a Chain")
    work("chain", chain, float(chain.n) ** 3, MOST_STEPS)
    matrix, (parts, held) = chain.stiffness_matrix(), _parts(chain)
    still = parts[~held]
    moving = chain.n - len(still)
    scale = np.abs(matrix).sum(axis=1).max()  # at least the largest ω²
    if len(still):  # far above all others, which are then orthogonal to them
        matrix += 2 * scale * still.T @ still
    squares, columns = np.linalg.eigh(matrix)
    squares, columns = squares[:moving], columns[:, :moving]
    if np.any(chain.bond.curvature(0.0) < 0) or np.any(chain.pin.curvature(0.0) < 0):
        roundoff = chain.n * np.finfo(float).eps * scale
        if moving and squares[0] < -roundoff:
            raise ValueError(f"chain has a mode of ω² = {squares[0]:.3g}; allowed: ω² ≥ 0 for every mode")
        frequencies = np.sqrt(np.where(squares > roundoff, squares, 0.0))
    elif moving and squares[0] < SOFT * scale:
        frequencies, columns = (found[..., ::-1] for found in _soft(chain, parts, held))
    else:
        frequencies = np.sqrt(squares)
    return NormalModes(
        np.concatenate([np.zeros(len(still)), frequencies]), np.concatenate([still, columns.T])
    )


@finite
def wave_field(chain: Chain, q: ArrayLike, p: ArrayLike) -> NDArray[np.complex128]:
    r"""The wave field :math:`\psi = (\tilde\omega * q + i p)/\sqrt2`, shape (..., n).

    In Fourier space :math:`\hat\psi(k) = (\omega(k) \hat q(k) + i \hat p(k))/\sqrt2`;
    the harmonic dynamics turns it by :math:`e^{-i\omega(k) t}`, and
    :math:`\sum_y |\psi(y)|^2` is the energy (Basile, Olla and Spohn, eq. (13)).

    Raises
    ------
    ValueError
        If the chain is not a uniform harmonic ring, or the shape of q or p does not fit or an entry is not
        finite.
    """
    q, p = canonical(instance("chain", chain, Chain, "a Chain"), q, p)
    if not (chain.periodic and chain.is_harmonic):
        raise ValueError(
            "chain is not a harmonic ring; allowed: boundary 'periodic', no anharmonic coefficient"
        )
    omega = dispersion(chain, wave_numbers(chain.n))
    return (np.fft.ifft(omega * np.fft.fft(q)).real + 1j * p) / np.sqrt(2)


@finite
def mode_energy(chain: Chain, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    r"""The energy at each wave number, :math:`W(k) = |\hat\psi(k)|^2/n`, shape (..., n).

    Its mean over k, the discrete :math:`\int dk\, W`, is the energy per site.  Errors as in `wave_field`.
    """
    return np.abs(np.fft.fft(wave_field(chain, q, p))) ** 2 / chain.n


@finite
def wave_action(chain: Chain, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    r"""The wave action :math:`W(k)/\omega(k)`, shape (..., n).

    Without a pin the mode k = 0 is a translation, not a wave; its action is
    given as 0.  Errors as in `wave_field`.
    """
    energy = mode_energy(chain, q, p)
    omega = dispersion(chain, wave_numbers(chain.n))
    return np.divide(energy, omega, out=np.zeros_like(energy), where=omega > 0)
