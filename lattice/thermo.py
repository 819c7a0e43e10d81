r"""Equilibrium of a chain: canonical sampling, partition function, energy, heat capacity.

Harmonic chains are solved by their normal modes.  Anharmonic chains without pins have independent stretches,
each a quadrature; a ring or two walls fix their sum.  With pins, a transfer operator takes the displacements
one after the other.  All are exact to 1e-10 at least; what has no equilibrium, or lies so deep in narrow
wells that a grid would be too fine, is refused.

Modes that cost no energy (the translation of a chain without pins and walls)
have no canonical distribution of their displacement.  The choice made here: the
displacement along such a mode is fixed at 0, the momenta are left as the
canonical ensemble has them, independent on all sites.  The stretches r and the
momenta p are then canonical on every chain.  An anharmonic chain without pins and walls
has its centre of mass at 0 likewise; a chain that falls into parts is refused if it is anharmonic.

Where all forces are cosines of one wave number m, as for rotors, displacements and
stretches are angles: integrals are over one turn :math:`2\pi/m` of each.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._check import finite, generator, instance, integer, number, reals, shown, work
from ._quadrature import Gibbs, laws
from ._stretches import Stretches
from ._transfer import Transfer
from .branches import shape_of, to_branches
from .chain import Bond, Chain, State
from .crystal import Crystal
from .modes import normal_modes
from .waves import dispersion, wave_numbers

__all__ = [
    "bond_average",
    "bose_einstein",
    "heat_capacity",
    "log_partition",
    "mean_energy",
    "oscillator_heat_capacity",
    "site_average",
    "thermal",
]


MOST_NUMBERS = 1e10  # of a sample: 80 GB
COLDEST, HOTTEST = 1e-100, 1e100  # of an anharmonic chain


def _equilibrium(
    chain: Chain, temperature: float, *, quantum: bool = False, positive: bool = False
) -> tuple[float, Stretches | Transfer | None]:
    """The temperature, checked, and the displacements of an anharmonic chain; None of a harmonic one."""
    instance("chain", chain, Chain, "a Chain")
    instance("quantum", quantum, bool, "True or False")
    if chain.is_harmonic:
        return number("temperature", temperature, **({"above": 0} if positive else {"least": 0})), None
    if quantum:
        raise ValueError("quantum = True; allowed: False for an anharmonic chain")
    T = number("temperature", temperature, above=0)
    return number("temperature", T, least=COLDEST, most=HOTTEST), _displacements(chain, T)


@functools.lru_cache(maxsize=8)
def _displacements(chain: Chain, T: float) -> Stretches | Transfer:
    unpinned = all(law.is_zero for law in laws("pin", chain.pin, chain.n)[0])
    return Stretches(chain, T) if unpinned else Transfer(chain, T)


def _is_wave(medium: Chain | Crystal) -> bool:
    """Whether plane waves are the normal modes, so that the fast transform serves."""
    return isinstance(medium, Crystal) or (medium.periodic and medium.is_uniform)


def _halves(omega: NDArray[np.float64], T: float) -> NDArray[np.float64]:
    """ω/2T, at most 800: beyond, functions of it have their limits in float64, that of T = 0 too."""
    return omega / 2 / np.maximum(T, omega / 1600)


def _of_an_oscillator(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The heat capacity (x/sinh x)², x = ω/2T, as 2x e^{-x}/(1 - e^{-2x}) without overflow."""
    return (2 * x * np.exp(-x) / -np.expm1(-2 * x)) ** 2


def _inverse(omega: NDArray[np.float64]) -> NDArray[np.float64]:
    """1/ω, 0 for modes that cost no energy."""
    return np.divide(1.0, omega, out=np.zeros_like(omega), where=omega > 0)


def _frequencies(chain: Chain) -> tuple[int, NDArray[np.float64]]:
    """The number of modes that cost no energy, and the frequencies of the others."""
    omega = dispersion(chain) if _is_wave(chain) else normal_modes(chain).frequencies
    moving = omega[omega > 0]
    return chain.n - len(moving), moving


