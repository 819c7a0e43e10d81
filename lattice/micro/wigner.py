r"""Wigner functions of classical wave fields: how much energy travels with which wave number at which place.

Definition (18) of Basile, Olla and Spohn with ε in place of ε/2, so that :math:`\int_0^1 W\, dk` is the
energy per site: for a test function J of place and wave number,

.. math:: \langle J, W \rangle = \varepsilon \sum_{y, y'} \langle \psi(y')^* \psi(y) \rangle
          \int_0^1 e^{2\pi i k (y' - y)}\, J\bigl(\tfrac\varepsilon2 (y + y'), k\bigr)\, dk .

So W lives at the places y and half way between them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _check
from .._check import finite, number, reals, work

__all__ = ["distribution", "husimi"]


MOST_NUMBERS = 1e9  # of a Wigner function: 8 GB


def _fields(field: ArrayLike) -> NDArray[np.complex128]:
    psi = np.atleast_1d(_check.field("field", field))
    return psi.reshape(-1, psi.shape[-1])


@finite
def distribution(field: ArrayLike) -> NDArray[np.float64]:
    r"""The Wigner function of a field on a ring, averaged over an ensemble.

    Parameters
    ----------
    field : (…, n) array_like
        ψ of `lattice.wave_field`; all axes but the last are averaged over.

    Returns
    -------
    (2n, n) array
        W at the places 0, ½, 1, … and the n wave numbers.  The sum over places is
        :math:`\langle|\hat\psi(k)|^2\rangle`; the mean over wave numbers is
        :math:`\langle|\psi(y)|^2\rangle` at a site, and 0 between two sites.  W may be negative.

    Raises
    ------
    ValueError
        If the field is empty or not finite, or has more than about 16,000 sites.

    Notes
    -----
    Two sites of a ring have their middle on the shorter of the two arcs between them; opposite sites have
    two middles, and half of their product is put at each.  Time of order n² log n, memory of order n².
    """
    psi = _fields(field)
    n = psi.shape[-1]
    work("field", field, 4.0 * n**2, MOST_NUMBERS)
    distance = np.arange(-((n - 1) // 2), n // 2 + 1)
    weight = np.ones(distance.size)
    if n % 2 == 0:
        distance, weight = np.append(distance, -n // 2), np.append(weight, 0.5)
        weight[distance == n // 2] = 0.5
    site = np.arange(n)
    products = np.zeros((2 * n, n), dtype=np.complex128)
    for z, share in zip(distance, weight, strict=True):
        pairs = (psi.conj() * np.roll(psi, -z, axis=-1)).mean(axis=0)  # ψ(y')* ψ(y' + z)
        products[(2 * site + z) % (2 * n), z % n] += share * pairs
    return np.fft.fft(products, axis=1).real


@finite
def husimi(field: ArrayLike, places: ArrayLike, *, width: float) -> NDArray[np.float64]:
    r"""The Husimi function: the Wigner function averaged over a Gaussian, never negative.

    .. math:: W(x, k) = \Bigl\langle \Bigl| \sum_y g(y - x) e^{-2\pi i k y} \psi(y) \Bigr|^2 \Bigr\rangle ,
              \qquad g(y)^2 \propto e^{-y^2/2\sigma^2} , \quad \sum_y g(y)^2 = 1 .

    This is W smeared by σ in place and by :math:`1/4\pi\sigma` in wave number, (27) of Basile, Olla and
    Spohn.
    Its mean over wave numbers is the energy per site around x.

    Parameters
    ----------
    field : (…, n) array_like
        ψ on a ring; all axes but the last are averaged over.
    places : (m,) array_like
        Where, in sites.
    width : float
        σ, at least 0.2 and at most n/8 sites.

    Returns
    -------
    (m, n) array
        At the places and the n wave numbers.

    Raises
    ------
    ValueError
        If an argument is not as stated.
    """
    psi = _fields(field)
    n = psi.shape[-1]
    places, width = reals("places", places, ndim=1), number("width", width)
    if not 0.2 <= width <= n / 8:
        raise ValueError(f"width = {width!r} for a field of {n} sites; allowed: 0.2 to n/8 = {n / 8:g}")
    out = np.empty((places.size, n))
    for i, x in enumerate(places):
        away = (np.arange(n) - x + n / 2) % n - n / 2
        window = np.exp(-(away**2) / (4 * width**2))
        window /= np.sqrt(np.sum(window**2))
        out[i] = (np.abs(np.fft.fft(window * psi, axis=-1)) ** 2).mean(axis=0)
    return out
