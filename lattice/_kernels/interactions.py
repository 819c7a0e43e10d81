"""Sums over a list of interactions: what each does to the nodes that its legs lie on.

The legs that an interaction empties come first, then those that it fills.  How many there are, and on how
many nodes a leg lies, are the lengths of the tuples `out`, `into` and `across`: known when a kernel is
compiled, so that the loops over them are unrolled.  A leg lies on one node, `across` has length 1 and
`weight` no entries; or it is the combination `weight` of some.  `node` and `weight` are flat, so that the
places of an interaction in them are known beside that of its first leg.
"""

import math

import numpy as np

from . import as_bits, as_float, fused_inlined, fused_inner, inlined, jit, unshared, wide

BLOCK = 128  # interactions at a time, in the first-level cache
PER_LOG2 = 1 / math.log(2)
LOG2_HIGH, LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
ROUNDED = (
    1.5 * 2.0**52 + 1023.0
)  # added to an integer it leaves the exponent of 2 to that power in the low bits
FARTHEST = 708.0  # whose exponential is a normal number
_U = np.uint64


@fused_inner
def _exponentials(y, out):
    """exp(-y) of a vector, to two units in the last place: a power of 2 times a series.

    Not in place: LLVM would not know that it may do several at once.
    """
    wide()
    for i in range(y.size):
        x = min(max(-y[i], -FARTHEST), FARTHEST)
        k = np.rint(x * PER_LOG2)
        r = (x - k * LOG2_HIGH) - k * LOG2_LOW
        p = 1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + r * (1 / 39916800 + r * (1 / 479001600))))
        p = 1 / 24 + r * (1 / 120 + r * (1 / 720 + r * (1 / 5040 + r * p)))
        p = 1.0 + r * (1.0 + r * (1 / 2 + r * (1 / 6 + r * p)))
        out[i] = p * as_float(as_bits(k + ROUNDED) << np.uint64(52))


@inlined
def _place(out, into, across, r, leg):
    """Where a leg of an interaction begins in the flat arrays."""
    return (_U(r) * _U(len(out) + len(into)) + _U(leg)) * _U(len(across))


@fused_inlined
def _leg(y, node, weight, across, at):
    """The chemical potential of a leg."""
    if len(across) == 1:
        return y[node[at]]
    value = 0.0
    for j in range(len(across)):
        value += weight[at + _U(j)] * y[node[at + _U(j)]]
    return value


@inlined
def _factor(y, z, node, weight, across, at):
    """exp(-y) of a leg, which is known where the leg is a node."""
    if len(across) == 1:
        return z[node[at]]
    return math.exp(-_leg(y, node, weight, across, at))


@fused_inlined
def _scatter(change, amount, node, weight, across, at):
    """Give a leg's nodes their shares: the transpose of `_leg`."""
    if len(across) == 1:
        change[node[at]] += amount
    else:
        for j in range(len(across)):
            change[node[at + _U(j)]] += weight[at + _U(j)] * amount


@inlined
def _fill(change, rate, node, weight, out, into, across, r):
    """What an interaction of this rate does."""
    for leg in range(len(out)):
        _scatter(change, -rate, node, weight, across, _place(out, into, across, r, leg))
    for leg in range(len(into)):
        _scatter(change, rate, node, weight, across, _place(out, into, across, r, len(out) + leg))


@inlined
def _waves(y, node, weight, out, into, across, strength, offset, r):
    """Affinity of an interaction, and its strength times all occupations 1/y of waves."""
    affinity = offset[r] if offset.size else 0.0
    product = 1.0
    for leg in range(len(out)):
        value = _leg(y, node, weight, across, _place(out, into, across, r, leg))
        affinity -= value
        product *= value
    for leg in range(len(into)):
        value = _leg(y, node, weight, across, _place(out, into, across, r, len(out) + leg))
        affinity += value
        product *= value
    return affinity, strength[r] / product