def _inverse_root(medium: Chain | Crystal, z: NDArray[np.float64]) -> NDArray[np.float64]:
    r""":math:`\Phi^{-1/2} z` on the last axes, 0 along modes that cost no energy.

    The symmetric root is the same matrix whichever modes it is computed from.
    """
    if not _is_wave(medium):
        modes = normal_modes(medium)
        return (z @ modes.shapes.T * _inverse(modes.frequencies)) @ modes.shapes
    inverse, shape = _inverse(dispersion(medium)), shape_of(medium)
    axes, half = tuple(range(-len(shape), 0)), inverse[..., : shape[-1] // 2 + 1]
    modes = to_branches(medium, np.fft.rfftn(z, axes=axes)) * half
    return np.fft.irfftn(to_branches(medium, modes, back=True), shape, axes=axes)


@finite
def thermal(
    medium: Chain | Crystal, temperature: float, replicas: int, *, rng: np.random.Generator | int
) -> State:
    r"""Independent exact samples of the canonical ensemble :math:`e^{-H/T}` of a chain or a crystal.

    Parameters
    ----------
    medium : Chain or Crystal
        A chain of any boundary and any coefficients with which there is an equilibrium.  A uniform harmonic
        ring or a crystal of n sites takes :math:`O(n \log n)` work, other harmonic chains their eigenvectors.
        An anharmonic chain takes O(n).
    temperature : float
        Temperature, not negative; if the chain is anharmonic, between 1e-100 and 1e100.
    replicas : int
        Number of samples.
    rng : Generator or seed
        Where the randomness comes from; a Generator is advanced.

    Returns
    -------
    State
        q and p, shape (replicas, n), of a crystal ``(replicas, components, *shape)``:
        :math:`\langle p_i p_j\rangle = T\delta_{ij}` and, if all forces are linear,
        :math:`\langle q_i q_j\rangle = T\,(\Phi^{-1})_{ij}`, the
        pseudo-inverse if some mode costs no energy: without pins and walls
        :math:`\sum_j q_j = 0`, while the total momentum has variance nT.
        Subtract ``p.mean(axis=-1, keepdims=True)`` for a chain whose centre of mass rests.

    Raises
    ------
    ValueError
        If the chain has no equilibrium or needs too fine a grid, the temperature is not allowed, `replicas`
        is not a positive integer, `rng` is neither a Generator nor a seed, or a
        displacement is beyond the floats.

    Notes
    -----
    Anharmonic chains without pins: stretches are drawn by rejection, without error.  Where they have to add
    up to 0, they are drawn under the tension that makes their mean sum vanish, half of them first, accepted
    as likely as it is that the others make up for them, and so on.  With pins: displacements are drawn from
    right to left, given their neighbour and what the transfer operator says of all to the left.  Each takes a
    node of a grid that lies at random, which is exact as far as sums over the grid are integrals, to 1e-10.
    """
    if isinstance(instance("medium", medium, (Chain, Crystal), "a Chain or a Crystal"), Crystal):
        T, displacements = number("temperature", temperature, least=0), None
        shape = medium.components, *medium.shape
    else:
        (T, displacements), shape = _equilibrium(medium, temperature), (medium.n,)
    replicas, rng = integer("replicas", replicas, least=1), generator(rng)
    work("replicas", replicas, 2.0 * replicas * math.prod(shape), MOST_NUMBERS)
    if displacements is not None:
        q = displacements.draw(replicas, rng)
        return State(q, math.sqrt(T) * rng.standard_normal(q.shape))
    z, p = math.sqrt(T) * rng.standard_normal((2, replicas, *shape))
    return State(_inverse_root(medium, z), p)


@finite
def log_partition(chain: Chain, temperature: float) -> float:
    r"""The logarithm of the classical partition function :math:`Z = \int e^{-H/T}\,dq\,dp`.

    .. math:: \log Z = \tfrac{2n - z}{2}\log(2\pi T) - \sum_{\omega_a > 0} \log\omega_a

    for a harmonic chain, with z the number of modes that cost no energy, whose (orthonormal)
    displacements are not integrated over.  The free energy is :math:`-T\log Z`.

    Parameters
    ----------
    chain : Chain
        Any boundary, any coefficients with which there is an equilibrium.
    temperature : float
        Temperature, positive.

    Returns
    -------
    float
        log Z of the whole chain.

    Raises
    ------
    ValueError
        If the chain has no equilibrium or needs too fine a grid, or the temperature is not positive.
    """
    T, displacements = _equilibrium(chain, temperature, positive=True)
    if displacements is not None:
        return chain.n / 2 * math.log(2 * math.pi * T) + displacements.thermodynamics[0]
    _, omega = _frequencies(chain)
    return (chain.n + len(omega)) / 2 * math.log(2 * math.pi * T) - float(np.log(omega).sum())


@finite
def mean_energy(chain: Chain, temperature: float, *, quantum: bool = False) -> float:
    r"""The mean energy in equilibrium.

    Parameters
    ----------
    chain : Chain
        Any boundary, any coefficients with which there is an equilibrium.
    temperature : float
        Temperature, not negative; if the chain is anharmonic, between 1e-100 and 1e100.
    quantum : bool
        Of harmonic chains only.  Classically each of their modes has T; with :math:`\hbar = 1` it has
        :math:`\frac\omega2 \coth\frac\omega{2T}`, zero-point energy included.
        A mode that costs no energy has its T/2 of kinetic energy in both.

    Returns
    -------
    float
        Of the whole chain.

    Raises
    ------
    ValueError
        If the chain has no equilibrium or needs too fine a grid, the temperature is not allowed, or an
        anharmonic chain is to be quantum.
    """
    T, displacements = _equilibrium(chain, temperature, quantum=quantum)
    if displacements is not None:
        return T * (chain.n / 2 + displacements.thermodynamics[1])
    free, omega = _frequencies(chain)
    if not quantum:
        return T * (free / 2 + len(omega))
    return free * T / 2 + float(np.sum(omega / 2 / np.tanh(_halves(omega, T))))


@finite
def heat_capacity(chain: Chain, temperature: float, *, quantum: bool = False) -> float:
    r"""The heat capacity, the derivative of `mean_energy` with respect to T.

    Parameters
    ----------
    chain : Chain
        Any boundary, any coefficients with which there is an equilibrium.
    temperature : float
        Temperature, not negative; if the chain is anharmonic, between 1e-100 and 1e100.
    quantum : bool
        Of harmonic chains only.  Classically each of their modes contributes 1; with :math:`\hbar = 1` it
        contributes :math:`(x/\sinh x)^2`, :math:`x = \omega/2T`.  A mode that
        costs no energy contributes 1/2 in both.

    Returns
    -------
    float
        Of the whole chain, in units of Boltzmann's constant.

    Raises
    ------
    ValueError
        If the chain has no equilibrium or needs too fine a grid, the temperature is not allowed, or an
        anharmonic chain is to be quantum.
    """
    T, displacements = _equilibrium(chain, temperature, quantum=quantum)
    if displacements is not None:
        return chain.n / 2 + displacements.thermodynamics[2]
    free, omega = _frequencies(chain)
    if not quantum:
        return free / 2 + len(omega)
    return free / 2 + float(np.sum(_of_an_oscillator(_halves(omega, T))))


def _halves_of(omega: ArrayLike, temperature: ArrayLike, *, zero: bool) -> NDArray[np.float64]:
    """ω/2T, at most 800, of frequencies and temperatures that are checked and broadcast."""
    omega, T = reals("omega", omega), reals("temperature", temperature)
    if omega.min() < 0 or (omega.min() == 0 and not zero):
        raise ValueError(f"omega = {shown(omega)}; allowed: numbers {'at least' if zero else 'above'} 0")
    if T.min() < 0:
        raise ValueError(f"temperature = {shown(T)}; allowed: numbers at least 0")
    try:
        omega, T = np.broadcast_arrays(omega, T)
    except ValueError as error:
        raise ValueError(
            f"omega has shape {omega.shape} and temperature {T.shape}; allowed: what broadcasts together"
        ) from error
    return _halves(omega, T)


@finite
def bose_einstein(omega: ArrayLike, temperature: ArrayLike) -> NDArray[np.float64]:
    r"""The mean number of quanta of an oscillator in equilibrium, :math:`1/(e^{\omega/T} - 1)`.

    With :math:`\hbar = k_B = 1`.

    Parameters
    ----------
    omega : array_like
        Frequencies, positive.
    temperature : array_like
        Temperatures, not negative; the two are broadcast against each other.

    Returns
    -------
    array
        To the round-off of ω/T: close to T/ω for slow oscillators and 0 for T = 0.

    Raises
    ------
    ValueError
        If a number is not as stated, shapes do not fit, or a mean number is beyond the floats.
    """
    x = 2 * _halves_of(omega, temperature, zero=False)
    return np.exp(-x) / -np.expm1(-x)


@finite
def oscillator_heat_capacity(omega: ArrayLike, temperature: ArrayLike) -> NDArray[np.float64]:
    r"""The heat capacity of an oscillator, :math:`x^2 e^x/(e^x - 1)^2` with :math:`x = \omega/T`.

    With :math:`\hbar = k_B = 1`.  It is the derivative of ω times `bose_einstein` with respect to T.

    Parameters
    ----------
    omega : array_like
        Frequencies, not negative.
    temperature : array_like
        Temperatures, not negative; the two are broadcast against each other.

    Returns
    -------
    array
        To the round-off of ω/T: close to 1 for slow oscillators, 1 for ω = 0 at any temperature, and else 0
        for T = 0.

    Raises
    ------
    ValueError
        If a number is not as stated, or shapes do not fit.
    """
    x = _halves_of(omega, temperature, zero=True)
    return np.where(x > 0, _of_an_oscillator(x), 1.0)[()]  # ω = 0 may be at T = 0


def _widths(chain: Chain, T: float, bonds: bool) -> NDArray[np.float64]:
    """Standard deviations of the stretches, or of the displacements, of a harmonic chain."""
    if _is_wave(chain):
        k = wave_numbers(chain.n)
        omega, size = dispersion(chain, k), 2 * np.sin(np.pi * k) if bonds else np.ones(chain.n)
        shapes = size[:, None] / math.sqrt(chain.n)
    else:
        modes = normal_modes(chain)
        omega, shapes = modes.frequencies, chain._stretches(modes.shapes) if bonds else modes.shapes
    return math.sqrt(T) * np.sqrt(np.sum((shapes * _inverse(omega)[:, None]) ** 2, axis=0))


def _average(chain: Chain, temperature: float, quantity: Callable, bonds: bool) -> float:
    T, displacements = _equilibrium(chain, temperature, positive=True)
    instance("quantity", quantity, Callable, "a function of an array")

    def checked(x: NDArray[np.float64]) -> NDArray[np.float64]:
        value = reals("quantity", quantity(x))
        if value.shape != x.shape:
            raise ValueError(f"quantity has the value of shape {value.shape} of {x.shape}; allowed: the same")
        return value

    if displacements is not None:
        return float((displacements.bond_average if bonds else displacements.site_average)(checked))
    normal = Gibbs(Bond(chi=1.0), 1.0)
    return float(np.mean(checked(_widths(chain, T, bonds)[:, None] * normal.r) @ normal.weights))


@finite
def bond_average(chain: Chain, temperature: float, quantity: Callable) -> float:
    r"""The exact average of a function of the stretches, :math:`\frac1{n_b}\sum_b\langle f(r_b)\rangle`.

    For instance :math:`r^2`, or ``chain.bond.slope``, the tension of a uniform chain.

    Parameters
    ----------
    chain : Chain
        Any boundary, any coefficients with which there is an equilibrium.
    temperature : float
        Temperature, positive.
    quantity : callable
        f, smooth, from an array of any shape to one of the same shape; periodic if the stretches are angles.

    Returns
    -------
    float
        The average over the stretches and over the bonds.

    Raises
    ------
    ValueError
        If the chain has no equilibrium or needs too fine a grid, the temperature is not positive, or a
        value of the quantity is not finite or has another shape.
    """
    return _average(chain, temperature, quantity, bonds=True)


@finite
def site_average(chain: Chain, temperature: float, quantity: Callable) -> float:
    r"""The exact average of a function of the displacements, :math:`\frac1n\sum_j\langle f(q_j)\rangle`.

    Parameters
    ----------
    chain, temperature, quantity
        As in `bond_average`, with displacements for stretches; an anharmonic chain has to have a pin.

    Returns
    -------
    float
        The average over the displacements and over the sites.

    Raises
    ------
    ValueError
        As `bond_average` does, and if an anharmonic chain has no pin.
    """
    return _average(chain, temperature, quantity, bonds=False)
