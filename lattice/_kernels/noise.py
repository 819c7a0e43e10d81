r"""Noises that keep the energy: exact maps of the momenta, or of the stretches, over a time.

Flips and exchanges are *trials*: in a time t each place (a site, or a bond) has seen
an odd number of them with a chance of :math:`(1 - e^{-2\gamma t})/2`.  Not the places but the
gaps between two successes are drawn; what is left of a gap is carried on to the
next time, since a geometric gap has no memory.

Exchanges, and rotations, that share a site do not commute.  They act one after another, colour
by colour, and in the opposite order every other time: so the error of their order is of the second
order in the step as well.
"""

import math

import numpy as np
from numba import carray

from . import as_bits, as_float, fused_inner, inlined, keep_apart, wide
from .march import FIXED, PERIODIC
from .operations import Kind, Own, filler, refill, to_floats, to_integers
from .random import LANES, eighths, refill_exponential, refill_normal

# Random numbers that a replica has in store: for trials, for rotations.
GAPS, ANGLES = 4 * LANES, 16 * LANES
_FAR = 2.0**60
_U = np.uint64
_ONE, _TWO, _THREE = _U(1), _U(2), _U(3)
_ROUND = 1.5 * 2.0**52  # x + this - this rounds x to an integer, and leaves it in the lowest bits
_THIRD, _ROOT_THIRD = 1 / 3, math.sqrt(1 / 3)

TRIALS = Kind("refill gaps store used scratch places before", "count backwards")
TURNS = Kind("refill store used scratch cosines sines", "backwards")


def trials(replicas: int, n: int) -> Own:
    """What belongs to flips and exchanges: random numbers, how many are used, gaps; scratch."""
    return Own(
        TRIALS,
        fill={"used": GAPS},
        refill=filler(refill_exponential),
        gaps=np.zeros(replicas, np.int64),
        store=np.empty((replicas, GAPS)),
        used=np.empty(replicas, np.int64),
        scratch=np.empty(GAPS, np.uint64),
        places=np.empty(replicas * n, np.int64),
        before=np.empty(replicas * n),
        count=0,
        backwards=0,
    )


def turns(replicas: int, n: int) -> Own:
    """What belongs to rotations: random numbers, how many are used; scratch."""
    return Own(
        TURNS,
        fill={"used": ANGLES},
        refill=filler(refill_normal),
        store=np.empty((replicas, ANGLES)),
        used=np.empty(replicas, np.int64),
        scratch=np.empty(ANGLES, np.uint64),
        cosines=np.empty(n),
        sines=np.empty(n),
        backwards=0,
    )


def inverse_hazard(rate: float, duration: float) -> float:
    """1/(-log(1 - s)), s the chance of a success: an exponential variate times this, cut, is a gap."""
    chance = -0.5 * math.expm1(-2.0 * rate * duration)
    return 1.0 / max(-math.log1p(-chance), 1e-300)


@inlined
def _gap(s, o, used, i, inverse):
    """The places until the next success of replica i."""
    if used[i] == GAPS:
        refill(o.refill, s.streams + _U(32 * LANES) * _U(i), o.scratch, o.store + _U(8 * GAPS) * _U(i), GAPS)
        used[i] = 0
    k = used[i]
    used[i] = k + 1
    return np.int64(min(carray(to_floats(o.store), (s.replicas, GAPS))[i, k] * inverse, _FAR))


def draw_gaps(strip, inverse, _, own):
    """Draw the gaps anew, as after a change of the chance."""
    s, o = carray(strip, 1)[0], carray(own, 1)[0]
    gaps, used = carray(to_integers(o.gaps), s.replicas), carray(to_integers(o.used), s.replicas)
    for i in range(s.replicas):
        gaps[i] = _gap(s, o, used, i, inverse)


def find_flips(strip, inverse, _, own):
    """Note which velocities are to flip amid the kick that follows, and what they are."""
    s, o = carray(strip, 1)[0], carray(own, 1)[0]
    p, gaps = carray(to_floats(s.p), s.size), carray(to_integers(o.gaps), s.replicas)
    used = carray(to_integers(o.used), s.replicas)
    places = carray(to_integers(o.places), s.replicas * s.n)
    before = carray(to_floats(o.before), s.replicas * s.n)
    count = 0
    for i in range(s.replicas):
        place, first = gaps[i], i * (s.n + 2) + 1
        while place < s.n:
            places[count], before[count] = first + place, p[first + place]
            count += 1
            place += 1 + _gap(s, o, used, i, inverse)
        gaps[i] = place - s.n
    o.count = count


def mend_flips(strip, drift, _, own):
    """Flip between the two halves of the kick that has been made, and mend the drift that followed.

    The half after a flip undoes the half before it: the momentum ends as `before`, turned round.
    """
    s, o = carray(strip, 1)[0], carray(own, 1)[0]
    q, p = carray(to_floats(s.q), s.size + 1), carray(to_floats(s.p), s.size)
    places = carray(to_integers(o.places), s.replicas * s.n)
    before = carray(to_floats(o.before), s.replicas * s.n)
    for k in range(o.count):
        j = places[k]
        q[j] -= drift * (before[k] + p[j])
        p[j] = -before[k]


def exchange(strip, inverse, _, own):
    """Neighbours exchange momenta: even bonds, then odd ones, next time the other way round.

    On an odd ring bond 0 meets the last even one.
    """
    s, o = carray(strip, 1)[0], carray(own, 1)[0]
    p, gaps = carray(to_floats(s.p), s.size), carray(to_integers(o.gaps), s.replicas)
    used = carray(to_integers(o.used), s.replicas)
    bonds = s.n if s.left == PERIODIC else s.n - 1
    even = (bonds + 1) // 2
    for i in range(s.replicas):
        place, first = gaps[i], i * (s.n + 2) + 1
        while place < bonds:
            t = bonds - 1 - place if o.backwards else place
            b = 2 * t if t < even else 2 * (t - even) + 1
            c = b + 1 if b + 1 < s.n else 0
            p[first + b], p[first + c] = p[first + c], p[first + b]
            place += 1 + _gap(s, o, used, i, inverse)
        gaps[i] = place - bonds
    o.backwards = 1 - o.backwards


