"""Phonons that fly at their group velocity and jump to other wave numbers at random.

A phonon is known by s = sin² πk and by the sign of its velocity, which each jump draws anew.
"""

import numpy as np

from . import jit

# Densities of s = sin² πk after a jump; B(i, j) is sⁱ (1 - s)ʲ in k, normalised: Beta(i + ½, j + ½) of s.
B00, B10, B11_OR_B20 = range(3)


@jit
def _disc(rng):
    """First coordinate and squared radius of a point of the unit disc, any but its centre."""
    while True:
        a, b = 2 * rng.random() - 1, 2 * rng.random() - 1
        r2 = a * a + b * b
        if 0 < r2 <= 1:
            return a, r2


@jit
def _scattered(law, s, rng):
    """s after a jump.  Of B(1, 1) and B(2, 0) the first has the weight s, and both together b - cs.

    With a point (a, b) of the disc, r² is uniform and independent of the direction, and a²/r² has the
    law of cos² of a uniform angle.  Products of such variables have the Beta laws that are needed.
    """
    _, _, b, c, after = law
    a, r2 = _disc(rng)
    if after == B00:  # uniform in k
        return a * a / r2
    if after == B10:
        return 1 - a * a
    if rng.random() * (b - c * s) < s:
        return (1 + a) / 2
    return 1 - a * a / r2 * (1 - np.sqrt(r2))


@jit
def _rate(law, s):
    """φ(k)."""
    constant, slope, b, c, _ = law
    return (constant + slope * s) * (b - c * s)


@jit
def _velocity(chi, pin, s, rng):
    """The group velocity at s, of random sign."""
    omega2 = pin + 4 * chi * s
    speed = 2 * chi * np.sqrt(max(s * (1 - s), 0.0) / omega2) if omega2 > 0 else np.sqrt(chi)
    return speed if rng.random() < 0.5 else -speed


@jit
def fly(law, chi, pin, times, s, velocity, out, rng):
    """Positions `out` (times, flights) of flights from 0; `s` is sin² πk and `velocity` v at the start.

    `law` is (A, B, b, c, after): jumps come at the rate φ = (A + Bs) (b - cs), and end in that density.
    """
    for i in range(s.size):
        now, x, u, v = 0.0, 0.0, s[i], velocity[i]
        phi = _rate(law, u)
        jump = rng.standard_exponential() / phi if phi > 0 else np.inf
        for j in range(times.size):
            while jump < times[j]:
                x += v * (jump - now)
                now = jump
                u = _scattered(law, u, rng)
                v = _velocity(chi, pin, u, rng)
                phi = _rate(law, u)
                jump = now + (rng.standard_exponential() / phi if phi > 0 else np.inf)
            x += v * (times[j] - now)
            now = times[j]
            out[j, i] = x
