r"""The time loop of a chain: splitting schemes for :math:`H = p^2/2 + \sum V(r) + \sum U(q)`.

Layout.  Replicas lie end to end on one *strip*, each with a ghost site on either
side: the sites of replica i are at i(n+2)+1, …, i(n+2)+n.  Before a sweep the
ghosts are placed where walls, periodic images or free ends want them; what the
sweep makes of them is overwritten.  So one loop serves every boundary, short
chains in an ensemble and long ones alone, and always the same operations on a
site in the same order: the result has the same bits on every strip.

A *law* is a tuple of coefficients: () for none, (chi,), (chi, alpha, beta) or
(chi, alpha, beta, J, m); all numbers, or all arrays along the strip in which entry
j belongs to the site j of a pin, or to the bond between j and j+1.
"""

import math

import numpy as np
from numba import types
from numba.extending import overload

from . import FUSED_FLAGS, as_bits, as_float, fused_jit, jit, keep_apart
from .noise import (
    STRETCH_FLIP,
    VELOCITY_FLIP,
    act,
    fill_exponential,
    find_flips,
    flip_within_kick,
    inverse_hazard,
    new_gaps,
    prepare,
)
from .random import LANES, fill_normal

FREE, FIXED, PERIODIC = 0, 1, 2
# The loop over a strip is vectorised and unrolled over this many sites.
UNROLL = 16

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


def slope(law, j, x):
    """V'(x) of a law at the place j of the strip; exists only compiled."""


@overload(slope, jit_options=FUSED_FLAGS)
def _slope(law, j, x):
    kind = len(law)
    if kind == 0:
        return lambda law, j, x: 0.0
    if isinstance(law[0], types.Array):
        return {
            1: lambda law, j, x: x * law[0][j],
            3: lambda law, j, x: x * (law[0][j] + x * (law[1][j] + x * law[2][j])),
            5: lambda law, j, x: (
                x * (law[0][j] + x * (law[1][j] + x * law[2][j]))
                + law[3][j] * law[4][j] * sine(law[4][j] * x)
            ),
        }[kind]
    return {
        1: lambda law, j, x: x * law[0],
        3: lambda law, j, x: x * (law[0] + x * (law[1] + x * law[2])),
        5: lambda law, j, x: x * (law[0] + x * (law[1] + x * law[2])) + law[3] * law[4] * sine(law[4] * x),
    }[kind]


@jit
def _place_ghosts(q, n, replicas, left, right):
    for i in range(replicas):
        a = i * (n + 2)
        first, last = q[a + 1], q[a + n]
        q[a] = last if left == PERIODIC else (0.0 if left == FIXED else first)
        q[a + n + 1] = first if right == PERIODIC else (0.0 if right == FIXED else last)


@jit
def _sweep(q, p, kick, drift, bond, pin):
    """Kick and drift every site in one pass that carries the tension of the bond to the left."""
    keep_apart()
    tension = slope(bond, 0, q[1] - q[0])
    for j in range(1, p.size):
        x = q[j]
        ahead = slope(bond, j, q[j + 1] - x)
        v = p[j] + kick * ((ahead - tension) - slope(pin, j, x))
        p[j] = v
        q[j] = x + drift * v
        tension = ahead


@jit
def _draw(streams, bits, normals, used, count):
    """The position of `count` unused Gaussians in every row of `normals`, refilled if need be."""
    keep_apart()
    if used + count > normals.shape[1]:
        for i in range(normals.shape[0]):
            fill_normal(streams[i], bits, normals[i])
        return 0
    return used


@jit
def _bath_steps(baths, duration, out):
    """Exact Ornstein-Uhlenbeck step p -> out[0] p + out[1] + out[2] ξ of each bath."""
    keep_apart()
    for b in range(baths.shape[0]):
        temperature, friction, force = baths[b]
        out[0, b] = math.exp(-friction * duration)
        out[1, b] = force * (-math.expm1(-friction * duration) / friction if friction > 0.0 else duration)
        out[2, b] = math.sqrt(-temperature * math.expm1(-2.0 * friction * duration))


