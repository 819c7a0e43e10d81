"""Streams of random bits and of standard Gaussians.

A stream is the state of `LANES` xoshiro256++ generators (Blackman and Vigna, ACM
Trans. Math. Softw. 47, 36, 2021) that advance side by side, so that the loop over
them vectorises.  A stream belongs to one replica: what it yields does not depend
on how the replicas are spread over threads.
"""

import numpy as np
from numba import carray

from . import as_bits, as_float, fused_inlined, fused_inner, fused_jit, jit, wide
from .operations import to_floats, to_words

LANES = 64
_U = np.uint64
_SIGN, _MANTISSA = _U(63), _U(52)
_ONE = _U(0x3FF0000000000000)  # the bits of 1.0
_EXPONENT = _U(0xFFF0000000000000)  # mask of sign and exponent
_ROOT_HALF = _U(0x00095F619980C433)  # bits of 1.0 less those of sqrt(1/2)
_TWO52 = _U(0x4330000000000000)  # the bits of 2.0**52
_LN2 = 0.6931471805599453

# Minimax polynomials on the ranges used below, errors below 5e-17:
# log m = s (2 + y L(y)), y = s², s = (m-1)/(m+1);  sin(πw/4) = w S(w²);  cos(πw/4) = C(w²).
_L0, _L1, _L2, _L3, _L4, _L5, _L6 = (
    0.666666666666667,
    0.3999999999989889,
    0.28571428626253836,
    0.22222211089379496,
    0.1818289243253687,
    0.15331611722055008,
    0.14617807153417325,
)
_S0, _S1, _S2, _S3, _S4, _S5, _S6 = (
    0.7853981633974483,
    -0.08074551218828054,
    0.002490394570188844,
    -3.657620415891387e-05,
    3.133616225433416e-07,
    -1.7571500746983935e-09,
    6.877360573166326e-12,
)
_C0, _C1, _C2, _C3, _C4, _C5, _C6 = (
    1.0,
    -0.30842513753403783,
    0.015854344243741547,
    -0.00032599188648354014,
    3.590859179850238e-06,
    -2.4609507094028117e-08,
    1.1365469207731353e-10,
)


_MIXER = tuple(
    (_U(shift), _U(factor)) for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))
)


def streams(seed: np.random.SeedSequence, count: int) -> np.ndarray:
    """States of `count` independent streams, shape (count, 4, LANES), from one spawned child of `seed`.

    Word j of stream i is the counter 4 LANES i + j, enciphered: the finaliser of SplitMix (Steele, Lea and
    Flood, OOPSLA 2014; constants of D. Stafford's mixer 13) three times, with a word of the child added
    before and after each.  That maps words one to one: no two are equal, and no state is zero.
    """
    keys = seed.spawn(1)[0].generate_state(4, np.uint64)
    words = np.arange(4 * LANES * count, dtype=np.uint64)
    words += keys[0]
    spare = np.empty(min(words.size, 2**13), np.uint64)
    for begin in range(0, words.size, spare.size):  # as many as the cache holds
        part = words[begin : begin + spare.size]
        for key in keys[1:]:
            for shift, factor in _MIXER:
                part ^= np.right_shift(part, shift, out=spare[: part.size])
                part *= factor
            part += key
    return words.reshape(count, 4, LANES)


@jit
def fill_bits(state, out):
    """Advance the stream `state` (4, LANES) and fill `out`, whose size is a multiple of LANES."""
    wide()
    w, x, y, z = state[0], state[1], state[2], state[3]
    for i in range(out.size // LANES):
        row = out[i * LANES : (i + 1) * LANES]
        for k in range(w.size):  # LANES, but a constant would be unrolled instead of vectorised
            a, b, c, d = w[k], x[k], y[k], z[k]
            s = a + d
            row[k] = ((s << _U(23)) | (s >> _U(41))) + a
            t = b << _U(17)
            c ^= a
            d ^= b
            b ^= c
            a ^= d
            c ^= t
            d = (d << _U(45)) | (d >> _U(19))
            w[k], x[k], y[k], z[k] = a, b, c, d


@fused_inner
def _radius(bits):
    """sqrt(-log u) of u uniform on (0, 1], from the upper 52 bits."""
    u = as_bits(2.0 - as_float((bits >> _U(12)) | _ONE))
    shifted = u + _ROOT_HALF  # its exponent counts from sqrt(1/2)
    exponent = as_float((shifted >> _MANTISSA) | _TWO52) - (2.0**52 + 1023.0)
    m = as_float(u - ((shifted & _EXPONENT) - _ONE))  # in [sqrt(1/2), sqrt(2))
    s = (m - 1.0) / (m + 1.0)
    y = s * s
    tail = _L0 + y * (_L1 + y * (_L2 + y * (_L3 + y * (_L4 + y * (_L5 + y * _L6)))))
    return np.sqrt(-(exponent * _LN2 + s * (2.0 + y * tail)))


@fused_inlined
def eighths(w):
    """sin and cos of πw/4, for w in [-1, 1]."""
    y = w * w
    sine = w * (_S0 + y * (_S1 + y * (_S2 + y * (_S3 + y * (_S4 + y * (_S5 + y * _S6))))))
    return sine, _C0 + y * (_C1 + y * (_C2 + y * (_C3 + y * (_C4 + y * (_C5 + y * _C6)))))


@fused_jit
def _box_muller(bits, out):
    """Map random bits to as many Gaussians.

    The angle lies in one quadrant, (πw/4 + π/4) with w in [-1, 1); two of the lower
    12 bits, which the upper 52 leave unused, choose the signs.
    """
    wide()
    half = out.size // 2
    b, c = bits[:half], bits[half:]
    u, v = out[:half], out[half:]
    for i in range(half):
        u[i] = _radius(b[i])
    for i in range(half):
        w = 2.0 * as_float((c[i] >> _U(12)) | _ONE) - 3.0
        sine, cosine = eighths(w)
        r = u[i]
        u[i] = as_float(as_bits(r * (cosine - sine)) ^ (b[i] << _SIGN))
        v[i] = as_float(as_bits(r * (cosine + sine)) ^ (c[i] << _SIGN))


@jit
def fill_normal(state, bits, out):
    """Fill `out` with standard Gaussians, by way of the buffer `bits`; equal sizes, a multiple of 2 LANES."""
    fill_bits(state, bits)
    _box_muller(bits, out)


@fused_inner
def _exponentials(bits, out):
    wide()
    for k in range(out.size):
        radius = _radius(bits[k])
        out[k] = radius * radius


def refill_exponential(stream, scratch, store, size):
    """Exponential variates of mean 1; but for the size all arguments are addresses."""
    bits = carray(to_words(scratch), size)
    fill_bits(carray(to_words(stream), (4, LANES)), bits)
    _exponentials(bits, carray(to_floats(store), size))


def refill_normal(stream, scratch, store, size):
    """Standard Gaussians, in the same way."""
    bits = carray(to_words(scratch), size)
    fill_normal(carray(to_words(stream), (4, LANES)), bits, carray(to_floats(store), size))
