r"""Noises that keep the energy: exact maps of the momenta, or of the stretches, over a time.

Flips and exchanges are *trials*: in a time t each place (a site, or a bond) has seen
an odd number of them with a chance of :math:`(1 - e^{-2\gamma t})/2`.  Not the places but the
gaps between two successes are drawn; what is left of a gap is carried on to the
next time, since a geometric gap has no memory.

Exchanges, and rotations, that share a site do not commute.  They act one after another, colour
by colour, and in the opposite order every other time: so the error of their order is of the second
order in the step as well.

Arrays come with offsets, unsigned, and not as slices; and what is called at every step calls nothing
that stays a call: counting the references to one array costs as much as ten sites.
"""

import math

import numpy as np

from . import as_bits, as_float, fused_jit, jit, keep_apart, random
from .random import LANES, fill_bits, fill_normal

VELOCITY_FLIP, STRETCH_FLIP, EXCHANGE, ROTATION = range(4)
# Random numbers that a replica has in store: for trials, for rotations.
GAPS, ANGLES = 4 * LANES, 16 * LANES
_FAR = 2.0**60
_U = np.uint64
_ONE, _TWO, _THREE = _U(1), _U(2), _U(3)
_ROUND = 1.5 * 2.0**52  # x + this - this rounds x to an integer, and leaves it in the lowest bits
_THIRD, _ROOT_THIRD = 1 / 3, math.sqrt(1 / 3)


@jit
def prepare(kind, replicas, n):
    """What noise keeps from one time to the next: random numbers, how many are used, gaps; scratch."""
    size = ANGLES if kind == ROTATION else GAPS
    used, gaps = np.full(replicas, size), np.zeros(replicas, np.int64)
    turns = np.empty((2, n if kind == ROTATION else 0))
    return np.empty((replicas, size)), used, gaps, np.empty(size, np.uint64), turns


@fused_jit
def fill_exponential(streams, i, bits, variates, used):
    """Exponential variates of mean 1 for replica i."""
    keep_apart()
    out = variates[i]
    fill_bits(streams[i], bits)
    for k in range(out.size):
        radius = random._radius(bits[k])
        out[k] = radius * radius
    used[i] = 0


@jit
def inverse_hazard(rate, duration):
    """1/(-log(1 - s)), s the chance of a success: an exponential variate times this, cut, is a gap."""
    chance = -0.5 * math.expm1(-2.0 * rate * duration)
    return 1.0 / max(-math.log1p(-chance), 1e-300)


@jit
def new_gaps(streams, variates, used, gaps, bits, inverse):
    """Draw the gaps anew, as after a change of the chance."""
    keep_apart()
    for i in range(gaps.size):
        if used[i] == GAPS:
            fill_exponential(streams, i, bits, variates, used)
        gaps[i] = min(variates[i, used[i]] * inverse, _FAR)
        used[i] += 1


@jit
def _move(q, first, forward, start, stop, shift):
    """Shift the sites from `start` to before `stop`, counted from `first`."""
    for place in range(start, stop):
        q[first + forward * place] += shift


@jit
def _exchange(p, first, n, bonds, place, backwards):
    """Even bonds, then odd ones, or the other way round; on an odd ring bond 0 meets the last even one."""
    even = (bonds + 1) // 2
    t = bonds - 1 - place if backwards else place
    b = 2 * t if t < even else 2 * (t - even) + 1
    c = b + 1 if b + 1 < n else 0
    p[first + b], p[first + c] = p[first + c], p[first + b]


@jit
def attempt(i, kind, q, p, n, trials, leftwards, backwards, variates, used, gaps, inverse):
    """Apply the flips or exchanges of the replicas from i on; the first that is out of random numbers."""
    keep_apart()
    forward = -1 if leftwards else 1
    for row in range(i, gaps.size):
        place, k, first = gaps[row], used[row], row * (n + 2) + 1
        shift, done, end = 0.0, 0, first + n - 1 if leftwards else first
        while place < trials and k < GAPS:
            if kind == VELOCITY_FLIP:
                p[first + place] = -p[first + place]
            elif kind == EXCHANGE:
                _exchange(p, first, n, trials, place, backwards)
            else:  # turn a stretch round by moving all that lies behind it, in the end
                j = end + forward * place
                r = q[j + forward] - q[j]
                _move(q, end, forward, done, place + 1, shift)
                shift -= 2.0 * r
                done = place + 1
            place += 1 + np.int64(min(variates[row, k] * inverse, _FAR))
            k += 1
        if done > 0:
            _move(q, end, forward, done, n, shift)
        used[row] = k
        if place < trials:
            gaps[row] = place
            return row
        gaps[row] = place - trials
    return gaps.size


@jit
def find_flips(i, count, p, n, variates, used, gaps, inverse, places, before):
    """Where on the strip velocities are to flip, from replica i on, and what they are.

    The first replica that is out of random numbers, and the count.
    """
    keep_apart()
    for row in range(i, gaps.size):
        place, k, first = gaps[row], used[row], row * (n + 2) + 1
        while place < n and k < GAPS:
            places[count], before[count] = first + place, p[first + place]
            count += 1
            place += 1 + np.int64(min(variates[row, k] * inverse, _FAR))
            k += 1
        used[row] = k
        if place < n:
            gaps[row] = place
            return row, count
        gaps[row] = place - n
    return gaps.size, count


@jit
def flip_within_kick(q, p, places, count, before, drift):
    """Flip between the two halves of a kick that has been made, and mend the drift that followed.

    The half after a flip undoes the half before it: the momentum ends as `before`, turned round.
    """
    keep_apart()
    for k in range(count):
        j = places[k]
        q[j] -= drift * (before[k] + p[j])
        p[j] = -before[k]


