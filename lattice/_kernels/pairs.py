"""Noise that turns the relative momentum of neighbours on a lattice of vectors."""

import math

from . import jit


@jit
def turn_pairs(p, first, second, spread, forward, rng):
    """Turn, for each pair of sites, the relative momentum in every plane by a Gaussian angle.

    `p` is (d, sites); the pairs act one after another in the order given, the planes of a pair too, and
    everything in the opposite order if not `forward`.
    """
    d, count = p.shape[0], first.size
    planes = d * (d - 1) // 2
    for m in range(count):
        pair = m if forward else count - 1 - m
        a, b = first[pair], second[pair]
        for plane in range(planes):
            order = plane if forward else planes - 1 - plane
            i, j = 0, 1  # the plane number `order` of (0, 1), (0, 2), …, (1, 2), …
            for _ in range(order):
                j += 1
                if j == d:
                    i += 1
                    j = i + 1
            angle = spread * rng.standard_normal()
            cosine, sine = math.cos(angle), math.sin(angle)
            # half of the relative momentum, and the mean
            u, v = (p[i, b] - p[i, a]) / 2, (p[j, b] - p[j, a]) / 2
            mean_i, mean_j = (p[i, b] + p[i, a]) / 2, (p[j, b] + p[j, a]) / 2
            new_u, new_v = cosine * u + sine * v, cosine * v - sine * u
            p[i, a], p[i, b] = mean_i - new_u, mean_i + new_u
            p[j, a], p[j, b] = mean_j - new_v, mean_j + new_v
