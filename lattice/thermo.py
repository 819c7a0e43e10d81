r"""Equilibrium of the harmonic chain: canonical sampling, partition function, heat capacity.

Modes that cost no energy (the translation of a chain without pins and walls)
have no canonical distribution of their displacement.  The choice made here: the
displacement along such a mode is fixed at 0, the momenta are left as the
canonical ensemble has them, independent on all sites.  The stretches r and the
momenta p are then canonical on every chain.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ._check import finite, generator, instance, integer, number, work
from .chain import Chain, State
from .crystal import Crystal
from .waves import dispersion, normal_modes, wave_numbers

__all__ = ["heat_capacity", "log_partition", "mean_energy", "thermal"]


MOST_NUMBERS = 1e10  # of a sample: 80 GB


def _harmonic(chain: Chain) -> None:
    """Refuse anharmonic chains."""
    instance("chain", chain, Chain, "a Chain")
    anharmonic = [
        f"{name}.{coefficient}"
        for name, law in (("bond", chain.bond), ("pin", chain.pin))
        for coefficient in ("alpha", "beta", "J")
        if np.any(getattr(law, coefficient))
    ]
    if anharmonic:
        raise ValueError(f"chain has {', '.join(anharmonic)} other than 0; allowed: a harmonic chain")


def _is_wave(chain: Chain) -> bool:
    """Whether plane waves are the normal modes, so that the fast transform serves."""
    return chain.periodic and chain.is_uniform


def _frequencies(chain: Chain) -> NDArray[np.float64]:
    """The n normal frequencies, 0 for modes that cost no energy."""
    if _is_wave(chain):
        return dispersion(chain, wave_numbers(chain.n))
    return normal_modes(chain).frequencies


def _inverse_root(chain: Chain, z: NDArray[np.float64]) -> NDArray[np.float64]:
    r""":math:`\Phi^{-1/2} z` on the last axis, 0 along modes that cost no energy.

    The symmetric root is the same matrix whichever modes it is computed from.
    """
    modes = None if _is_wave(chain) else normal_modes(chain)
    omega = dispersion(chain, wave_numbers(chain.n)) if modes is None else modes.frequencies
    inverse = np.divide(1.0, omega, out=np.zeros_like(omega), where=omega > 0)
    if modes is None:
        return np.fft.irfft(inverse[: chain.n // 2 + 1] * np.fft.rfft(z), chain.n)
    return (z @ modes.shapes.T * inverse) @ modes.shapes


def _halves(omega: NDArray[np.float64], T: float) -> NDArray[np.float64]:
    """ω/2T, infinite at T = 0."""
    with np.errstate(divide="ignore", over="ignore"):
        return omega / (2 * T)


def _of_crystal(crystal: Crystal, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """`_inverse_root` of a crystal, the sites in the last axes."""
    omega, axes = crystal.frequencies, tuple(range(-crystal.d, 0))
    inverse = np.divide(1.0, omega, out=np.zeros_like(omega), where=omega > 0)
    return np.fft.ifftn(np.fft.fftn(z, axes=axes) * inverse, axes=axes).real


@finite
def thermal(
    medium: Chain | Crystal, temperature: float, replicas: int, *, rng: np.random.Generator | int
) -> State:
    r"""Independent exact samples of the canonical ensemble :math:`e^{-H/T}` of a harmonic chain or a crystal.

    Parameters
    ----------
    medium : Chain or Crystal
        A harmonic chain, any boundary, any coefficients.  A uniform ring or a crystal of n sites takes
        :math:`O(n \log n)` work, any other chain its eigenvectors.
    temperature : float
        Temperature, not negative.
    replicas : int
        Number of samples.
    rng : Generator or seed
        Where the randomness comes from; a Generator is advanced.

    Returns
    -------
    State
        q and p, shape (replicas, n), of a crystal ``(replicas, d, *shape)``:
        :math:`\langle p_i p_j\rangle = T\delta_{ij}` and
        :math:`\langle q_i q_j\rangle = T\,(\Phi^{-1})_{ij}`, the
        pseudo-inverse if some mode costs no energy: without pins and walls
        :math:`\sum_j q_j = 0`, while the total momentum has variance nT.
        Subtract ``p.mean(axis=-1, keepdims=True)`` for a chain whose centre of mass rests.

    Raises
    ------
    ValueError
        If the chain is anharmonic or not stable, the temperature is negative, `replicas` is
        not a positive integer, `rng` is neither a Generator nor a seed, or a
        displacement is beyond the floats.
    """
    instance("medium", medium, (Chain, Crystal), "a Chain or a Crystal")
    crystal = isinstance(medium, Crystal)
    if not crystal:
        _harmonic(medium)
    T, replicas, rng = (
        number("temperature", temperature, least=0),
        integer("replicas", replicas, least=1),
        generator(rng),
    )
    shape = (medium.d, *medium.shape) if crystal else (medium.n,)
    work("replicas", replicas, 2.0 * replicas * math.prod(shape), MOST_NUMBERS)
    z, p = math.sqrt(T) * rng.standard_normal((2, replicas, *shape))
    return State(_of_crystal(medium, z) if crystal else _inverse_root(medium, z), p)


@finite
def log_partition(chain: Chain, temperature: float) -> float:
    r"""The logarithm of the classical partition function :math:`Z = \int e^{-H/T}\,dq\,dp`.

    .. math:: \log Z = \tfrac{2n - z}{2}\log(2\pi T) - \sum_{\omega_a > 0} \log\omega_a

    with z the number of modes that cost no energy, whose (orthonormal)
    displacements are not integrated over.  The free energy is :math:`-T\log Z`.

    Raises
    ------
    ValueError
        If the chain is anharmonic or not stable, or the temperature is not positive.
    """
    _harmonic(chain)
    T = number("temperature", temperature, above=0)
    omega = _frequencies(chain)
    omega = omega[omega > 0]
    return (chain.n + len(omega)) / 2 * math.log(2 * math.pi * T) - float(np.log(omega).sum())


@finite
def mean_energy(chain: Chain, temperature: float, *, quantum: bool = False) -> float:
    r"""The mean energy in equilibrium.

    Parameters
    ----------
    chain : Chain
        Harmonic, any boundary, any coefficients.
    temperature : float
        Temperature, not negative.
    quantum : bool
        Classically each mode has T; with :math:`\hbar = 1` it has
        :math:`\frac\omega2 \coth\frac\omega{2T}`, zero-point energy included.
        A mode that costs no energy has its T/2 of kinetic energy in both.

    Raises
    ------
    ValueError
        If the chain is anharmonic or not stable, or the temperature is negative.
    """
    _harmonic(chain)
    T, _ = number("temperature", temperature, least=0), instance("quantum", quantum, bool, "True or False")
    omega = _frequencies(chain)
    free = chain.n - np.count_nonzero(omega)
    omega = omega[omega > 0]
    if not quantum:
        return T * (free / 2 + len(omega))
    return free * T / 2 + float(np.sum(omega / 2 / np.tanh(_halves(omega, T))))


@finite
def heat_capacity(chain: Chain, temperature: float, *, quantum: bool = False) -> float:
    r"""The heat capacity, the derivative of `mean_energy` with respect to T.

    Parameters
    ----------
    chain : Chain
        Harmonic, any boundary, any coefficients.
    temperature : float
        Temperature, not negative.
    quantum : bool
        Classically each mode contributes 1; with :math:`\hbar = 1` it
        contributes :math:`(x/\sinh x)^2`, :math:`x = \omega/2T`.  A mode that
        costs no energy contributes 1/2 in both.

    Raises
    ------
    ValueError
        If the chain is anharmonic or not stable, or the temperature is negative.
    """
    _harmonic(chain)
    T, _ = number("temperature", temperature, least=0), instance("quantum", quantum, bool, "True or False")
    omega = _frequencies(chain)
    free = chain.n - np.count_nonzero(omega)
    omega = omega[omega > 0]
    if not quantum:
        return free / 2 + len(omega)
    # x/sinh x = 2x e^{-x}/(1 - e^{-2x}) has no overflow; beyond x = 800 it is 0 in float64
    x = np.minimum(_halves(omega, T), 800.0)
    return free / 2 + float(np.sum((2 * x * np.exp(-x) / -np.expm1(-2 * x)) ** 2))