@inlined
def _move(q, end, forward, start, stop, shift):
    """Shift the sites from `start` to before `stop`, counted from `end`."""
    for place in range(start, stop):
        q[end + forward * place] += shift


def flip_stretches(strip, inverse, _, own):
    """Turn stretches round by moving all that lies behind them: to the left, if the right end is fixed."""
    s, o = carray(strip, 1)[0], carray(own, 1)[0]
    q, gaps = carray(to_floats(s.q), s.size + 1), carray(to_integers(o.gaps), s.replicas)
    used = carray(to_integers(o.used), s.replicas)
    forward, bonds = -1 if s.right == FIXED else 1, s.n - 1
    for i in range(s.replicas):
        place, first = gaps[i], i * (s.n + 2) + 1
        shift, done, end = 0.0, 0, first + bonds if forward < 0 else first
        while place < bonds:
            j = end + forward * place
            r = q[j + forward] - q[j]
            _move(q, end, forward, done, place + 1, shift)
            shift -= 2.0 * r
            done = place + 1
            place += 1 + _gap(s, o, used, i, inverse)
        if done > 0:
            _move(q, end, forward, done, s.n, shift)
        gaps[i] = place - bonds


@fused_inner
def fill_turns(gaussians, cosines, sines, count, scale):
    """Cosines and sines of angles, given as Gaussians times `scale` in quarters of a turn; by address."""
    keep_apart()
    wide()
    g = carray(to_floats(gaussians), count)
    c, s = carray(to_floats(cosines), count), carray(to_floats(sines), count)
    for k in range(count):
        quarters = g[k] * scale
        shifted = quarters + _ROUND
        w = 2.0 * (quarters - (shifted - _ROUND))  # in [-1, 1], exact
        sine, cosine = eighths(w)
        turned = as_bits(shifted)
        odd = (turned & _ONE) != _U(0)
        a, b = (sine, cosine) if odd else (cosine, sine)
        # the second of the lowest bits is the sign
        c[k] = as_float(as_bits(a) ^ ((turned + _ONE) >> _ONE << _U(63)))
        s[k] = as_float(as_bits(b) ^ (turned >> _ONE << _U(63)))


@fused_inner
def _rotate(momenta, cosines, sines, count):
    """Turn the triples that lie one behind another about (1, 1, 1); by address."""
    keep_apart()
    wide()
    v = carray(to_floats(momenta), 3 * count)
    cosine, sine = carray(to_floats(cosines), count), carray(to_floats(sines), count)
    for k in range(_U(count)):
        j = _THREE * k
        x, y, z = v[j], v[j + _ONE], v[j + _TWO]
        mean = (x + y + z) * _THIRD
        c, s = cosine[k], sine[k] * _ROOT_THIRD
        v[j] = mean + (c * (x - mean) + s * (z - y))
        v[j + _ONE] = mean + (c * (y - mean) + s * (x - z))
        v[j + _TWO] = mean + (c * (z - mean) + s * (y - x))


@inlined
def draw_turns(refiller, stream, scratch, store, used, i, cosines, sines, count, scale):
    """So many cosines and sines of Gaussian angles, from what replica i has in store; by address."""
    done = 0
    while done < count:
        if used[i] == ANGLES:
            refill(refiller, stream, scratch, store, ANGLES)
            used[i] = 0
        some, shift = min(count - done, ANGLES - used[i]), _U(8) * _U(done)
        fill_turns(store + _U(8) * _U(used[i]), cosines + shift, sines + shift, some, scale)
        used[i] += some
        done += some


def rotate(strip, scale, _, own):
    """Turn every three neighbours by a Gaussian angle, `scale` its spread in quarters of a turn.

    The triples that begin at sites 0, 3, 6 …, then 1, 4, 7 …, then 2, 5, 8 …; next time the other way
    round.  On a ring whose length is no multiple of 3 the triple over its end meets another of its colour:
    it acts after them, or before them.
    """
    s, o = carray(strip, 1)[0], carray(own, 1)[0]
    p, n = carray(to_floats(s.p), s.size), s.n
    triples = n if s.left == PERIODIC else n - 2
    used = carray(to_integers(o.used), s.replicas)
    one = n - (n - 1)  # a constant would have `_rotate` compiled for it alone
    for i in range(s.replicas):
        stream, store = s.streams + _U(32 * LANES) * _U(i), o.store + _U(8 * ANGLES) * _U(i)
        draw_turns(o.refill, stream, o.scratch, store, used, i, o.cosines, o.sines, triples, scale)
        done, first = 0, i * (n + 2) + 1
        for step in range(6):
            colour = (5 - step if o.backwards else step) >> 1
            start, count = colour, (n - colour) // 3
            if (step ^ o.backwards) & 1:
                start += 3 * count
                count = one if start < triples else 0
            if count == 0:
                continue
            for k in range(2):  # behind its end a ring has place for its first two
                p[first + n + k] = p[first + k]
            shift = _U(8) * _U(done)
            _rotate(s.p + _U(8) * _U(first + start), o.cosines + shift, o.sines + shift, count)
            done += count
            for k in range(start + 3 * count - n):
                p[first + k] = p[first + n + k]
    o.backwards = 1 - o.backwards