@jit
def _bathe(p, n, sites, step, normals, used, before, q, drift):
    """Apply the baths between the two halves of a kick, or alone.

    The kick has taken the momentum at a bath from `before` to p; it is undone by one
    half, the bath acts, the half is done again, and the drift that followed is mended.
    With `before` equal to p and no drift this is the bath alone.
    """
    keep_apart()
    for i in range(normals.shape[0]):
        draw = used
        for b in range(sites.size):
            j = i * (n + 2) + 1 + sites[b]
            half = 0.5 * (p[j] - before[i, b])
            v = step[0, b] * (before[i, b] + half) + step[1, b] + half
            if step[2, b] > 0.0:
                v += step[2, b] * normals[i, draw]
                draw += 1
            q[j] += drift * (v - p[j])
            p[j] = v


@jit
def _momenta_at(p, n, sites, out):
    for i in range(out.shape[0]):
        for b in range(sites.size):
            out[i, b] = p[i * (n + 2) + 1 + sites[b]]


@jit
def _half_bathe(p, n, sites, half, streams, bits, normals, used, draws, before, q):
    """Half a step of the baths alone; the position of the next unused Gaussians."""
    used = _draw(streams, bits, normals, used, draws)
    _momenta_at(p, n, sites, before)
    _bathe(p, n, sites, half, normals, used, before, q, 0.0)
    return used + draws


@jit
def _count_thermal(baths):
    count = 0
    for b in range(baths.shape[0]):
        if baths[b, 0] > 0.0 and baths[b, 1] > 0.0:
            count += 1
    return count


@jit
def _load(start_q, start_p):
    """The strip of these replicas, from its first ghost on; q has one more entry for the last bond.

    Behind the first ghost it is filled up to a multiple of UNROLL and begins at a cache line; p lies
    a quarter of a page off q, else what is stored there seems to be what is loaded next here.
    """
    keep_apart()
    replicas, n = start_q.shape
    size = 1 - (2 - replicas * (n + 2)) // UNROLL * UNROLL
    block = np.zeros(2 * size + 1024)
    a = 7 - block.ctypes.data // 8 % 8
    b = a + size + 1 + (127 - size) % 512
    q, p = block[a : a + size + 1], block[b : b + size]
    for i in range(replicas):
        a = i * (n + 2) + 1
        for j in range(n):
            q[a + j] = start_q[i, j]
            p[a + j] = start_p[i, j]
    return q, p


@jit
def _record(q, p, out_q, out_p):
    """Copy the strip to (replicas, n) arrays; the first replica that is not finite, or -1."""
    keep_apart()
    replicas, n = out_q.shape
    lost = -1
    for i in range(replicas):
        a = i * (n + 2) + 1
        excess = 0.0
        for j in range(n):
            x, v = q[a + j], p[a + j]
            out_q[i, j] = x
            out_p[i, j] = v
            excess += (x - x) + (v - v)
        if excess != 0.0 and lost < 0:  # NaN, from an infinity or a NaN
            lost = i
    return lost


