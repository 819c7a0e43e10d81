"""Langevin baths at a few sites, amid a kick or alone.

The kick takes the momentum at a bath from what was noted before it to p; afterwards it is undone by one
half, the bath acts, the half is done again, and the drift that followed is mended.  Noted and mended
without a kick in between this is the bath alone.
"""

import math

import numpy as np
from numba import carray

from .operations import Kind, Own, filler, pointer_to, refill, to_floats, to_integers
from .random import LANES, refill_normal

# Gaussians: a row for each replica, all of them used alike.
NORMALS = Kind("refill store scratch", "used size")
BATHS = Kind("normals sites step before", "count draws")
_U = np.uint64
_to_normals = pointer_to(NORMALS.pointer)


def normals(replicas: int, numbers: np.ndarray) -> Own:
    """A store of Gaussians for baths of these numbers, see `baths`; each takes one, if it is warm."""
    draws = _warm(numbers)
    size = max(16, -(-draws // (2 * LANES))) * 2 * LANES
    store, scratch = np.empty((replicas, size)), np.empty(size, np.uint64)
    return Own(NORMALS, refill=filler(refill_normal), store=store, scratch=scratch, used=size, size=size)


def _warm(numbers: np.ndarray) -> int:
    return int(np.sum((numbers[:, 0] > 0) & (numbers[:, 1] > 0)))


def baths(replicas: int, sites: np.ndarray, numbers: np.ndarray, duration: float, store: Own) -> Own:
    """What belongs to baths that act for a time.

    Parameters
    ----------
    replicas : int
    sites : (baths,) array of int64
    numbers : (baths, 3) array
        Temperature, friction and force.
    duration : float
        Of the exact Ornstein-Uhlenbeck step p -> step[0] p + step[1] + step[2] ξ.
    store : Own
        What `normals` returned.
    """
    step = np.empty((3, len(sites)))
    for k, (temperature, friction, force) in enumerate(numbers):
        decay = -math.expm1(-friction * duration)
        step[0, k] = math.exp(-friction * duration)
        step[1, k] = force * (decay / friction if friction > 0.0 else duration)
        step[2, k] = math.sqrt(-temperature * math.expm1(-2.0 * friction * duration))
    before = np.empty((replicas, len(sites)))
    numbers = {"count": len(sites), "draws": _warm(numbers)}
    return Own(BATHS, keep=store, normals=store.address, sites=sites, step=step, before=before, **numbers)


def note(strip, _, __, own):
    """Remember the momenta at the baths."""
    s, o = carray(strip, 1)[0], carray(own, 1)[0]
    p, sites = carray(to_floats(s.p), s.size), carray(to_integers(o.sites), o.count)
    before = carray(to_floats(o.before), (s.replicas, o.count))
    for i in range(s.replicas):
        for k in range(o.count):
            before[i, k] = p[i * (s.n + 2) + 1 + sites[k]]


def mend(strip, drift, _, own):
    """Let the baths act between the halves of the kick that has been made, and mend the drift after it."""
    s, o = carray(strip, 1)[0], carray(own, 1)[0]
    q, p = carray(to_floats(s.q), s.size + 1), carray(to_floats(s.p), s.size)
    sites, step = carray(to_integers(o.sites), o.count), carray(to_floats(o.step), (3, o.count))
    before = carray(to_floats(o.before), (s.replicas, o.count))
    f = carray(_to_normals(o.normals), 1)[0]
    if o.draws > 0 and f.used + o.draws > f.size:
        for i in range(s.replicas):
            refill(
                f.refill,
                s.streams + _U(32 * LANES) * _U(i),
                f.scratch,
                f.store + _U(8) * _U(f.size * i),
                f.size,
            )
        f.used = 0
    store = carray(to_floats(f.store), (s.replicas, f.size))
    for i in range(s.replicas):
        draw = f.used
        for k in range(o.count):
            j = i * (s.n + 2) + 1 + sites[k]
            half = 0.5 * (p[j] - before[i, k])
            v = step[0, k] * (before[i, k] + half) + step[1, k] + half
            if step[2, k] > 0.0:
                v += step[2, k] * store[i, draw]
                draw += 1
            q[j] += drift * (v - p[j])
            p[j] = v
    f.used += o.draws
