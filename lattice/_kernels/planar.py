"""A ring of sites that move in a plane, joined by springs whose length is Pythagoras'.

Layout.  The two components of a replica are two rows, each with a ghost site on either side.  Before a sweep
the ghosts become images of the sites at the other end; what the sweep makes of them is overwritten.
"""

import math

from . import fused_inlined, fused_jit, wide


@fused_inlined
def _pull(stiffness, lengthless, r, s):
    """The force of a spring with ends (1 + r, s) apart; `lengthless` is stiffness times natural length."""
    a = 1.0 + r
    hold = stiffness - lengthless / math.sqrt(a * a + s * s)
    return hold * a, hold * s


@fused_jit
def _sweep(x, y, px, py, kick, drift, stiffness, lengthless, pin_x, pin_y):
    """Kick and drift every site in one pass that carries the force of the spring to the left."""
    wide()
    n = x.size - 2
    x[0], x[n + 1], y[0], y[n + 1] = x[n], x[1], y[n], y[1]
    left_x, left_y = _pull(stiffness, lengthless, x[1] - x[0], y[1] - y[0])
    for j in range(1, n + 1):
        here_x, here_y = x[j], y[j]
        right_x, right_y = _pull(stiffness, lengthless, x[j + 1] - here_x, y[j + 1] - here_y)
        u = px[j] + kick * ((right_x - left_x) - pin_x * here_x)
        v = py[j] + kick * ((right_y - left_y) - pin_y * here_y)
        px[j], py[j] = u, v
        x[j], y[j] = here_x + drift * u, here_y + drift * v
        left_x, left_y = right_x, right_y


@fused_jit
def march(q, p, kicks, drifts, steps, h, stiffness, natural, pin_x, pin_y):
    """Steps of duration h for each replica in turn, in place.

    Parameters
    ----------
    q, p : (replicas, 2, n + 2) array
        With a ghost site on either side.
    kicks, drifts : (m + 1,), (m,) array
        In units of the step; the last kick of a step and the first of the next are one.
    steps : int
    h, stiffness, natural, pin_x, pin_y : float
        `natural` is the natural length of the springs.
    """
    law = stiffness, stiffness * natural, pin_x, pin_y
    for i in range(len(q)):
        x, y, px, py = q[i, 0], q[i, 1], p[i, 0], p[i, 1]
        for step in range(steps):
            kick = kicks[0] if step == 0 else kicks[0] + kicks[-1]
            for k in range(drifts.size):
                if k > 0:
                    kick = kicks[k]
                _sweep(x, y, px, py, h * kick, h * drifts[k], *law)
        if steps > 0:
            _sweep(x, y, px, py, h * kicks[-1], 0.0, *law)
