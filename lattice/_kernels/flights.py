"""Phonons that fly at their group velocity and jump to other wave numbers at random.

A phonon is known by s = sin² πk and by the sign of its velocity, which each jump draws anew.
"""

import numpy as np

from . import jit

VELOCITY_FLIP, VELOCITY_EXCHANGE, THREE_SITE_ROTATION = 0, 1, 2


@jit
def _disc(rng):
    """First coordinate and squared radius of a point of the unit disc, any but its centre."""
    while True:
        a, b = 2 * rng.random() - 1, 2 * rng.random() - 1
        r2 = a * a + b * b
        if 0 < r2 <= 1:
            return a, r2


@jit
def _scattered(kind, s, rng):
    """s after a jump, from a density of k' proportional to R(k, k').

    With a point (a, b) of the disc, r² is uniform and independent of the direction, and a²/r² has the
    law of cos² of a uniform angle.  Products of such variables have the Beta laws that are needed.
    """
    a, r2 = _disc(rng)
    if kind == VELOCITY_FLIP:  # uniform in k
        return a * a / r2
    if kind == VELOCITY_EXCHANGE:  # s', that is Beta(3/2, 1/2)
        return 1 - a * a
    # s s'(1 - s') + (1 - s) s'², the first of weight s, the second of weight 3(1 - s)
    if rng.random() * (3 - 2 * s) < s:
        return (1 + a) / 2  # Beta(3/2, 3/2)
    return 1 - a * a / r2 * (1 - np.sqrt(r2))  # Beta(5/2, 1/2)


@jit
def _rate(kind, gamma, s):
    """φ(k)."""
    if kind == VELOCITY_FLIP:
        return 2 * gamma
    if kind == VELOCITY_EXCHANGE:
        return 4 * gamma * s
    return 4 / 3 * gamma * s * (3 - 2 * s)


@jit
def _velocity(chi, pin, s, rng):
    """The group velocity at s, of random sign."""
    omega2 = pin + 4 * chi * s
    speed = 2 * chi * np.sqrt(max(s * (1 - s), 0.0) / omega2) if omega2 > 0 else np.sqrt(chi)
    return speed if rng.random() < 0.5 else -speed


@jit
def fly(kind, gamma, chi, pin, times, s, velocity, out, rng):
    """Positions `out` (times, flights) of flights from 0; `s` is sin² πk and `velocity` v at the start."""
    for i in range(s.size):
        now, x, u, v = 0.0, 0.0, s[i], velocity[i]
        phi = _rate(kind, gamma, u)
        jump = rng.standard_exponential() / phi if phi > 0 else np.inf
        for j in range(times.size):
            while jump < times[j]:
                x += v * (jump - now)
                now = jump
                u = _scattered(kind, u, rng)
                v = _velocity(chi, pin, u, rng)
                phi = _rate(kind, gamma, u)
                jump = now + (rng.standard_exponential() / phi if phi > 0 else np.inf)
            x += v * (times[j] - now)
            now = times[j]
            out[j, i] = x
