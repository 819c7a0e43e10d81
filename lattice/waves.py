r"""Waves of chains and crystals: wave numbers, dispersion, the Fourier convention, wave fields.

One convention everywhere: wave numbers :math:`k \in [0, 1)` in each direction, and
:math:`\hat f(k) = \sum_y e^{-2\pi i k \cdot y} f(y)`.  A *medium* is a chain or a crystal.  The sites of a
crystal, and its wave vectors, are d axes of an array, ``(..., *shape)``.  Unless its components are all
alike, the axis before holds them, or the branches of its waves, ``(..., branches, *shape)``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._check import field, finite, generator, instance, integer, reals, work
from .branches import (
    Medium,
    branches_of,
    frequency,
    shape_of,
    to_branches,
    turns_of,
    velocities_of,
    velocity,
)
from .chain import MOST_SITES, Bond, Chain, Pin, State, canonical
from .crystal import MOST_NUMBERS, Crystal

__all__ = [
    "dispersion",
    "fourier",
    "group_velocity",
    "inverse_fourier",
    "mean_chain",
    "mode_energy",
    "phase_space",
    "random_phases",
    "wave_action",
    "wave_field",
    "wave_numbers",
]


def wave_numbers(n: int | tuple[int, ...]) -> NDArray[np.float64]:
    """The wave numbers j/n of a ring, or the wave vectors of a torus.

    Parameters
    ----------
    n : int or tuple of int
        Sites of a ring, or along each direction of a torus.

    Returns
    -------
    (n,) array, or ``(*n, d)`` array
        Ascending in [0, 1) along each axis; those of a torus have their components in the last one.

    Raises
    ------
    ValueError
        If a number of sites is not a positive integer, or there are more than 10⁹ of them.
    """
    shape = n if isinstance(n, tuple) and n else (n,)
    shape = tuple(integer("n", part, least=1, most=MOST_SITES) for part in shape)
    work("n", n, math.prod(shape), MOST_SITES)
    axes = [np.arange(part) / part for part in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) if isinstance(n, tuple) else axes[0]


def _transformed(name: str, values: ArrayLike, d: int, transform) -> NDArray[np.complex128]:
    values, d = field(name, values), integer("d", d, least=1)
    if values.ndim < d:
        raise ValueError(f"{name} has shape {values.shape}; allowed: at least d = {d} axes")
    return transform(values, axes=tuple(range(-d, 0)))


@finite
def fourier(f: ArrayLike, *, d: int = 1) -> NDArray[np.complex128]:
    r"""The transform :math:`\hat f(k) = \sum_y e^{-2\pi i k \cdot y} f(y)`.

    Parameters
    ----------
    f : array_like
        The sites in the last d axes.
    d : int
        Number of dimensions.

    Returns
    -------
    array
        In the shape of f, the wave numbers in the last d axes.

    Raises
    ------
    ValueError
        If f has no entries, one that is not finite or fewer than d axes.
    """
    return _transformed("f", f, d, np.fft.fftn)


@finite
def inverse_fourier(f_hat: ArrayLike, *, d: int = 1) -> NDArray[np.complex128]:
    r"""The inverse :math:`f(y) = \frac1N \sum_k e^{2\pi i k \cdot y} \hat f(k)`, N the number of sites.

    Parameters
    ----------
    f_hat : array_like
        The wave numbers in the last d axes.
    d : int
        Number of dimensions.

    Returns
    -------
    array
        In the shape of f_hat, the sites in the last d axes.

    Raises
    ------
    ValueError
        As `fourier` does.
    """
    return _transformed("f_hat", f_hat, d, np.fft.ifftn)


def _axes(medium: Medium) -> tuple[int, ...]:
    """Those of the sites."""
    return tuple(range(-len(shape_of(medium)), 0))


def _springs(medium: Medium) -> tuple[NDArray[np.int64], NDArray[np.float64], float]:
    """Steps z (springs, d) and stiffnesses χ (springs,) of the bonds, and ω₀² of the pins."""
    instance("medium", medium, Medium, "a Chain or a Crystal")
    if isinstance(medium, Crystal):
        return *medium.springs, medium.pin.chi
    if not medium.is_uniform:
        raise ValueError(
            "chain has coefficients that depend on the place; allowed: a uniform chain, "
            "or the mean_chain of another"
        )
    chi = float(medium.bond.curvature(0.0))
    pin = float(medium.pin.curvature(0.0))
    if pin < 0 or pin + 4 * chi < 0:
        raise ValueError(f"chain has stiffness {chi} and pinning {pin}; allowed: ω² ≥ 0 for every k")
    return np.array([[1]]), np.array([chi]), pin


@finite
def dispersion(medium: Medium, k: ArrayLike | None = None) -> NDArray[np.float64]:
    r"""The dispersion relation :math:`\omega(k) = \sqrt{\omega_0^2 + 4\sum_z \chi_z \sin^2 \pi k \cdot z}`.

    Parameters
    ----------
    medium : Chain or Crystal
        A uniform chain, for which the sum is :math:`\chi \sin^2 \pi k`; :math:`\chi` and
        :math:`\omega_0^2` are the curvatures of its bond and its pin at rest, and its boundary does not
        matter here.  Or a crystal, with a term for each step z of its bonds.  If it is not scalar, ω² are
        the eigenvalues of its dynamical matrix

        .. math::

            D(k) &= \mathrm{diag}(\omega_0^2) + \textstyle\sum_z 4 \sin^2(\pi k \cdot z)\, X_z , \\
            X_z &= \chi_z^{\text{along}}\, \hat z \hat z^\top \\
                &\quad + \chi_z^{\text{across}} (1 - \hat z \hat z^\top) .

    k : array_like, optional
        Wave numbers (...) of a chain, wave vectors (..., d) of a crystal; all those of the ring or torus
        unless given.

    Returns
    -------
    array
        ω, shape (...); on the grid of wave numbers ``(*shape,)``.  Of a crystal that is not scalar the
        branches come first, ``(branches, ...)``: branch s is component s if D(k) is diagonal for every k,
        otherwise they ascend.

    Raises
    ------
    ValueError
        If the chain is not uniform or not stable, or a wave number is not finite.

    Notes
    -----
    This is what the Hamiltonians of Basile, Olla and Spohn, eqs. (1) and (45), give; their
    eq. (3) has :math:`2\chi` in place of :math:`4\chi` (claim ``bos-3``).  Their general couplings are
    :math:`\alpha(\pm z) = -\chi_z`, and :math:`\omega^2 = \hat\alpha`.

    ω is exact to round-off, however small it is, unless components mix: then all branches have an error of a
    few units of round-off of the highest at that k.  Waves that cost no energy have ω = 0 exactly.
    """
    if isinstance(medium, Crystal) and not medium.is_scalar:
        return np.ascontiguousarray(np.moveaxis(branches_of(medium, k)[0], -1, 0))
    steps, chi, pin = _springs(medium)
    return frequency(chi, pin, turns_of(medium, steps, k))


@finite
def group_velocity(medium: Medium, k: ArrayLike | None = None) -> NDArray[np.float64]:
    r"""The group velocity :math:`v = \nabla\omega/2\pi = \sum_z z\, \chi_z \sin(2\pi k \cdot z)/\omega`.

    In sites per unit time.  Where ω is 0, without a pin at k = 0 for example, v is given as 0, the mean over
    all directions.  That of an unpinned chain jumps there from :math:`-\sqrt\chi` to :math:`+\sqrt\chi`.

    Of branches :math:`v_s = e_s^\top \nabla D\, e_s/4\pi\omega_s`.  Where branches of components that mix
    coincide, to 1e-10 of the highest frequency, component i of their v holds the eigenvalues of
    :math:`\partial_i D/4\pi\omega` in the space that they share, ascending.  These are the slopes of the
    branches on the line through k along axis i; on the d lines they may belong to different waves.

    Parameters
    ----------
    medium, k
        As in `dispersion`.

    Returns
    -------
    array
        v, shape (...) for a chain, (..., d) for a crystal; ``(branches, ..., d)`` if it is not scalar.

    Raises
    ------
    ValueError
        As `dispersion` does.
    """
    if isinstance(medium, Crystal) and not medium.is_scalar:
        return np.ascontiguousarray(np.moveaxis(velocities_of(medium, k), -2, 0))
    steps, chi, pin = _springs(medium)
    v = velocity(steps, chi, pin, turns_of(medium, steps, k))
    return v[..., 0] if isinstance(medium, Chain) else v


def mean_chain(chain: Chain) -> Chain:
    """The mean harmonic chain of a ring: uniform, with the means of the curvatures at rest.

    Its plane waves are what the modes of a chain with bonds that differ, or are anharmonic, are taken to be.

    Parameters
    ----------
    chain : Chain
        A ring.

    Returns
    -------
    Chain
        Of as many sites; its coefficients are numbers.

    Raises
    ------
    ValueError
        If the chain is not a ring.
    """
    if not instance("chain", chain, Chain, "a Chain").periodic:
        raise ValueError(f"chain has boundary = {chain.boundary!r}; allowed: a ring, 'periodic'")
    laws = {"bond": Bond, "pin": Pin}
    means = {name: np.mean(getattr(chain, name).curvature(0.0)) for name in laws}
    return Chain(chain.n, **{name: law(chi=means[name]) for name, law in laws.items()})


def _frequencies(medium: Medium) -> NDArray[np.float64]:
    """ω on the grid, of a chain that of its mean chain."""
    instance("medium", medium, Medium, "a Chain or a Crystal")
    return dispersion(mean_chain(medium) if isinstance(medium, Chain) else medium)


@finite
def wave_field(medium: Medium, q: ArrayLike, p: ArrayLike) -> NDArray[np.complex128]:
    r"""The wave field :math:`\psi = (\tilde\omega * q + i p)/\sqrt2`.

    In Fourier space :math:`\hat\psi(k) = (\omega(k) \hat q(k) + i \hat p(k))/\sqrt2`;
    the harmonic dynamics turns it by :math:`e^{-i\omega(k) t}`, and
    :math:`\sum_y |\psi(y)|^2` is the energy (Basile, Olla and Spohn, eqs. (13) and (50)).  Of a crystal that
    is not scalar ω is the root of the dynamical matrix, and :math:`e_s(k) \cdot \hat\psi(k)` turns with
    :math:`\omega_s(k)`.

    Parameters
    ----------
    medium : Chain or Crystal
        A crystal, or a ring with any coefficients: its waves are those of its `mean_chain`.  Of a chain that
        is not uniform or not harmonic ψ then holds the energy of the mean chain, and turns only nearly so.
    q, p : array_like
        Displacements and momenta, (..., n) of a chain, ``(..., *shape)`` of a crystal, whose components are
        among the first axes; ``(..., components, *shape)`` if it is not scalar.

    Returns
    -------
    array
        ψ, in the shape of q.

    Raises
    ------
    ValueError
        If the chain is not a ring or its mean chain not stable, or the shape of q or p does not fit or an
        entry is not finite.
    """
    omega, axes = _frequencies(medium), _axes(medium)
    q, p = canonical(medium, q, p)
    stretched = to_branches(medium, omega * to_branches(medium, np.fft.fftn(q, axes=axes)), back=True)
    return (np.fft.ifftn(stretched, axes=axes).real + 1j * p) / np.sqrt(2)


@finite
def phase_space(medium: Medium, psi: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""The inverse of `wave_field`: :math:`\hat q = \sqrt2\, \widehat{\mathrm{Re}\,\psi}/\omega`,
    :math:`p = \sqrt2\, \mathrm{Im}\,\psi`.

    Parameters
    ----------
    medium : Chain or Crystal
        As in `wave_field`.
    psi : array_like
        ψ, (..., n) of a chain, ``(..., *shape)`` of a crystal, ``(..., components, *shape)`` if it is not
        scalar.

    Returns
    -------
    q, p : arrays
        Displacements and momenta, in the shape of ψ.  What the real part of ψ has along waves of frequency 0
        no displacement can give: it is left out, and q is 0 along them.

    Raises
    ------
    ValueError
        As `wave_field` does.
    """
    omega, axes = _frequencies(medium), _axes(medium)
    psi = field("psi", psi)
    if psi.shape[-omega.ndim :] != omega.shape:
        raise ValueError(f"psi has shape {psi.shape}; allowed: (..., {str(omega.shape)[1:]}")
    q = to_branches(medium, np.fft.fftn(psi.real, axes=axes))
    q = np.divide(q, omega, out=np.zeros_like(q), where=omega > 0)
    q = to_branches(medium, q, back=True)
    return np.sqrt(2) * np.fft.ifftn(q, axes=axes).real, np.sqrt(2) * psi.imag


