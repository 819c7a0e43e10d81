"""Observers: operations that look at the replicas between two steps, and keep what they are told to."""

import functools

import numpy as np
from numba import carray

from . import FLAGS, as_bits, fused_inlined, inlined, jit, wide
from .laws import law, laws_kind, potential, slope
from .march import FIXED, PERIODIC, place_ghosts
from .operations import Kind, Own, to_floats, to_integers

WATCH, RECORD = Kind("lost", "done"), Kind("q p", "done")
TOTALS = "energy_current", "momentum_current", "momentum", "squares"
PROFILES = "p", "squares", "pin_energy", "stretch", "tension", "bond_energy", "energy_current"
_SUMS, _ROWS = len(TOTALS), len(PROFILES)
_U = np.uint64
_EXPONENT = _U(0x7FF0000000000000)  # all of its bits are set in what is not finite
# The terms of a sum may come in any order.
_summing = functools.partial(
    jit, options={**FLAGS, "forceinline": True, "fastmath": {"contract", "reassoc", "nsz"}}
)


@inlined
def _is_finite(x):
    wide()
    found = False
    for j in range(x.size):
        found |= (as_bits(x[j]) & _EXPONENT) == _EXPONENT
    return not found


def watch(strip, _, __, own):
    """Note for each replica the first call at which it is not finite."""
    s, o = carray(strip, 1)[0], carray(own, 1)[0]
    lost = carray(to_integers(o.lost), s.replicas)
    for i in range(s.replicas):
        here = _U(8) * _U(i * (s.n + 2) + 1)
        q, p = carray(to_floats(s.q + here), s.n), carray(to_floats(s.p + here), s.n)
        if lost[i] < 0 and not (_is_finite(q) and _is_finite(p)):
            lost[i] = o.done
    o.done += 1


def watching(replicas: int) -> Own:
    """What belongs to `watch`: -1 for each replica."""
    return Own(WATCH, fill={"lost": -1}, lost=np.empty(replicas, np.int64), done=0)


def record(strip, _, __, own):
    """Copy the sites to the next row of q and p."""
    s, o = carray(strip, 1)[0], carray(own, 1)[0]
    for i in range(s.replicas):
        here = _U(8) * _U(i * (s.n + 2) + 1)
        there = _U(8) * _U((o.done * s.replicas + i) * s.n)
        q, p = carray(to_floats(s.q + here), s.n), carray(to_floats(s.p + here), s.n)
        out_q, out_p = carray(to_floats(o.q + there), s.n), carray(to_floats(o.p + there), s.n)
        for j in range(s.n):
            out_q[j] = q[j]
            out_p[j] = p[j]
    o.done += 1


def recording(times: int, replicas: int, n: int) -> Own:
    """What belongs to `record`: arrays (times, replicas, n)."""
    q, p = np.empty((2, times, replicas, n))
    return Own(RECORD, q=q, p=p, done=0)


@inlined
def _place_all_ghosts(q, p, n, replicas, left, right):
    """Those of the momenta make the energy current into a wall vanish."""
    place_ghosts(q, n, replicas, left, right)
    for i in range(replicas):
        a = i * (n + 2)
        first, last = p[a + 1], p[a + n]
        p[a] = last if left == PERIODIC else (-first if left == FIXED else first)
        p[a + n + 1] = first if right == PERIODIC else (-last if right == FIXED else last)


@_summing
def _currents(q, p, bond):
    """Sums of V' and of (p_j + p_{j+1}) V' over neighbours j, j+1."""
    wide()
    tension = power = 0.0
    for j in range(p.size - 1):
        f = slope(bond, j, q[j + 1] - q[j])
        tension += f
        power += f * (p[j] + p[j + 1])
    return tension, power


@_summing
def _squares(p):
    wide()
    total = squares = 0.0
    for j in range(p.size):
        total += p[j]
        squares += p[j] * p[j]
    return total, squares


