"""Numbers with error bars, and how two of them are compared.

Where data do not support an error bar, :class:`Untrusted` is raised and carries the answer that should not
be trusted.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _check

__all__ = ["Estimate", "Untrusted"]

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LARGEST = 1e307  # of an Estimate, so that differences and squared sums are floats


class Untrusted(RuntimeError):
    """The data do not support the estimate.

    Parameters
    ----------
    message : str
        What the data lack.
    result
        The answer all the same.

    Attributes
    ----------
    result : Estimate, PowerLaw, Extrapolation or GreenKubo
        The answer all the same, to look at but not to rely on.
    """

    def __init__(self, message: str, result: object) -> None:
        super().__init__(message, result)  # both, so that it survives a process pool
        self.result = result

    def __str__(self) -> str:
        return self.args[0]


@dataclass(frozen=True, eq=False, repr=False)
class Estimate:
    """A value, or an array of values, with its error bar.

    It prints as ``0.3333 ± 0.0012``, and as ``0.3333(12)`` with the format code
    ``c``; a digit before the code is the number of significant digits of the
    error, 2 unless given.  A systematic error follows as ``± 0.0005 (systematic)``
    or ``[5]``.  What has no error at all prints as ``(exact)``.

    Parameters
    ----------
    value, stderr : float or array
        What was measured, and its statistical standard error, 0 for an exact number.
    how : str
        How both were found, one line.
    systematic : float or array
        What remains from windows, steps and sizes, estimated by varying them.

    Raises
    ------
    ValueError
        If a number is not finite, an error is negative, or the shape of an error does not fit.

    Examples
    --------
    >>> Estimate(0.33333, 0.0012, "64 replicas")
    0.3333 ± 0.0012
    >>> f"{Estimate(0.33333, 0.0012, '64 replicas'):c}"
    '0.3333(12)'
    >>> Estimate(1.5, 0.25, "64 replicas").deviation(1)
    2.0
    """

    value: float | NDArray[np.float64]
    stderr: float | NDArray[np.float64]
    how: str
    systematic: float | NDArray[np.float64] = 0.0

    def __post_init__(self) -> None:
        _check.instance("how", self.how, str, "a string")
        shape = _check.reals("value", self.value).shape
        for name in ("value", "stderr", "systematic"):
            array, least = _check.reals(name, getattr(self, name)), -LARGEST if name == "value" else 0.0
            if (array < least).any() or (array > LARGEST).any():
                allowed = f"{'' if least else 'not negative, '}at most {LARGEST:g} in size"
                raise ValueError(f"{name} = {_check.shown(getattr(self, name))}; allowed: {allowed}")
            if array.shape not in ((), shape):
                raise ValueError(f"{name} has shape {array.shape}; allowed: that of the value, {shape}")
            array = np.array(np.broadcast_to(array, shape))
            array.setflags(write=False)
            object.__setattr__(self, name, array if shape else float(array))

    @property
    def error(self) -> float | NDArray[np.float64]:
        """Statistical and systematic error, added in quadrature."""
        return np.hypot(self.stderr, self.systematic)

    def deviation(self, other: Estimate | ArrayLike) -> float | NDArray[np.float64]:
        """How far this lies above `other`, in combined standard errors.

        Parameters
        ----------
        other : Estimate or number or array
            An independent estimate, or exact values.

        Returns
        -------
        float or array
            The signed difference over the `error` of both in quadrature, elementwise.
            Between exact numbers it is 0 if they are equal and infinite if not.  A normal number if
            the errors come from many samples; from few see :func:`lattice.mean`.

        Raises
        ------
        ValueError
            If `other` is not finite or its shape does not fit.
        """
        if not isinstance(other, Estimate):
            other = Estimate(_check.reals("other", other), 0.0, "exact")
        try:
            difference = np.subtract(self.value, other.value)
        except ValueError:
            raise ValueError(
                f"other has shape {np.shape(other.value)}; allowed: one that fits {np.shape(self.value)}"
            ) from None
        error = np.hypot(self.error, other.error)
        certain = np.where(difference == 0, 0.0, np.copysign(np.inf, difference))
        with np.errstate(over="ignore"):
            deviation = np.divide(difference, error, out=certain, where=error > 0)
        return deviation if deviation.shape else float(deviation)

    def __mul__(self, factor: ArrayLike) -> Estimate:
        """Scaled by an exact factor."""
        if isinstance(factor, Estimate):
            return NotImplemented
        factor = _check.reals("factor", factor)
        try:
            with np.errstate(over="ignore"):
                parts = [part * factor for part in (self.value, self.stderr, self.systematic)]
            return Estimate(parts[0], np.abs(parts[1]), self.how, np.abs(parts[2]))
        except ValueError as error:
            raise ValueError(f"factor = {_check.shown(factor)}; allowed: one that fits ({error})") from error

    __rmul__ = __mul__

    def __sub__(self, other: Estimate) -> Estimate:
        """The difference from an independent estimate, whose errors add in squares."""
        if not isinstance(other, Estimate):
            return NotImplemented
        stderr, systematic = np.hypot(self.stderr, other.stderr), np.hypot(self.systematic, other.systematic)
        return Estimate(self.value - other.value, stderr, f"{self.how} less {other.how}", systematic)

    def __getitem__(self, index: object) -> Estimate:
        """Entries of an array of them."""
        if np.ndim(self.value) == 0:
            raise TypeError("an Estimate of one number has no entries")
        return Estimate(self.value[index], self.stderr[index], self.how, self.systematic[index])

    __array_ufunc__ = None  # a numpy factor on the left leaves the product to us

    def __format__(self, spec: str) -> str:
        match = re.fullmatch(r"([1-9]?)(c?)", spec)
        if match is None:
            raise ValueError(
                f"format code {spec!r}; allowed: digits of the error 1 to 9, then 'c' for the compact form"
            )
        digits, compact = int(match[1] or 2), bool(match[2])
        columns = np.broadcast_arrays(self.value, self.stderr, self.systematic)
        words = [_written(*entry, digits, compact) for entry in zip(*map(np.ravel, columns), strict=True)]
        if np.ndim(self.value) == 0:
            return words[0]
        table = np.array(words, dtype=object).reshape(np.shape(self.value))
        return np.array2string(table, formatter={"all": str}, separator=", ", threshold=24)

    def __repr__(self) -> str:
        return format(self)

    __str__ = __repr__


def _written(value: float, stderr: float, systematic: float, digits: int, compact: bool) -> str:
    """One value with its error bar, rounded to so many digits of the larger error."""
    largest = max(stderr, systematic)
    if largest == 0:
        return f"{value:.{digits + 4}g} (exact)"
    # exponent of the leading digit of the error, after rounding: 0.0996 is 0.10
    leading = int(f"{largest:.{digits - 1}e}".partition("e")[2])
    last = leading - digits + 1
    top = max(leading, math.floor(math.log10(abs(value)))) if value else leading
    power = top if last > 0 or not -4 <= top < 6 else 0
    decimals = max(power - last, 0)

    def shifted(x: float, places: int, decimals: int) -> str:
        return f"{Decimal(float(x)).scaleb(places):z.{decimals}f}"

    text = shifted(value, -power, decimals)
    for error, plain, brackets in ((stderr, " ± {}", "({})"), (systematic, " ± {} (systematic)", "[{}]")):
        if error > 0 and compact:
            text += brackets.format(shifted(error, decimals - power, 0))
        elif error > 0:
            text += plain.format(shifted(error, -power, decimals))
    if power == 0:
        return text
    return f"{text if compact else f'({text})'} × 10{str(power).translate(SUPERSCRIPTS)}"