@finite
def mode_energy(medium: Medium, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    r"""The energy at each wave number, :math:`W(k) = |\hat\psi(k)|^2/N`, N the number of sites.

    Its mean over k, the discrete :math:`\int dk\, W`, is the energy per site of the modes of `wave_field`.
    In a crystal that is not scalar each branch has its own, :math:`W_s(k) = |e_s(k) \cdot \hat\psi(k)|^2/N`.
    Where branches coincide only their sum has a meaning.

    Parameters
    ----------
    medium, q, p
        As in `wave_field`.

    Returns
    -------
    array
        W, in the shape of q; branches take the place of components.

    Raises
    ------
    ValueError
        As `wave_field` does.
    """
    modes = np.fft.fftn(wave_field(medium, q, p), axes=_axes(medium))
    return np.abs(to_branches(medium, modes)) ** 2 / medium.n


@finite
def wave_action(medium: Medium, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    r"""The wave action :math:`W(k)/\omega(k)` of the modes of `wave_field`.

    A wave of frequency 0 is a translation; its action is given as 0.

    Parameters
    ----------
    medium, q, p
        As in `wave_field`.

    Returns
    -------
    array
        W/ω, in the shape of W.

    Raises
    ------
    ValueError
        As `wave_field` does.
    """
    energy, omega = mode_energy(medium, q, p), _frequencies(medium)
    return np.divide(energy, omega, out=np.zeros_like(energy), where=omega > 0)


@finite
def random_phases(
    medium: Medium,
    spectrum: ArrayLike,
    replicas: int,
    *,
    rng: np.random.Generator | int,
    gaussian: bool = False,
) -> State:
    r"""Random states with a given energy W(k) at each wave number and independent phases.

    Parameters
    ----------
    medium : Chain or Crystal
        As in `wave_field`.
    spectrum : array_like
        W, (n,) of a chain, ``(*shape,)`` or, with one for each branch, ``(components, *shape)`` of a crystal;
        not negative.
    replicas : int
        Number of states.
    rng : Generator or seed
        Where the randomness comes from; a Generator is advanced.
    gaussian : bool
        Every :math:`\hat\psi(k)` has the modulus :math:`\sqrt{N W(k)}` and a phase that is uniform; or, if
        true, is a complex Gaussian number of this mean square.  With W = T that is the canonical
        ensemble of the harmonic ring or crystal.

    Returns
    -------
    State
        q and p, (replicas, n) or ``(replicas, components, *shape)``; W is their `mode_energy`, or its mean.
        Waves of frequency 0 have no displacement, as in `phase_space`, and half of their W on average.

    Raises
    ------
    ValueError
        If an argument is not as stated, or as `wave_field` does.
    """
    instance("medium", medium, Medium, "a Chain or a Crystal")
    shape = shape_of(medium)
    full = (medium.components, *shape) if isinstance(medium, Crystal) else shape
    spectrum = reals("spectrum", spectrum)
    if spectrum.shape not in (shape, full) or (spectrum < 0).any():
        raise ValueError(
            f"spectrum of shape {spectrum.shape}; allowed: numbers of at least 0 of shape {shape}"
            + (f" or {full}" if full != shape else "")
        )
    replicas, rng = integer("replicas", replicas, least=1), generator(rng)
    instance("gaussian", gaussian, bool, "True or False")
    size, axes = (replicas, *full), _axes(medium)
    work("replicas", replicas, 2.0 * math.prod(size), MOST_NUMBERS)
    if gaussian:  # the modes of white noise
        real, imaginary = rng.normal(scale=math.sqrt(0.5), size=(2, *size))
        modes = np.fft.fftn(real + 1j * imaginary, axes=axes)
    else:
        modes = math.sqrt(medium.n) * np.exp(2j * np.pi * rng.random(size))
    modes = to_branches(medium, modes * np.sqrt(spectrum), back=True)
    return State(*phase_space(medium, np.fft.ifftn(modes, axes=axes)))