def totals(strip, _, __, own):
    """Write the sums over each replica, in the order of TOTALS, to the next row."""
    s, o = carray(strip, 1)[0], carray(own, 1)[0]
    n, q, p = s.n, carray(to_floats(s.q), s.size + 1), carray(to_floats(s.p), s.size + 2)
    _place_all_ghosts(q, p, n, s.replicas, s.left, s.right)
    out = carray(to_floats(o.out + _U(8 * _SUMS) * _U(o.done * s.replicas)), (s.replicas, _SUMS))
    shift = 1 if s.left == PERIODIC else 0  # a ring has its bond over the end once
    for i in range(s.replicas):
        a, bonds = i * (n + 2) + shift, n + 1 - shift
        x = carray(to_floats(s.q + _U(8) * _U(a)), bonds + 1)
        v = carray(to_floats(s.p + _U(8) * _U(a)), bonds + 1)
        tension, power = _currents(x, v, law(o.bond, a, bonds))
        momentum, squares = _squares(carray(to_floats(s.p + _U(8) * _U(i * (n + 2) + 1)), n))
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = -0.5 * power, -tension, momentum, squares
    o.done += 1


def totalling(bond: tuple, pin: tuple, times: int, replicas: int) -> Own:
    """What belongs to `totals`: an array (times, replicas, TOTALS)."""
    kind = laws_kind(len(bond), len(pin), isinstance(bond[0], np.ndarray), "out", "done")
    return Own(kind, bond=bond, pin=pin, out=np.empty((times, replicas, _SUMS)), done=0)


@fused_inlined
def _add_sites(q, p, out, pin):
    wide()
    a, b, c = out[0], out[1], out[2]
    for j in range(q.size):
        v = p[j]
        a[j] += v
        b[j] += v * v
        c[j] += potential(pin, j, q[j])


@fused_inlined
def _add_bonds(q, p, out, bond):
    wide()
    a, b, c, d = out[3], out[4], out[5], out[6]
    for j in range(q.size - 1):
        r = q[j + 1] - q[j]
        f = slope(bond, j, r)
        a[j] += r
        b[j] += f
        c[j] += potential(bond, j, r)
        d[j] -= 0.5 * (p[j] + p[j + 1]) * f


def profile(strip, _, __, own):
    """Add what PROFILES names to the sums of each replica over the calls of a block.

    Rows have n + 1 places: those of the sites, or of the bonds on either side of them.  The first calls,
    which fill no block, are left out.
    """
    s, o = carray(strip, 1)[0], carray(own, 1)[0]
    n, q, p = s.n, carray(to_floats(s.q), s.size + 1), carray(to_floats(s.p), s.size + 2)
    if o.done >= 0:
        _place_all_ghosts(q, p, n, s.replicas, s.left, s.right)
        block = o.done // o.size
        for i in range(s.replicas):
            a, row = i * (n + 2), _U(8 * _ROWS) * _U((i * o.blocks + block) * (n + 1))
            out = carray(to_floats(o.out + row), (_ROWS, n + 1))
            x = carray(to_floats(s.q + _U(8) * _U(a)), n + 2)
            v = carray(to_floats(s.p + _U(8) * _U(a)), n + 2)
            _add_bonds(x, v, out, law(o.bond, a, n + 1))
            x = carray(to_floats(s.q + _U(8) * _U(a + 1)), n)
            v = carray(to_floats(s.p + _U(8) * _U(a + 1)), n)
            _add_sites(x, v, out, law(o.pin, a + 1, n))
    o.done += 1


def profiling(bond: tuple, pin: tuple, times: int, replicas: int, n: int, blocks: int) -> Own:
    """What belongs to `profile`: an array (replicas, blocks, PROFILES, n + 1)."""
    kind = laws_kind(len(bond), len(pin), isinstance(bond[0], np.ndarray), "out", "size blocks done")
    out, size = np.empty((replicas, blocks, _ROWS, n + 1)), times // blocks
    numbers = {"size": size, "blocks": blocks, "done": -(times % blocks)}
    return Own(kind, fill={"out": 0.0}, bond=bond, pin=pin, out=out, **numbers)
