"""Slow, obvious twins of the kernels: one site, one step, one number at a time."""

import math

LANES = 64
WORD = 2**64 - 1


def at(coefficient, j):
    """Entry j of a coefficient vector, or the number."""
    return float(coefficient) if getattr(coefficient, "ndim", 0) == 0 else float(coefficient[j])


def slope(law, j, x):
    """V'(x) of a Bond or a Pin at its place j."""
    chi, alpha, beta, J, m = (at(getattr(law, name), j) for name in ("chi", "alpha", "beta", "J", "m"))
    return chi * x + alpha * x**2 + beta * x**3 + J * m * math.sin(m * x)


def bonds(chain):
    """(bond, left site, right site) for every bond, None for a wall."""
    n = chain.n
    if chain.periodic:
        return [(j, j, (j + 1) % n) for j in range(n)]
    pairs = [(None, 0)] if chain.ends[0] == "fixed" else []
    pairs += [(j, j + 1) for j in range(n - 1)]
    pairs += [(n - 1, None)] if chain.ends[1] == "fixed" else []
    return [(b, left, right) for b, (left, right) in enumerate(pairs)]


def tension(chain, q, b, left, right):
    """V' of one bond; walls rest at 0."""
    r = (0.0 if right is None else q[right]) - (0.0 if left is None else q[left])
    return slope(chain.bond, b, r)


def force(chain, q):
    """Force on each site of one replica."""
    total = [-slope(chain.pin, j, q[j]) for j in range(chain.n)]
    for b, left, right in bonds(chain):
        pull = tension(chain, q, b, left, right)
        if left is not None:
            total[left] += pull
        if right is not None:
            total[right] -= pull
    return total


def energy_current(chain, q, p):
    """Energy current on each bond of one replica."""
    return [
        0.0 if None in (left, right) else -0.5 * (p[left] + p[right]) * tension(chain, q, b, left, right)
        for b, left, right in bonds(chain)
    ]


def bathe(p, baths, duration, draws):
    """The exact Ornstein-Uhlenbeck step of each bath; `draws` yields Gaussians, one for each warm bath."""
    for bath in baths:
        c = math.exp(-bath.friction * duration)
        p[bath.site] *= c
        p[bath.site] += bath.force * (duration if bath.friction == 0 else (1 - c) / bath.friction)
        if bath.friction > 0 and bath.temperature > 0:
            p[bath.site] += math.sqrt(bath.temperature * (1 - c * c)) * next(draws)


def evolve(chain, q, p, intervals, kicks, drifts, baths=(), draws=None):
    """One replica; `intervals` lists (steps, step); the states (q, p) at the end of each.

    Between two steps the two halves of a bath are one step of twice the duration:
    the same law, half as many Gaussians.
    """
    q, p = list(q), list(p)
    states = []
    for steps, h in intervals:
        for s in range(steps):
            if s == 0:
                bathe(p, baths, h / 2, draws)
            for i, kick in enumerate(kicks):
                f = force(chain, q)
                p = [v + h * kick * a for v, a in zip(p, f, strict=True)]
                if i < len(drifts):
                    q = [x + h * drifts[i] * v for x, v in zip(q, p, strict=True)]
            bathe(p, baths, h if s < steps - 1 else h / 2, draws)
        states.append((q, list(p)))
    return states


def rotate(x, by):
    """A 64-bit word turned left."""
    return ((x << by) | (x >> (64 - by))) & WORD


def xoshiro(state):
    """The words of one xoshiro256++ generator, for ever."""
    a, b, c, d = (int(word) for word in state)
    while True:
        yield (rotate((a + d) & WORD, 23) + a) & WORD
        t = (b << 17) & WORD
        c ^= a
        d ^= b
        b ^= c
        a ^= d
        c ^= t
        d = rotate(d, 45)


def words(state):
    """The bits of a stream (4, LANES): the lanes take turns."""
    lanes = [xoshiro(state[:, lane]) for lane in range(LANES)]
    while True:
        for lane in lanes:
            yield next(lane)


def box_muller(bits):
    """As many Gaussians as words: radii from the first half, angles from the second, signs from either."""
    half = len(bits) // 2
    first, second = [], []
    for b, c in zip(bits[:half], bits[half:], strict=True):
        u = 1 - (b >> 12) * 2.0**-52
        radius = math.sqrt(-2 * math.log(u))
        angle = math.pi / 2 * (c >> 12) * 2.0**-52
        first.append(radius * math.cos(angle) * (-1) ** (b & 1))
        second.append(radius * math.sin(angle) * (-1) ** (c & 1))
    return first + second


def normals(state, size=2048, draws=1):
    """The Gaussians of a stream, `size` at a time; what does not fill a set of `draws` is dropped."""
    source = words(state)
    while True:
        block = box_muller([next(source) for _ in range(size)])
        yield from block[: size // draws * draws]
