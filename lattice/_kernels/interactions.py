"""Sums over a list of interactions: what each does to the nodes that its legs lie on.

The number of legs and that of nodes a leg are the lengths of the tuples `sign` and `across`: known when a
kernel is compiled, so that the loops over them are unrolled.  A leg lies on one node, `across` has length 1
and `weight` no entries; or it is the combination `weight` of some.
"""

import math

from . import inlined, jit


@inlined
def _leg(y, node, weight, across, r, leg):
    """The chemical potential of a leg."""
    if len(across) == 1:
        return y[node[r, leg, 0]]
    value = 0.0
    for j in range(len(across)):
        value += weight[r, leg, j] * y[node[r, leg, j]]
    return value


@inlined
def _factor(y, z, node, across, r, leg):
    """exp(-y) of a leg, which is known where the leg is a node."""
    return z[node[r, leg, 0]] if len(across) == 1 else math.exp(-y)


@inlined
def _waves(y, node, weight, sign, across, strength, offset, r):
    """Affinity of an interaction of waves and its strength times all occupations 1/y."""
    affinity = offset[r] if offset.size else 0.0
    product = 1.0
    for leg in range(len(sign)):
        value = _leg(y, node, weight, across, r, leg)
        affinity += sign[leg] * value
        product *= value
    return affinity, strength[r] / product


@inlined
def _particles(y, z, theta, node, weight, sign, across, strength, offset, r):
    """Affinity, strength times all 1 + θn, and the products of exp(-y) of what comes in and what goes out."""
    affinity = offset[r] if offset.size else 0.0
    back = math.exp(-affinity) if offset.size else 1.0
    forth, product = 1.0, 1.0
    for leg in range(len(sign)):
        value = _leg(y, node, weight, across, r, leg)
        factor = _factor(value, z, node, across, r, leg)
        affinity += sign[leg] * value
        product *= 1.0 - theta * factor
        if sign[leg] > 0:
            back *= factor
        else:
            forth *= factor
    return affinity, strength[r] / product, forth, back


@inlined
def _scatter(change, amount, node, weight, across, r, leg):
    """Give a leg's nodes their shares: the transpose of `_leg`."""
    if len(across) == 1:
        change[node[r, leg, 0]] += amount
    else:
        for j in range(len(across)):
            change[node[r, leg, j]] += weight[r, leg, j] * amount


@jit
def sweep_waves(y, node, weight, sign, across, strength, offset, change):
    """Add to `change` what all interactions do; return the production of entropy and its least term."""
    total, least = 0.0, math.inf
    for r in range(node.shape[0]):
        affinity, common = _waves(y, node, weight, sign, across, strength, offset, r)
        rate = common * affinity
        total += affinity * rate
        least = min(least, affinity * rate)
        for leg in range(len(sign)):
            _scatter(change, sign[leg] * rate, node, weight, across, r, leg)
    return total, least


@jit
def sweep_particles(y, z, theta, node, weight, sign, across, strength, offset, change):
    """As `sweep_waves`, with z = exp(-y)."""
    total, least = 0.0, math.inf
    for r in range(node.shape[0]):
        affinity, common, forth, back = _particles(
            y, z, theta, node, weight, sign, across, strength, offset, r
        )
        rate = common * (forth - back)
        total += affinity * rate
        least = min(least, affinity * rate)
        for leg in range(len(sign)):
            _scatter(change, sign[leg] * rate, node, weight, across, r, leg)
    return total, least


@jit
def loss_waves(y, node, weight, sign, across, strength, offset, loss):
    """Add to `loss` the L of a change G - L n of each leg."""
    for r in range(node.shape[0]):
        affinity, common = _waves(y, node, weight, sign, across, strength, offset, r)
        for leg in range(len(sign)):
            value = _leg(y, node, weight, across, r, leg)
            amount = common * value * (value - sign[leg] * affinity)
            _scatter(loss, amount, node, weight, across, r, leg)


@jit
def loss_particles(y, z, theta, node, weight, sign, across, strength, offset, loss):
    """As `loss_waves`, with z = exp(-y)."""
    for r in range(node.shape[0]):
        _, common, forth, back = _particles(y, z, theta, node, weight, sign, across, strength, offset, r)
        for leg in range(len(sign)):
            factor = _factor(_leg(y, node, weight, across, r, leg), z, node, across, r, leg)
            # with n = z/(1 - θz) the rate is affine in the n of this leg
            gone, come = (back, forth) if sign[leg] > 0 else (forth, back)
            amount = common * (1.0 - theta * factor) * (gone / factor - theta * come)
            _scatter(loss, amount, node, weight, across, r, leg)


@inlined
def _outer(matrix, slopes, node, weight, sign, across, r):
    """Add Σ s_l p_l slope_m p_m of one interaction."""
    for leg in range(len(sign)):
        for other in range(len(sign)):
            amount = sign[leg] * slopes[other]
            for i in range(len(across)):
                share = amount * (weight[r, leg, i] if weight.size else 1.0)
                for j in range(len(across)):
                    entry = share * (weight[r, other, j] if weight.size else 1.0)
                    matrix[node[r, leg, i], node[r, other, j]] += entry


@jit
def slopes_waves(y, node, weight, sign, across, strength, offset, symmetric, slopes, matrix):
    """Add the derivatives of the changes by the y of all nodes; their symmetric part at equilibrium."""
    for r in range(node.shape[0]):
        affinity, common = _waves(y, node, weight, sign, across, strength, offset, r)
        for leg in range(len(sign)):
            slopes[leg] = sign[leg] * common
            if not symmetric:
                slopes[leg] -= common * affinity / _leg(y, node, weight, across, r, leg)
        _outer(matrix, slopes, node, weight, sign, across, r)


@jit
def slopes_particles(y, z, theta, node, weight, sign, across, strength, offset, symmetric, slopes, matrix):
    """As `slopes_waves`, with z = exp(-y)."""
    for r in range(node.shape[0]):
        _, common, forth, back = _particles(y, z, theta, node, weight, sign, across, strength, offset, r)
        for leg in range(len(sign)):
            if symmetric:
                slopes[leg] = sign[leg] * common * (forth + back) / 2
                continue
            factor = _factor(_leg(y, node, weight, across, r, leg), z, node, across, r, leg)
            crowd = theta * factor / (1.0 - theta * factor)
            slopes[leg] = common * ((back if sign[leg] > 0 else -forth) - crowd * (forth - back))
        _outer(matrix, slopes, node, weight, sign, across, r)
