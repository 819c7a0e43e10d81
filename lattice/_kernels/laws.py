"""The force law of a bond or a pin, compiled for the coefficients that it has.

A *law* is a tuple of coefficients: () for none, (chi,), (chi, alpha, beta) or
(chi, alpha, beta, J, m); all numbers, or all arrays along the strip in which entry
j belongs to the site j of a pin, or to the bond between j and j+1.  In the record of an
operation it is a record of these numbers, or of the addresses of these arrays.
"""

import functools
import math

import numpy as np
from numba import carray, types
from numba.extending import overload

from . import FUSED_FLAGS, as_bits, as_float, fused_jit
from .operations import Kind, to_floats

NAMES = ("chi", "alpha", "beta", "J", "m")
_EIGHT = np.uint64(8)

# x - kπ in two steps: the upper part has 33 bits, so that its products with |k| < 2**20 are exact.
_PI_UPPER, _PI_LOWER = float.fromhex("0x1.921fb544p+1"), float.fromhex("0x1.0b4611a626331p-33")
_INVERSE_PI = 1 / math.pi
_ROUND = 1.5 * 2.0**52  # x + this - this rounds x to an integer
# sin x = x + x³ P(x²) on [-π/2, π/2]: the first coefficient is -1/6 as rounded, the others minimax for it.
_P0, _P1, _P2, _P3, _P4, _P5, _P6, _P7 = (
    -0.16666666666666666,
    0.008333333333333155,
    -0.0001984126984117339,
    2.7557319201763153e-06,
    -2.505210576089895e-08,
    1.6058873103350997e-10,
    -7.641026288680191e-13,
    2.6984611678366482e-15,
)


@fused_jit
def sine(x):
    """sin x to 2.3e-16 for |x| < 3e6; beyond, to the spacing of floating-point numbers at x."""
    shifted = x * _INVERSE_PI + _ROUND
    k = shifted - _ROUND
    r = (x - k * _PI_UPPER) - k * _PI_LOWER
    y = r * r
    z = y * y
    tail = (_P2 + y * _P3) + z * ((_P4 + y * _P5) + z * (_P6 + y * _P7))
    value = r + r * y * (_P0 + y * (_P1 + y * tail))
    return as_float(as_bits(value) ^ (as_bits(shifted) << np.uint64(63)))  # minus where k is odd


def _at(coefficient, j):
    """A coefficient at the place j of the strip; exists only compiled."""


@overload(_at, jit_options=FUSED_FLAGS)
def _coefficient_at(coefficient, j):
    if isinstance(coefficient, types.Array):
        return lambda coefficient, j: coefficient[j]
    return lambda coefficient, j: coefficient


def slope(law, j, x):
    """V'(x) of a law at the place j of the strip; exists only compiled."""


@overload(slope, jit_options=FUSED_FLAGS)
def _slope(law, j, x):
    return {
        0: lambda law, j, x: 0.0,
        1: lambda law, j, x: x * _at(law[0], j),
        3: lambda law, j, x: x * (_at(law[0], j) + x * (_at(law[1], j) + x * _at(law[2], j))),
        5: lambda law, j, x: (
            x * (_at(law[0], j) + x * (_at(law[1], j) + x * _at(law[2], j)))
            + _at(law[3], j) * _at(law[4], j) * sine(_at(law[4], j) * x)
        ),
    }[len(law)]


def potential(law, j, x):
    """V(x) of a law at the place j of the strip; exists only compiled."""


@overload(potential, jit_options=FUSED_FLAGS)
def _potential(law, j, x):
    return {
        0: lambda law, j, x: 0.0,
        1: lambda law, j, x: x * x * (_at(law[0], j) / 2),
        3: lambda law, j, x: (
            x * x * (_at(law[0], j) / 2 + x * (_at(law[1], j) / 3 + x * (_at(law[2], j) / 4)))
        ),
        5: lambda law, j, x: (
            x * x * (_at(law[0], j) / 2 + x * (_at(law[1], j) / 3 + x * (_at(law[2], j) / 4)))
            + 2.0 * _at(law[3], j) * sine(_at(law[4], j) * x / 2) ** 2
        ),
    }[len(law)]


@functools.cache
def laws_kind(bond: int, pin: int, varied: bool, addresses: str = "", integers: str = "") -> Kind:
    """Records of two laws with so many coefficients, and of what else is named."""
    laws = [
        (law, [(name, "u8" if varied else "f8") for name in NAMES[:size]] or [("none", "i8")])
        for law, size in (("bond", bond), ("pin", pin))
    ]
    return Kind(addresses, integers, laws)


def _coefficient(entry, start, size):
    """A number, or an array from its address; exists only compiled."""


@overload(_coefficient, inline="always")
def _coefficient_of(entry, start, size):
    if entry == types.uint64:
        return lambda entry, start, size: carray(to_floats(entry + _EIGHT * np.uint64(start)), size)
    return lambda entry, start, size: entry


def law(record, start, size):
    """The law in a record, for so many places of the strip from one on; exists only compiled."""


@overload(law, inline="always")
def _law(record, start, size):
    names = [name for name, _ in record.members]
    if names == ["none"]:
        return lambda record, start, size: ()
    return {
        1: lambda record, start, size: (_coefficient(record.chi, start, size),),
        3: lambda record, start, size: (
            _coefficient(record.chi, start, size),
            _coefficient(record.alpha, start, size),
            _coefficient(record.beta, start, size),
        ),
        5: lambda record, start, size: (
            _coefficient(record.chi, start, size),
            _coefficient(record.alpha, start, size),
            _coefficient(record.beta, start, size),
            _coefficient(record.J, start, size),
            _coefficient(record.m, start, size),
        ),
    }[len(names)]
