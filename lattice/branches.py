r"""Branches of waves: the frequencies, polarisations and velocities of crystals.

Waves with the wave vector k of a crystal solve :math:`D(k)\, e = \omega^2 e` with the dynamical matrix

.. math:: D(k) = \sum_z 4 \sin^2(\pi k \cdot z) \bigl[\chi_z^{\text{along}}\, \hat z \hat z^\top
          + \chi_z^{\text{across}} (1 - \hat z \hat z^\top)\bigr] + \mathrm{diag}(\omega_0^2)

which is real, and even in k.  It is a square, :math:`D = G^\top G`, of a matrix with one row for each
direction in which a spring or a pin acts: the frequencies are the singular values of G.  They have an error
of a few units of round-off of the largest one at that k, where a matrix of squares would leave the root of
that.  Waves that cost no energy are counted from the directions of the springs that they strain: ω is 0.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._check import finite, instance, reals
from .chain import Chain
from .crystal import Crystal

__all__ = ["polarisations"]

Medium = Chain | Crystal

DEGENERATE = 1e-10  # distance of branches, in units of the largest frequency at that k
SIZEABLE = 0.37  # of a component, in units of the largest: no ratio that a symmetry would make
PARALLEL = 1e-9  # the sine of an angle between springs that act in one direction


def shape_of(medium: Medium) -> tuple[int, ...]:
    """The sites along each direction."""
    return medium.shape if isinstance(medium, Crystal) else (medium.n,)


def turns_of(medium: Medium, steps: NDArray[np.int64], k: ArrayLike | None) -> NDArray[np.float64]:
    """k·z for each step z, in the last axis, up to whole turns."""
    if k is None:  # in whole numbers, so that a full turn is one exactly
        shape = shape_of(medium)
        common = math.lcm(*shape)
        turns = np.moveaxis(np.indices(shape), 0, -1) @ (steps * [common // n for n in shape]).T
        return turns % common / common
    k = reals("k", k)
    k = k[..., None] if isinstance(medium, Chain) else k
    if k.shape[-1:] != steps.shape[1:]:
        raise ValueError(
            f"k has shape {k.shape}; allowed: (..., {steps.shape[1]}), wave vectors of a crystal"
        )
    return np.fmod(np.fmod(k, 1.0) @ steps.T, 1.0)


def frequency(chi: NDArray, pin: float, turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """ω of one component, from the springs and the pin that act on it."""
    return np.sqrt(pin + 4 * (chi * np.sin(np.pi * turns) ** 2).sum(axis=-1))


def velocity(
    steps: NDArray[np.int64], chi: NDArray, pin: float, turns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """∇ω/2π of one component, shape (..., d), 0 where ω is 0."""
    sine, cosine = np.sin(np.pi * turns), np.cos(np.pi * turns)
    if pin == 0 and len(chi) == 1:  # however long the wave
        return (np.sqrt(chi) * cosine * np.sign(sine)) @ steps
    omega = np.sqrt(pin + 4 * (chi * sine**2).sum(axis=-1, keepdims=True))
    flow = (2 * chi * sine * cosine) @ steps
    return np.divide(flow, omega, out=np.zeros_like(flow), where=omega > 0)


def _ranks(sine: NDArray[np.float64], crystal: Crystal) -> NDArray[np.int64]:
    """How many directions cost energy at each k: a matter of which springs are strained, not of how much."""
    _, chi, directions = crystal.rods
    directions = np.concatenate([directions, np.eye(crystal.components)])
    present = np.concatenate([chi > 0, crystal.pins > 0])
    strained = np.concatenate([sine != 0, np.ones((*sine.shape[:-1], crystal.components), bool)], axis=-1)
    some = (present & ~strained).any(axis=-1)  # few: the others strain all
    ranks = np.full(some.shape, np.linalg.matrix_rank(directions[present], tol=PARALLEL))
    ranks[some] = np.linalg.matrix_rank(directions * (present & strained[some])[..., None], tol=PARALLEL)
    return ranks


def branches_of(
    crystal: Crystal, k: ArrayLike | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies, shape (..., branches), and polarisations, (..., branches, components).

    Branches are components where these do not mix, and ascending where they do.
    """
    return _on_the_torus(crystal) if k is None and crystal.mixes else _branches(crystal, k)


