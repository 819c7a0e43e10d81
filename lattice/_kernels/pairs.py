"""Noise that turns the relative momentum of neighbours on a lattice of vectors."""

import math

import numpy as np

from . import fused_jit, jit
from .noise import ANGLES, draw_turns
from .operations import filler
from .random import refill_normal


def store(dimension, pairs):
    """What `turn_pairs` keeps from one step to the next: random numbers, how many are used; scratch."""
    refiller, planes = np.uint64(filler(refill_normal)), dimension * (dimension - 1) // 2
    used, turns = np.full(1, ANGLES), np.empty((2, planes * pairs))
    return refiller, np.empty(ANGLES), used, np.empty(ANGLES, np.uint64), turns


@fused_jit
def _turn(x, y, turns, k):
    """The vector (x, y), turned clockwise by angle number k."""
    c, s = turns[0, k], turns[1, k]
    return c * x + s * y, c * y - s * x


@fused_jit
def _turn_2(p, first, second, turns, forward):
    for m in range(first.size):
        pair = m if forward else first.size - 1 - m
        a, b = np.uint64(first[pair]), np.uint64(second[pair])
        u, v = (p[0, b] - p[0, a]) / 2, (p[1, b] - p[1, a]) / 2  # half of the relative momentum
        x, y = (p[0, b] + p[0, a]) / 2, (p[1, b] + p[1, a]) / 2  # the mean
        u, v = _turn(u, v, turns, m)
        p[0, a], p[0, b] = x - u, x + u
        p[1, a], p[1, b] = y - v, y + v


@fused_jit
def _turn_3(p, first, second, turns, forward):
    for m in range(first.size):
        pair = m if forward else first.size - 1 - m
        a, b = np.uint64(first[pair]), np.uint64(second[pair])
        u, v, w = (p[0, b] - p[0, a]) / 2, (p[1, b] - p[1, a]) / 2, (p[2, b] - p[2, a]) / 2
        x, y, z = (p[0, b] + p[0, a]) / 2, (p[1, b] + p[1, a]) / 2, (p[2, b] + p[2, a]) / 2
        if forward:
            u, v = _turn(u, v, turns, 3 * m)
            u, w = _turn(u, w, turns, 3 * m + 1)
            v, w = _turn(v, w, turns, 3 * m + 2)
        else:
            v, w = _turn(v, w, turns, 3 * m)
            u, w = _turn(u, w, turns, 3 * m + 1)
            u, v = _turn(u, v, turns, 3 * m + 2)
        p[0, a], p[0, b] = x - u, x + u
        p[1, a], p[1, b] = y - v, y + v
        p[2, a], p[2, b] = z - w, z + w


@jit
def turn_pairs(p, first, second, spread, forward, streams, kept):
    """Turn, for each pair of sites, the relative momentum in every plane by a Gaussian angle.

    `p` is (d, sites) with d = 2 or 3; the pairs act one after another in the order given, the planes of a
    pair too, and everything in the opposite order if not `forward`.  `streams` is one random stream,
    `kept` what `store` returned; both advance in place.
    """
    refiller, variates, used, scratch, turns = kept
    draw_turns(
        refiller,
        np.uint64(streams.ctypes.data),
        np.uint64(scratch.ctypes.data),
        np.uint64(variates.ctypes.data),
        used,
        0,
        np.uint64(turns[0].ctypes.data),
        np.uint64(turns[1].ctypes.data),
        turns.shape[1],
        spread * (2 / math.pi),
    )
    if p.shape[0] == 2:
        _turn_2(p, first, second, turns, forward)
    else:
        _turn_3(p, first, second, turns, forward)
