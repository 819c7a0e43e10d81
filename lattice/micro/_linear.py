"""Sparse linear systems solved to round-off, however ill-conditioned, or not at all."""

from __future__ import annotations

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import splu

__all__ = ["Entries", "Floats", "Indices", "Linear", "Unsolved", "halves", "two_product", "two_sum"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
# rows, columns and values of a matrix; those of one place add up, but are kept apart because
# their sum may round: a weak pin is lost beside a stiff spring
Entries = tuple[Indices, Indices, Floats]

SOLVED = 1e-16  # the largest relative error accepted
ENOUGH = 1e-25  # where refinement stops
ROUNDS = 30
GAIN = 0.1  # every correction must be smaller than the one before by this factor


class Unsolved(ArithmeticError):
    """The system is singular, or so nearly that refinement does not converge."""


def halves(a: Floats) -> tuple[Floats, Floats]:
    """Two numbers of 26 binary digits each with the sum a (Veltkamp)."""
    shifted = 134217729.0 * a
    high = shifted - (shifted - a)
    return high, a - high


def two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """The sum and its rounding error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def two_product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """The product and its rounding error (Dekker)."""
    product = a * b
    (a, low_a), (b, low_b) = halves(a), halves(b)
    return product, ((a * b - product) + a * low_b + low_a * b) + low_a * low_b


def _unit(size: Floats) -> Floats:
    """The reciprocal of each number, rounded to a power of 2; 1 for 0."""
    return np.ldexp(1.0, -np.frexp(size)[1])


class Linear:
    """A sparse system Ax = b: factorised once, then solved to round-off by refinement.

    The defect b - Ax is computed, and the solution kept, in twice the usual precision.  So the
    factors need only be good enough for the refinement to converge; if it does, the solution has
    all its digits, whatever the condition of A.

    Parameters
    ----------
    entries : Entries
        A.
    weights : (kinds, size) array
        Corrections are judged by the largest weight × unknown of each kind.
    mix : sparse array, optional
        A combination of the rows that makes the factors sparser.
    tilt : Entries, optional
        What is factorised is A with these added: so little that refinement makes up for it, enough to
        keep singular systems from SuperLU, which may crash on them.

    Raises
    ------
    Unsolved
        If A is singular.
    """

    def __init__(
        self,
        entries: Entries,
        weights: Floats,
        mix: scipy.sparse.csr_array | None = None,
        tilt: Entries | None = None,
    ) -> None:
        size = weights.shape[1]
        order = np.argsort(entries[0], kind="stable")
        self._rows, self._columns, self._values = (part[order] for part in entries)
        self._starts = np.searchsorted(self._rows, np.arange(size))
        lengths = np.diff(self._starts, append=self._rows.size)
        if lengths.min() == 0:
            raise Unsolved("an equation is empty")
        self._carry = int(lengths.max()).bit_length() + 1
        self._weights, self._mix = weights, mix
        parts = (self._rows, self._columns, self._values), *([] if tilt is None else [tilt])
        rows, columns, values = (np.concatenate(some) for some in zip(*parts, strict=True))
        matrix = scipy.sparse.csr_array((values, (rows, columns)), shape=(size, size))
        if mix is not None:
            matrix = mix @ matrix
        # unknowns in units of their weights, and the largest entry of each row near 1
        self._across = _unit(weights[0])
        scaled = matrix.data * self._across[matrix.indices]
        self._down = _unit(np.maximum.reduceat(np.abs(scaled), matrix.indptr[:-1]))
        matrix.data = scaled * np.repeat(self._down, np.diff(matrix.indptr))
        matrix.eliminate_zeros()
        try:
            self._factors = splu(matrix.tocsc(), relax=1)
        except RuntimeError as error:
            raise Unsolved("the factors are singular") from error

    def _defect(self, right: Floats, right_low: Floats, x: Floats, low: Floats) -> Floats:
        """b - Ax in twice the usual precision, b and x being sums of two vectors."""
        values = self._values.reshape(-1, *(1,) * (x.ndim - 1))
        product, tail = two_product(values, x[self._columns])
        largest = np.maximum(np.maximum.reduceat(np.abs(product), self._starts), np.abs(right))
        # a number added to this power of 2 loses its last digits, and what remains adds up exactly
        step = np.ldexp(1.0, np.frexp(largest)[1] + self._carry)
        steps = step[self._rows]
        head = (product + steps) - steps
        tail += (product - head) + values * low[self._columns]
        right_head = (right + step) - step
        heads, tails = (np.add.reduceat(part, self._starts) for part in (head, tail))
        return (right_head - heads) + ((right - right_head) + (right_low - tails))

    def _coarse(self, right: Floats) -> Floats:
        """The solution to the precision of the factors."""
        mixed = right if self._mix is None else self._mix @ right
        return (self._across * self._factors.solve((self._down * mixed.T).T).T).T

    def _sizes(self, x: Floats) -> Floats:
        """The largest weight × unknown of each kind and each column."""
        return np.abs(self._weights[:, :, None] * x.reshape(1, len(x), -1)).max(axis=1)

    def solve(
        self, right: Floats, right_low: Floats | float = 0.0, least: ArrayLike = 0.0, enough: float = ENOUGH
    ) -> tuple[Floats, Floats, float]:
        """The solution as a sum x + low, and its relative error as the corrections tell it.

        Parameters
        ----------
        right, right_low : (size,) or (size, many) array
            Their sum is b.
        least : (kinds,) array
            Errors are relative to this where the largest unknown of a kind is smaller.
        enough : float
            The error at which refinement stops.

        Raises
        ------
        Unsolved
            If the refinement does not converge.
        """
        x, low, last, error = np.zeros_like(right), np.zeros_like(right), np.inf, np.inf
        for _ in range(ROUNDS):
            with np.errstate(all="ignore"):  # what is not finite is not small either
                step = self._coarse(self._defect(right, right_low, x, low))
                x, lost = two_sum(x, step)
                low = low + lost
                sizes = np.maximum(self._sizes(x), np.reshape(least, (-1, 1)))
                size = np.divide(self._sizes(step), sizes, out=np.zeros_like(sizes), where=sizes != 0).max()
            if not size < GAIN * last:
                break
            # what a correction leaves is to it what it is to the one before
            last, error = size, size * (size / last if last < np.inf else 1.0)
            if error < enough:
                break
        if not error < max(enough, SOLVED):
            raise Unsolved(f"refinement ends at a relative error of {error:.1e}")
        return *two_sum(x, low), float(error)
