"""The normal modes of a harmonic chain of any boundary and any coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._check import brief, finite, instance, shown, work
from .chain import Chain, parts

__all__ = ["NormalModes", "normal_modes"]

# Squares of frequencies below this share of the largest have too few digits left for a common solver.
SOFT = 1e-6
MOST_STEPS = 1e13  # n³


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


def _translations(chain: Chain) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The translations of what bonds hold together, unit vectors (parts, n), and which a pin or a wall holds.

    Bonds without stiffness cut the chain.  The translation of a part that nothing holds costs no energy.
    """
    bonds = np.broadcast_to(chain.bond.curvature(0.0), chain.n_bonds) != 0
    part, held = parts(chain, bonds, np.broadcast_to(chain.pin.curvature(0.0), chain.n) != 0)
    shapes = (part == np.arange(held.size)[:, None]).astype(np.float64)
    return shapes / np.sqrt(shapes.sum(axis=1, keepdims=True)), held


def _soft(
    chain: Chain, translations: NDArray[np.float64], held: NDArray[np.bool_]
) -> tuple[NDArray, NDArray]:
    """Frequencies, the highest first, and modes in columns, to relative round-off however soft they are.

    Without negative coefficients the energy is a sum of squares, and the frequencies are the singular
    values of a matrix of differences whose rows are scaled by the roots of the stiffnesses.  Where the
    translations of parts, whose bonds say exactly nothing, are coordinates of their own, Jacobi's method
    finds those as precisely as the stiffnesses are known (LAPACK's dgejsv).
    """
    from scipy.linalg import lapack  # a good part of the import, and few chains need it

    others = np.linalg.qr(translations.T, mode="complete")[0][:, len(translations) :]
    basis = np.concatenate([translations[held].T, others], axis=1)
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

    Parameters
    ----------
    chain : Chain
        At most 20,000 sites.

    Returns
    -------
    NormalModes
        Frequencies in ascending order, and the shapes that belong to them.

    Raises
    ------
    ValueError
        If the chain at rest is unstable, or has more than 20,000 sites.
    RuntimeError
        If the slowest modes are not found.
    """
    instance("chain", chain, Chain, "a Chain")
    work("chain", chain, float(chain.n) ** 3, MOST_STEPS)
    matrix, (translations, held) = chain.stiffness_matrix(), _translations(chain)
    still = translations[~held]
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
        frequencies, columns = (found[..., ::-1] for found in _soft(chain, translations, held))
    else:
        frequencies = np.sqrt(squares)
    return NormalModes(
        np.concatenate([np.zeros(len(still)), frequencies]), np.concatenate([still, columns.T])
    )