@jit
def run(
    start_q, start_p, steps, sizes, kicks, drifts, bond, pin, ends, sites, baths, noise, streams, out_q, out_p
):
    """Evolve replicas through output intervals; stop at the first state that is not finite.

    Parameters
    ----------
    start_q, start_p : (replicas, n) arrays
    steps : (times,) array of int64
        Number of steps that end at each output.
    sizes : (times,) array
        Their duration h.
    kicks, drifts : (stages + 1,), (stages,) arrays
        A palindromic splitting, kick first.
    bond, pin : tuples
        Laws, arrays along the strip or numbers.
    ends : pair of int
        FREE, FIXED or PERIODIC, left and right.
    sites, baths : (baths,) array of int64, (baths, 3) array
        Where the Langevin baths act; temperature, friction and force.
    noise : (int, float) or None
        Kind and rate of a noise, as `noise.act` takes them; loops without one are compiled apart.
    streams : (replicas, 4, LANES) array of uint64
        Random states, advanced in place.  Not read unless there is noise or a bath is thermal.
    out_q, out_p : (times, replicas, n) arrays
        Filled.

    Returns
    -------
    time, replica : int
        Index of the first output with a state that is not finite, and whose it is; -1, -1 if there is none.
    """
    replicas, n = start_q.shape
    q, p = _load(start_q, start_p)
    draws = _count_thermal(baths)
    buffer = max(16, -(-draws // (2 * LANES))) * 2 * LANES if draws > 0 else 0
    normals = np.empty((replicas, buffer))
    bits = np.empty(buffer, np.uint64)
    used = buffer
    before = np.empty((replicas, sites.size))
    whole, half = np.empty((3, sites.size)), np.empty((3, sites.size))

    left, right = ends
    stages = drifts.size
    bathed = sites.size > 0
    if noise is not None:
        layout = n, left == PERIODIC, right == FIXED
        store = prepare(noise[0], replicas, n)
        variates, filled, gaps, words, _ = store
        places, kept = np.empty(replicas * n, np.int64), np.empty(replicas * n)
        # The step's own energy contains p²/2 unchanged and the potential not.  So what changes the
        # momenta parts the kick between two steps, and what changes the stretches parts the drift.
        in_drift = noise[0] == STRETCH_FLIP and stages == 1
        in_kick = not in_drift
        # Flips alone, a few at a time, are mended after a whole kick; else each half is a sweep.
        flipping = noise[0] == VELOCITY_FLIP and not bathed
        # The order in which what shares a site acts: opposite at every next step, over the whole run.
        sign = 1.0
    for t in range(steps.size):
        h = sizes[t]
        if steps[t] > 0:
            _bath_steps(baths, h, whole)
            _bath_steps(baths, 0.5 * h, half)
            if noise is not None:
                inverse = inverse_hazard(noise[1], h)
                if in_kick:
                    act(noise, 0.5 * h, 0.0, sign, q, p, layout, streams, store)
            if bathed:
                used = _half_bathe(p, n, sites, half, streams, bits, normals, used, draws, before, q)
        for s in range(steps[t]):
            last = s == steps[t] - 1
            for stage in range(stages + 1 if last else stages):
                # the last kick of a step and the first of the next are one, with the baths amid it
                joint = stage == 0 and s > 0
                kick = h * (kicks[0] + kicks[stages] if joint else kicks[stage])
                drift = h * drifts[stage] if stage < stages else 0.0
                parted = False
                if noise is not None:
                    parted = in_drift and stage == 0
                    if joint and in_kick and not flipping:
                        _place_ghosts(q, n, replicas, left, right)
                        _sweep(q, p, 0.5 * kick, 0.0, bond, pin)
                        if bathed:
                            used = _half_bathe(
                                p, n, sites, half, streams, bits, normals, used, draws, before, q
                            )
                        carried, order = 0.0 if s == 1 else h, -sign if s % 2 else sign
                        act(noise, h, carried, order, q, p, layout, streams, store)
                        if bathed:
                            used = _half_bathe(
                                p, n, sites, half, streams, bits, normals, used, draws, before, q
                            )
                        _place_ghosts(q, n, replicas, left, right)
                        _sweep(q, p, 0.5 * kick, drift, bond, pin)
                        continue
                    if joint and flipping:
                        if s == 1:
                            new_gaps(streams, variates, filled, gaps, words, inverse)
                        i = count = 0
                        while i < replicas:
                            i, count = find_flips(
                                i, count, p, n, variates, filled, gaps, inverse, places, kept
                            )
                            if i < replicas:
                                fill_exponential(streams, i, words, variates, filled)
                    if parted:
                        drift *= 0.5
                bathing = joint and bathed
                if bathing:
                    used = _draw(streams, bits, normals, used, draws)
                    _momenta_at(p, n, sites, before)
                _place_ghosts(q, n, replicas, left, right)
                _sweep(q, p, kick, drift, bond, pin)
                if bathing:
                    _bathe(p, n, sites, whole, normals, used, before, q, drift)
                    used += draws
                if noise is not None:
                    if joint and flipping:
                        flip_within_kick(q, p, places, count, kept, drift)
                    if parted:
                        act(noise, h, 0.0 if s == 0 else h, 1.0, q, p, layout, streams, store)
                        _place_ghosts(q, n, replicas, left, right)
                        _sweep(q, p, 0.0, drift, bond, pin)
        if steps[t] > 0:
            if bathed:
                used = _half_bathe(p, n, sites, half, streams, bits, normals, used, draws, before, q)
            if noise is not None and in_kick:
                sign = -sign if steps[t] % 2 else sign
                act(noise, 0.5 * h, 0.0, sign, q, p, layout, streams, store)
                sign = -sign
        lost = _record(q, p, out_q[t], out_p[t])
        if lost >= 0:
            return t, lost
    return -1, -1
