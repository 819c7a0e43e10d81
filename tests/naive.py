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


def colours(places, ring, period):
    """Groups of places, those of one group disjoint; what reaches over the end of a ring comes by itself."""
    over = period - 1 if ring else 0
    groups = []
    for colour in range(period):
        groups.append([a for a in range(colour, places, period) if a < places - over])
        groups.append([a for a in range(colour, places, period) if a >= places - over])
    return groups


class Noise:
    """A noise on one replica; it takes its numbers from the words of `source` in blocks."""

    def __init__(self, noise, chain, source):
        self.kind, self.rate, self.chain = type(noise).__name__, noise.rate, chain
        self.angles, self.gaps = normals(source, 1024), exponentials(source)
        self.gap = None

    def successes(self, trials, duration, fresh):
        """Which trials succeed; the gap to the next one is kept for the next time."""
        hazard = -math.log((1 + math.exp(-2 * self.rate * duration)) / 2)
        if fresh:
            self.gap = int(next(self.gaps) / hazard)
        found = []
        while self.gap < trials:
            found.append(self.gap)
            self.gap += 1 + int(next(self.gaps) / hazard)
        self.gap -= trials
        return found

    def act(self, q, p, duration, fresh, backwards):
        """Change q and p in place."""
        n, ring = self.chain.n, self.chain.periodic
        if self.kind == "VelocityFlip":
            for j in self.successes(n, duration, fresh):
                p[j] = -p[j]
        elif self.kind == "StretchFlip":
            leftwards = self.chain.ends[1] == "fixed"
            for b in self.successes(n - 1, duration, fresh):
                b = n - 2 - b if leftwards else b
                shift = 2 * (q[b + 1] - q[b])
                for j in range(b + 1) if leftwards else range(b + 1, n):
                    q[j] += shift if leftwards else -shift
        elif self.kind == "VelocityExchange":
            bonds = n if ring else n - 1
            order = [*range(0, bonds, 2), *range(1, bonds, 2)]
            for b in self.successes(bonds, duration, fresh):
                a = order[bonds - 1 - b if backwards else b]
                p[a], p[(a + 1) % n] = p[(a + 1) % n], p[a]
        else:
            groups = colours(n if ring else n - 2, ring, 3)
            for group in reversed(groups) if backwards else groups:
                for a in group:
                    rotate_triple(p, a, math.sqrt(self.rate * duration) * next(self.angles))


def rotate_triple(p, a, angle):
    """Rodrigues' rotation of three neighbours about (1, 1, 1)."""
    sites = [(a + k) % len(p) for k in range(3)]
    x, y, z = (p[j] for j in sites)
    along = (x + y + z) / 3 * (1 - math.cos(angle))
    across = math.sin(angle) / math.sqrt(3)
    for j, v, cross in zip(sites, (x, y, z), (z - y, x - z, y - x), strict=True):
        p[j] = math.cos(angle) * v + across * cross + along


def evolve(chain, q, p, intervals, kicks, drifts, baths=(), draws=None, noise=None):
    """One replica; `intervals` lists (steps, step); the states (q, p) at the end of each.

    Between two steps the two halves of a bath, or of a noise amid those of the bath, are one
    of twice the duration: the same law, half as many random numbers.
    """
    if noise:
        return evolve_with_noise(chain, q, p, intervals, kicks, drifts, baths, draws, noise)
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


def evolve_with_noise(chain, q, p, intervals, kicks, drifts, baths, draws, noise):
    """The same with a noise: between the steps, or amid the drift of Verlet if it changes the stretches."""
    q, p = list(q), list(p)
    in_drift = noise.kind == "StretchFlip" and len(drifts) == 1
    states, backwards = [], False
    for steps, h in intervals:
        for s in range(steps):
            if s == 0:
                if not in_drift:
                    noise.act(q, p, h / 2, True, backwards)
                bathe(p, baths, h / 2, draws)
            for i, kick in enumerate(kicks):
                f = force(chain, q)
                p = [v + h * kick * a for v, a in zip(p, f, strict=True)]
                for half in range(2 if i < len(drifts) else 0):
                    q = [x + h / 2 * drifts[i] * v for x, v in zip(q, p, strict=True)]
                    if in_drift and half == 0:
                        noise.act(q, p, h, s == 0, False)
            last = s == steps - 1
            if in_drift:
                bathe(p, baths, h / 2 if last else h, draws)
                continue
            bathe(p, baths, h / 2, draws)
            backwards = not backwards
            noise.act(q, p, h / 2 if last else h, last or s == 0, backwards)
            if not last:
                bathe(p, baths, h / 2, draws)
        backwards = backwards != (steps > 0)
        states.append((list(q), list(p)))
    return states


def rotate(x, by):
    """A 64-bit word turned left."""
    return ((x << by) | (x >> (64 - by))) & WORD