@fused_jit
def _turns(variates, i, first, scale, turns, start, count):
    """Cosines and sines of angles, given as Gaussians times `scale` in quarters of a turn."""
    keep_apart()
    i, first, start = _U(i), _U(first), _U(start)
    for k in range(_U(count)):
        quarters = variates[i, first + k] * scale
        shifted = quarters + _ROUND
        w = 2.0 * (quarters - (shifted - _ROUND))  # in [-1, 1], exact
        y = w * w
        tail = random._S3 + y * (random._S4 + y * (random._S5 + y * random._S6))
        s = w * (random._S0 + y * (random._S1 + y * (random._S2 + y * tail)))
        tail = random._C3 + y * (random._C4 + y * (random._C5 + y * random._C6))
        c = random._C0 + y * (random._C1 + y * (random._C2 + y * tail))
        turned = as_bits(shifted)
        odd = (turned & _ONE) != _U(0)
        cosine, sine = (s, c) if odd else (c, s)
        # the second of the lowest bits is the sign
        turns[_U(0), start + k] = as_float(as_bits(cosine) ^ ((turned + _ONE) >> _ONE << _U(63)))
        turns[_ONE, start + k] = as_float(as_bits(sine) ^ (turned >> _ONE << _U(63)))


@jit
def draw_turns(count, i, scale, streams, variates, used, bits, turns):
    """So many cosines and sines of Gaussian angles for replica i, from what it has in store."""
    keep_apart()
    done = 0
    while done < count:
        if used[i] == ANGLES:
            fill_normal(streams[i], bits, variates[i])
            used[i] = 0
        some = min(count - done, ANGLES - used[i])
        _turns(variates, i, used[i], scale, turns, done, some)
        used[i] += some
        done += some


@fused_jit
def _rotate(v, first, turns, start, count):
    """Turn the triples that lie one behind another from `first` on about (1, 1, 1)."""
    keep_apart()
    first, start = _U(first), _U(start)
    for k in range(_U(count)):
        j = first + _THREE * k
        x, y, z = v[j], v[j + _ONE], v[j + _TWO]
        mean = (x + y + z) * _THIRD
        c, s = turns[_U(0), start + k], turns[_ONE, start + k] * _ROOT_THIRD
        v[j] = mean + (c * (x - mean) + s * (z - y))
        v[j + _ONE] = mean + (c * (y - mean) + s * (x - z))
        v[j + _TWO] = mean + (c * (z - mean) + s * (y - x))


@jit
def _rotate_row(p, first, n, triples, turns, backwards, around):
    """The triples that begin at sites 0, 3, 6 …, then 1, 4, 7 …, then 2, 5, 8 …, or the other way round.

    On a ring whose length is no multiple of 3 the triple over its end meets another of its colour:
    it acts after them, or before them.
    """
    keep_apart()
    done = 0
    for step in range(6):
        colour, over_the_end = divmod(5 - step if backwards else step, 2)
        if not over_the_end:
            _rotate(p, first + colour, turns, done, (n - colour) // 3)
            done += (n - colour) // 3
            continue
        for a in range(n - 2, triples):
            if a % 3 == colour:
                for k in range(3):
                    around[k] = p[first + (a + k) % n]
                _rotate(around, 0, turns, done, 1)
                for k in range(3):
                    p[first + (a + k) % n] = around[k]
                done += 1


@jit
def _rotations(p, n, triples, scale, backwards, streams, variates, used, bits, turns):
    """Turn every triple of every replica by an angle of its own."""
    keep_apart()
    around = np.empty(3)
    for i in range(used.size):
        draw_turns(triples, i, scale, streams, variates, used, bits, turns)
        _rotate_row(p, i * (n + 2) + 1, n, triples, turns, backwards, around)


@jit
def act(noise, duration, carried, order, q, p, layout, streams, store):
    """Apply the noise for a time to every replica.

    Parameters
    ----------
    noise : (int, float)
        VELOCITY_FLIP, STRETCH_FLIP, EXCHANGE or ROTATION, and its rate.
    duration : float
    carried : float
        The duration for which the gaps at hand were drawn; 0 if they are to be drawn anew.
    order : float
        1, or -1 if the colours act in the opposite order.  (Integers that are constants, and
        booleans, would have all of this compiled for them alone.)
    q, p : arrays
        The strip, changed in place.
    layout : (int, bool, bool)
        Sites of a replica; whether it is a ring; whether the sites to the left of a stretch, not
        those to its right, move when it is flipped.
    streams, store
        Random streams, and what `prepare` returned; advanced in place.
    """
    keep_apart()
    kind, rate = noise
    n, ring, leftwards = layout
    backwards = order < 0.0
    variates, used, gaps, bits, turns = store
    if kind == ROTATION:
        scale = math.sqrt(rate * duration) * (2.0 / math.pi)
        triples = n if ring else n - 2
        _rotations(p, n, triples, scale, backwards, streams, variates, used, bits, turns)
        return
    inverse = inverse_hazard(rate, duration)
    if carried != duration:
        new_gaps(streams, variates, used, gaps, bits, inverse)
    trials = n if kind == VELOCITY_FLIP or ring else n - 1
    i = 0
    while i < gaps.size:
        i = attempt(i, kind, q, p, n, trials, leftwards, backwards, variates, used, gaps, inverse)
        if i < gaps.size:
            fill_exponential(streams, i, bits, variates, used)