@functools.lru_cache(maxsize=2)
def _on_the_torus(crystal: Crystal) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For the transforms of many fields."""
    found = _branches(crystal, None)
    for array in found:
        array.setflags(write=False)
    return found


def _branches(crystal: Crystal, k: ArrayLike | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    steps, chi, directions = crystal.rods
    turns, pins, c = turns_of(crystal, steps, k), crystal.pins, crystal.components
    if not crystal.mixes:
        acts = directions.T != 0
        omega = [frequency(chi[on], pin, turns[..., on]) for on, pin in zip(acts, pins, strict=True)]
        return np.stack(omega, axis=-1), np.broadcast_to(np.eye(c), (*turns.shape[:-1], c, c))
    sine = np.sin(np.pi * turns)
    rows = np.concatenate(
        [
            (2 * sine * np.sqrt(chi))[..., None] * directions,
            np.broadcast_to(np.diag(np.sqrt(pins)), (*turns.shape[:-1], c, c)),
        ],
        axis=-2,
    )
    _, omega, vectors = np.linalg.svd(rows, full_matrices=False)
    omega, vectors = omega[..., ::-1], vectors[..., ::-1, :]
    large = np.abs(vectors) > SIZEABLE * np.abs(vectors).max(axis=-1, keepdims=True)
    sign = np.sign(np.take_along_axis(vectors, large.argmax(axis=-1, keepdims=True), axis=-1))
    free = np.arange(c) < c - _ranks(sine, crystal)[..., None]
    return np.where(free, 0.0, omega), vectors * sign


def _in_degenerate_spaces(omega: NDArray[np.float64], matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """The diagonals (..., d, branches) of matrices; where branches coincide, eigenvalues of these blocks."""
    values = np.diagonal(matrices, axis1=-2, axis2=-1).copy()
    gap = DEGENERATE * omega[..., -1:]
    joined = np.diff(omega, axis=-1, prepend=-np.inf, append=np.inf) <= gap  # to the branch below
    for first in range(omega.shape[-1] - 1):
        for last in range(first + 1, omega.shape[-1]):
            here = (
                ~joined[..., first] & joined[..., first + 1 : last + 1].all(axis=-1) & ~joined[..., last + 1]
            )
            block = slice(first, last + 1)
            values[here, :, block] = np.linalg.eigvalsh(matrices[here][..., block, block])
    return values


def velocities_of(crystal: Crystal, k: ArrayLike | None = None) -> NDArray[np.float64]:
    """∇ω/2π of each branch, shape (..., branches, d)."""
    steps, chi, directions = crystal.rods
    turns = turns_of(crystal, steps, k)
    if not crystal.mixes:
        acts = zip(directions.T != 0, crystal.pins, strict=True)
        return np.stack([velocity(steps[on], chi[on], pin, turns[..., on]) for on, pin in acts], axis=-2)
    omega, vectors = branches_of(crystal, k)
    flow = 2 * chi * np.sin(np.pi * turns) * np.cos(np.pi * turns)
    strains = vectors @ directions.T
    matrices = np.einsum("...r,ri,...sr,...tr->...ist", flow, steps, strains, strains, optimize=True)
    found = np.swapaxes(_in_degenerate_spaces(omega, matrices), -1, -2)
    return np.divide(found, omega[..., None], out=np.zeros_like(found), where=omega[..., None] > 0)


@finite
def polarisations(crystal: Crystal, k: ArrayLike | None = None) -> NDArray[np.float64]:
    r"""The polarisations :math:`e_s(k)` of the branches of a crystal, real and orthonormal.

    They solve :math:`D(k)\, e_s = \omega_s^2 e_s`, with the frequencies of :func:`lattice.dispersion`.  If
    components do not mix, and in a scalar crystal, :math:`e_s` is the direction of component s.

    Parameters
    ----------
    crystal : Crystal
        Whose waves.
    k : array_like, optional
        Wave vectors (..., d); all those of the torus unless given.

    Returns
    -------
    ``(branches, components, ...)`` array
        Of each the first component of a good size is positive.  Where branches coincide they are an
        orthonormal basis of the space that these share, one of many.

    Raises
    ------
    ValueError
        If it is not a crystal, or a wave vector is not finite or has another number of components.
    """
    _, vectors = branches_of(instance("crystal", crystal, Crystal, "a Crystal"), k)
    return np.ascontiguousarray(np.moveaxis(vectors, (-2, -1), (0, 1)))


def to_branches(medium: Medium, values: NDArray, *, back: bool = False) -> NDArray:
    """Fourier components ``(..., components, *shape)`` along the polarisations, or back from these.

    Of a torus with fewer wave numbers in the last axis, those that the transform of real fields keeps.
    Nothing is to be done where components are branches.
    """
    if not isinstance(medium, Crystal) or not medium.mixes:
        return values
    vectors = polarisations(medium)[..., : values.shape[-1]]
    k = "xyz"[: medium.d]
    return np.einsum(f"sc{k},...{'s' if back else 'c'}{k}->...{'c' if back else 's'}{k}", vectors, values)