@inlined
def _particles(y, z, theta, node, weight, out, into, across, strength, offset, r):
    """Strength times all 1 + θn, and the products of exp(-y) of what goes out and what comes in."""
    forth, back, product = 1.0, 1.0, 1.0
    for leg in range(len(out)):
        factor = _factor(y, z, node, weight, across, _place(out, into, across, r, leg))
        forth *= factor
        product *= 1.0 - theta * factor
    for leg in range(len(into)):
        factor = _factor(y, z, node, weight, across, _place(out, into, across, r, len(out) + leg))
        back *= factor
        product *= 1.0 - theta * factor
    if offset.size:
        back *= math.exp(-offset[r])
    return strength[r] / product, forth, back


@jit
def sweep_waves(y, node, weight, out, into, across, strength, offset, change):
    """Add to `change` what all interactions do."""
    unshared()
    for r in range(strength.size):
        affinity, common = _waves(y, node, weight, out, into, across, strength, offset, r)
        _fill(change, common * affinity, node, weight, out, into, across, r)


@jit
def sweep_on_nodes(n, crowd, node, weight, out, into, across, strength, offset, change):
    """As `sweep_waves`, of particles with their legs on nodes, with n and crowd = 1 + θn."""
    unshared()
    for r in range(strength.size):
        forth, back = 1.0, 1.0
        for leg in range(len(out)):
            i = node[_place(out, into, across, r, leg)]
            forth *= n[i]
            back *= crowd[i]
        for leg in range(len(into)):
            i = node[_place(out, into, across, r, len(out) + leg)]
            forth *= crowd[i]
            back *= n[i]
        if offset.size:
            back *= math.exp(-offset[r])
        _fill(change, strength[r] * (forth - back), node, weight, out, into, across, r)


@fused_inner
def _rates(z, theta, strength, balance, out, into, rate):
    """The rates of a block from the exp(-y) of its legs."""
    wide()
    for r in range(strength.size):
        forth, back, product = 1.0, balance[r], 1.0
        for leg in range(len(out)):
            forth *= z[leg, r]
            product *= 1.0 - theta * z[leg, r]
        for leg in range(len(into)):
            back *= z[len(out) + leg, r]
            product *= 1.0 - theta * z[len(out) + leg, r]
        rate[r] = strength[r] * (forth - back) / product


@fused_inner
def _gather(y, node, weight, out, into, across, size, legs):
    """The y of the legs of a block."""
    unshared()
    for r in range(size):
        for leg in range(len(out) + len(into)):
            legs[leg, r] = _leg(y, node, weight, across, _place(out, into, across, r, leg))


@fused_inner
def _give(change, rate, node, weight, out, into, across, size):
    """What the interactions of a block do."""
    unshared()
    for r in range(size):
        _fill(change, rate[r], node, weight, out, into, across, r)


@jit
def sweep_between(y, theta, node, weight, out, into, across, strength, offset, change):
    """As `sweep_waves`, of particles with their legs between nodes: the exponentials a block at a time."""
    unshared()
    legs = np.zeros((len(out) + len(into), BLOCK))
    z, balance, rate = np.empty_like(legs), np.ones(BLOCK), np.empty(BLOCK)
    for begin in range(0, strength.size, BLOCK):
        strengths = strength[begin : begin + BLOCK]
        first = begin * len(legs) * len(across)
        nodes, shares = node[first:], weight[first:]
        _gather(y, nodes, shares, out, into, across, strengths.size, legs)
        _exponentials(legs.reshape(-1), z.reshape(-1))
        if offset.size:
            _exponentials(offset[begin : begin + BLOCK], balance)
        _rates(z, theta, strengths, balance, out, into, rate)
        _give(change, rate, nodes, shares, out, into, across, strengths.size)