def stream_words(keys, count):
    """The words of so many streams, one at a time: a counter, enciphered with four keys."""
    for x in range(4 * LANES * count):
        x = (x + keys[0]) & WORD
        for key in keys[1:]:
            x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & WORD
            x = (x ^ (x >> 27)) * 0x94D049BB133111EB & WORD
            x = ((x ^ (x >> 31)) + key) & WORD
        yield x


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
    """The Gaussians of a stream, or of its words, `size` at a time; what does not fill a set is dropped."""
    source = words(state) if hasattr(state, "shape") else state
    while True:
        block = box_muller([next(source) for _ in range(size)])
        yield from block[: size // draws * draws]


def exponentials(source, size=256):
    """Exponential variates of mean 1, `size` at a time."""
    while True:
        for b in [next(source) for _ in range(size)]:
            yield -math.log(1 - (b >> 12) * 2.0**-52)


def flight(noise, chain, k, t, rng):
    """Where a phonon of wave number k is at time t: one jump at a time, by rejection from the kernel."""
    name, gamma = type(noise).__name__, noise.rate

    def kernel(s, u):
        if name == "VelocityFlip":
            return 2 * gamma
        if name == "VelocityExchange":
            return 8 * gamma * s * u
        return 32 / 3 * gamma * s * u * (s * (1 - u) + u * (1 - s))

    x, now = 0.0, 0.0
    highest = {"VelocityFlip": 2, "VelocityExchange": 8, "ThreeSiteRotation": 32 / 3}[name] * gamma
    while True:
        s = math.sin(math.pi * k) ** 2
        omega = math.sqrt(chain.pin.chi + 4 * chain.bond.chi * s)
        v = chain.bond.chi * math.sin(2 * math.pi * k) / omega
        # candidates at the highest possible rate, most of which are refused
        wait = rng.exponential(1 / highest)
        if now + wait > t:
            return x + v * (t - now)
        x, now = x + v * wait, now + wait
        k_new = rng.random()
        if rng.random() * highest < kernel(s, math.sin(math.pi * k_new) ** 2):
            k = k_new


def turn_pairs(p, turns):
    """Turn the relative momentum of sites a, b in the plane i, j, for each (a, b, i, j, angle)."""
    for a, b, i, j, angle in turns:
        u = [(y - x) / 2 for x, y in zip(p[a], p[b], strict=True)]
        m = [(y + x) / 2 for x, y in zip(p[a], p[b], strict=True)]
        c, s = math.cos(angle), math.sin(angle)
        u[i], u[j] = c * u[i] + s * u[j], c * u[j] - s * u[i]
        p[a] = [x - y for x, y in zip(m, u, strict=True)]
        p[b] = [x + y for x, y in zip(m, u, strict=True)]


def planar_force(x, y, stiffness, natural, pins):
    """Force on each site of a ring in a plane, one list a component; the springs rest at distance 1."""
    n = len(x)
    force_x, force_y = [-pins[0] * a for a in x], [-pins[1] * b for b in y]
    for j in range(n):
        k = (j + 1) % n
        along, across = 1 + x[k] - x[j], y[k] - y[j]
        length = math.hypot(along, across)
        pull = stiffness * (length - natural) / length
        force_x[j] += pull * along
        force_x[k] -= pull * along
        force_y[j] += pull * across
        force_y[k] -= pull * across
    return force_x, force_y


def planar_evolve(q, p, steps, h, kicks, drifts, stiffness, natural, pins):
    """Steps of duration h of one replica, each of q and p two lists, in place; kicks and drifts apart."""
    for _ in range(steps):
        for kick, drift in zip(kicks, (*drifts, 0.0), strict=True):
            forces = planar_force(*q, stiffness, natural, pins)
            for place, momentum, force in zip(q, p, forces, strict=True):
                for j, f in enumerate(force):
                    momentum[j] += h * kick * f
                    place[j] += h * drift * momentum[j]


def collide(n, measure, node, weight, sign, strength, offset, statistics):
    """dn/dt of each node and the production of entropy, interaction by interaction, as the formulas say."""
    theta = {"bose-einstein": 1, "fermi-dirac": -1, "maxwell-boltzmann": 0}.get(statistics)

    def potential(x):
        return 1 / x if theta is None else math.log((1 + theta * x) / x)

    def occupation(y):
        return 1 / y if theta is None else 1 / (math.exp(y) - theta)

    change, production = [0.0] * len(n), 0.0
    for row, shares, w, o in zip(node, weight, strength, offset, strict=True):
        legs = [
            sum(p * potential(n[i]) for i, p in zip(nodes, leg, strict=True))
            for nodes, leg in zip(row, shares, strict=True)
        ]
        affinity = o + sum(s * y for s, y in zip(sign, legs, strict=True))
        if theta is None:
            rate = w * affinity * math.prod(occupation(y) for y in legs)
        else:
            out = math.prod(math.exp(-y) for y, s in zip(legs, sign, strict=True) if s < 0)
            back = math.exp(-o) * math.prod(math.exp(-y) for y, s in zip(legs, sign, strict=True) if s > 0)
            rate = w * math.prod(1 + theta * occupation(y) for y in legs) * (out - back)
        production += affinity * rate
        for nodes, leg, s in zip(row, shares, sign, strict=True):
            for i, p in zip(nodes, leg, strict=True):
                change[i] += s * p * rate
    return [d / m for d, m in zip(change, measure, strict=True)], production