@jit
def produce_waves(y, node, weight, out, into, across, strength, offset):
    """The production of entropy, of which no term is negative."""
    total = 0.0
    for r in range(strength.size):
        affinity, common = _waves(y, node, weight, out, into, across, strength, offset, r)
        total += common * affinity * affinity
    return total


@jit
def produce_particles(y, z, theta, node, weight, out, into, across, strength, offset):
    """As `produce_waves`, with z = exp(-y)."""
    total = 0.0
    for r in range(strength.size):
        affinity, _ = _waves(y, node, weight, out, into, across, strength, offset, r)
        common, forth, back = _particles(y, z, theta, node, weight, out, into, across, strength, offset, r)
        total += common * (forth - back) * affinity
    return total


@jit
def loss_waves(y, node, weight, out, into, across, strength, offset, loss):
    """Add to `loss` the L of a change G - L n of each leg."""
    for r in range(strength.size):
        affinity, common = _waves(y, node, weight, out, into, across, strength, offset, r)
        for leg in range(len(out) + len(into)):
            value = _leg(y, node, weight, across, _place(out, into, across, r, leg))
            other = value + affinity if leg < len(out) else value - affinity
            _scatter(loss, common * value * other, node, weight, across, _place(out, into, across, r, leg))


@jit
def loss_particles(y, z, theta, node, weight, out, into, across, strength, offset, loss):
    """As `loss_waves`, with z = exp(-y)."""
    for r in range(strength.size):
        common, forth, back = _particles(y, z, theta, node, weight, out, into, across, strength, offset, r)
        for leg in range(len(out) + len(into)):
            factor = _factor(y, z, node, weight, across, _place(out, into, across, r, leg))
            # with n = z/(1 - θz) the rate is affine in the n of this leg
            gone, come = (forth, back) if leg < len(out) else (back, forth)
            amount = common * (1.0 - theta * factor) * (gone / factor - theta * come)
            _scatter(loss, amount, node, weight, across, _place(out, into, across, r, leg))


@inlined
def _outer(matrix, slopes, node, weight, out, into, across, r):
    """Add Σ s_l p_l slope_m p_m of one interaction."""
    for leg in range(len(out) + len(into)):
        for i in range(len(across)):
            at = _place(out, into, across, r, leg) + _U(i)
            share = weight[at] if weight.size else 1.0
            row = matrix[node[at]]
            for other in range(len(out) + len(into)):
                amount = -share * slopes[other] if leg < len(out) else share * slopes[other]
                _scatter(row, amount, node, weight, across, _place(out, into, across, r, other))


@jit
def slopes_waves(y, node, weight, out, into, across, strength, offset, symmetric, slopes, matrix):
    """Add the derivatives of the changes by the y of all nodes; their symmetric part at equilibrium."""
    for r in range(strength.size):
        affinity, common = _waves(y, node, weight, out, into, across, strength, offset, r)
        for leg in range(len(out) + len(into)):
            slopes[leg] = -common if leg < len(out) else common
            if not symmetric:
                slopes[leg] -= (
                    common * affinity / _leg(y, node, weight, across, _place(out, into, across, r, leg))
                )
        _outer(matrix, slopes, node, weight, out, into, across, r)


@jit
def slopes_particles(
    y, z, theta, node, weight, out, into, across, strength, offset, symmetric, slopes, matrix
):
    """As `slopes_waves`, with z = exp(-y)."""
    for r in range(strength.size):
        common, forth, back = _particles(y, z, theta, node, weight, out, into, across, strength, offset, r)
        for leg in range(len(out) + len(into)):
            if symmetric:
                half = common * (forth + back) / 2
                slopes[leg] = -half if leg < len(out) else half
                continue
            factor = _factor(y, z, node, weight, across, _place(out, into, across, r, leg))
            crowd = theta * factor / (1.0 - theta * factor)
            own = -forth if leg < len(out) else back
            slopes[leg] = common * (own - crowd * (forth - back))
        _outer(matrix, slopes, node, weight, out, into, across, r)
