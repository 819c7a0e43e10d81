"""Basile, Olla and Spohn, the phonon as a Markov process: after (26), and section 6.4.

Rates and kernel are written out here from the print, (23) and (31), and the routes share no code: roots of
a determinant by own quadrature, flights (`kinetic.flights`), the Boltzmann equation (`kinetic.transport`),
second moments of particles (`micro.moments`).
"""

import itertools
import math

import numpy as np
import scipy.integrate
import scipy.linalg

from lattice import Bond, Chain, Crystal, PairRotation, Pin, ThreeSiteRotation, VelocityExchange
from lattice.kinetic import flights, noisy, transport
from lattice.micro import moments
from lattice.waves import group_velocity

SEED = 25
ROTATION, EXCHANGE = ThreeSiteRotation(1.0), VelocityExchange(1.0)
CONSTANT = 8**-0.5  # of the law, χ = γ = 1
SECOND = 3 / 16 - 1 / (4 * math.sqrt(3))


def ring(n=8, chi=1.0, pin=0.0):
    return Chain(n=n, bond=Bond(chi=chi), pin=Pin(chi=pin))


def printed_rate(k):
    """Eq. (31)."""
    return 4 / 3 * np.sin(np.pi * k) ** 2 * (1 + 2 * np.cos(np.pi * k) ** 2)


def printed_kernel(k, k_prime):
    """Eq. (23)."""
    s, s_prime = np.sin(np.pi * k) ** 2, np.sin(np.pi * k_prime) ** 2
    S, S_prime = np.sin(2 * np.pi * k) ** 2, np.sin(2 * np.pi * k_prime) ** 2
    return 4 / 3 * (2 * S * s_prime + 2 * S_prime * s - S * S_prime)


def speed(k):
    """ω'/2π at χ = 1 without a pin."""
    return np.cos(np.pi * (k % 1))


def half_zone(panels=60, order=16):
    """Nodes in (0, ½), crowded at 0, with weights that sum to 1."""
    x, w = np.polynomial.legendre.leggauss(order)
    edges = np.concatenate([[0.0], 0.5 * 10.0 ** np.linspace(-9, 0, panels)])
    width = np.diff(edges)[:, None]
    return (edges[:-1, None] + width * (x + 1) / 2).ravel(), (width * w).ravel()


def characteristic(q, t, kernel=printed_kernel, rate=printed_rate):
    """⟨cos qX(t)⟩ by a matrix exponential: even and odd parts on half of the zone."""
    x, w = np.polynomial.legendre.leggauss(48)
    k, w = ((1 + x) / 2) ** 2 / 2, w * (1 + x) / 2
    loss, turn = np.diag(rate(k)), np.diag(q * speed(k))
    gain = kernel(k[:, None], k) * w
    M = np.block([[gain - loss, -turn], [turn, -loss]])
    return w @ scipy.linalg.expm(M * t)[: k.size, : k.size].sum(axis=1)


def own_decay_rate(q, kernel=printed_kernel, rate=printed_rate):
    """μ(q) by iteration of μ ∫f = ∫ q²v² f/(φ-μ), f = (φ-μ) g/((φ-μ)² + q²v²), g = ∫ R f: no cancellation."""
    k, w = half_zone()
    gain, phi, flight = kernel(k[:, None], k) * w, rate(k), (q * speed(k)) ** 2
    g, mu = phi, 0.0
    for _ in range(100):
        gap = phi - mu
        even = gap * g / (gap**2 + flight)
        before, mu = mu, (w @ (flight * even / gap)) / (w @ even)
        g = gain @ even
        g /= w @ g
        if abs(mu - before) <= 1e-13 * mu:
            return mu
    raise AssertionError("the iteration does not converge")


def exchange_kernel(k, k_prime):
    return 8 * np.sin(np.pi * k) ** 2 * np.sin(np.pi * k_prime) ** 2


def exchange_rate(k):
    return 4 * np.sin(np.pi * k) ** 2


def series_of(decay_rate, q):
    """Coefficients of μ/q^{3/2} in powers of √q."""
    powers = np.sqrt(q)[:, None] ** np.arange(4)
    return np.linalg.lstsq(powers, np.array([decay_rate(x) for x in q]) / q**1.5)[0]


def test_bos_levy_constant(claim, record):
    # with a pencil: the integral of the border, and that of the long flights
    border = 2 * scipy.integrate.quad(lambda y: y**2 / (1 + y**4), 0, np.inf)[0] / (2 * math.pi)
    small, large = (
        scipy.integrate.quad(lambda y: (1 - math.cos(y)) * y**-2.5, 0, 1)[0],
        1 / 1.5 - scipy.integrate.quad(lambda y: y**-2.5, 1, np.inf, weight="cos", wvar=1.0)[0],
    )
    by_flights = 3 / (8 * math.sqrt(math.pi)) * (small + large)
    claim.agrees(border, CONSTANT, rtol=1e-9)
    claim.agrees(by_flights, CONSTANT, rtol=1e-7)

    # the roots of the Boltzmann equation, two ways
    q = np.geomspace(1e-6, 1e-3, 12)
    package = series_of(lambda x: transport.decay_rate(ring(), ROTATION, x), q)
    own = series_of(own_decay_rate, q)
    other = series_of(lambda x: own_decay_rate(x, exchange_kernel, exchange_rate), q)
    for fit in (package, own, other):
        claim.agrees(fit[0], CONSTANT, rtol=1e-8)
    claim.agrees(package[1], SECOND, rtol=1e-4)
    claim.agrees(own[1], SECOND, rtol=1e-4)
    claim.agrees(other[1], 3 / 16 - 1 / 4, rtol=1e-4)
    claim.refutes(own[1], 3 / 16, rtol=0.1)  # the long waves alone
    # the index: not 5/3, not 2
    local = np.log(own_decay_rate(2e-7) / own_decay_rate(1e-7)) / np.log(2)
    claim.agrees(local, 1.5, rtol=1e-4)
    claim.refutes(local, 5 / 3, rtol=0.05)
    # the root is not all of the decay: its weight, and the fronts
    q = 3e-3
    for kernel, rate in ((printed_kernel, printed_rate), (exchange_kernel, exchange_rate)):
        mu = own_decay_rate(q, kernel, rate)
        front = math.cos(q / mu) / math.sqrt(4 * math.pi / mu)
        weight = (characteristic(q, 1 / mu, kernel, rate) - front) * math.e
        claim.agrees(weight, 1 - math.sqrt(q / 32), rtol=1e-3)
        claim.refutes(weight, 1.0, rtol=1e-3)
    # χ and γ
    for chi, gamma in ((2.0, 0.6), (0.5, 3.0)):
        mu = transport.decay_rate(ring(chi=chi), ThreeSiteRotation(gamma), 1e-5)
        expected = chi**0.75 / math.sqrt(8 * gamma) + SECOND * chi / gamma * 1e-5**0.5
        claim.agrees(mu / 1e-5**1.5, expected, rtol=1e-5)
        claim.refutes(mu / 1e-5**1.5, chi / math.sqrt(8 * gamma), rtol=0.1)

    record(
        "bos-levy/constant",
        CONSTANT,
        method="χ^{3/4}/√(8γ) at χ = γ = 1; the roots of the Boltzmann equation extrapolate to it",
    )
    record("bos-levy/second", SECOND, method="3/16 - 1/4√3, the coefficient of q² at χ = γ = 1, rotation")


def test_bos_levy_flights(claim):
    """c from flights at two late times, without the theory of the first correction but for its size."""
    size, early, late = 60_000, 200.0, 800.0
    X = flights.simulate(ring(), ROTATION, [early, late], size, rng=SEED)
    q = 0.02
    first, last = np.cos(q * X)
    value = -math.log(last.mean() / first.mean()) / (late - early)
    noise = last / last.mean() - first / first.mean()
    stderr = noise.std() / math.sqrt(size) / (late - early)
    exact = -math.log(characteristic(q, late) / characteristic(q, early)) / (late - early)
    claim.agrees(value, exact, stderr=stderr)
    # the fronts, cos(q√χt)/√(4πγt), leave a per cent or two
    claim.agrees(value / q**1.5 - SECOND * q**0.5, CONSTANT, stderr=stderr / q**1.5, rtol=0.03)
    claim.refutes(value / q**1.5, math.sqrt(2) * CONSTANT, stderr=stderr / q**1.5, rtol=0.03)


def test_bos_levy_particles(claim):
    """Exact second moments of a kicked ring: no phonon, no kinetic limit."""
    misses = []
    for n in (32, 64):
        chain, noise, zero, hit = ring(n), ThreeSiteRotation(1.0), np.zeros((n, n)), np.zeros((n, n))
        hit[0, 0] = 2.0
        start = moments.Moments(chain, np.zeros(n), np.zeros(n), zero, zero, hit)
        q = 2 * math.pi / n
        times = np.array([0.3, 0.6, 1.0]) / (CONSTANT * q**1.5)
        waves = []
        for now in moments.evolve(chain, start, times, noise=noise):
            r = np.diag(chain.stretches(chain.stretches(now.qq).T))
            energy = (np.diag(now.pp) + 0.5 * (r + np.roll(r, 1))) / 2
            claim.agrees(energy.sum(), 1.0, rtol=1e-9)
            waves.append(energy @ np.cos(q * np.arange(n)))
        # the Boltzmann equation, and what the noise carries
        exact = np.array([characteristic(q, t) * math.exp(-q * q * t) for t in times])
        misses.append(np.abs(np.array(waves) - exact).max())
        claim.agrees(np.array(waves), exact, rtol=0.1, floor=1.0)  # of the wave at the first time
    assert misses[1] < 0.6 * misses[0]


def test_bos_flights_law_of_the_jumps(claim):
    """A phonon that starts at k0: the first jump, by the mean place after a known first flight."""
    k0, size = 0.13, 200_000
    loss = float(printed_rate(k0))
    # ∫R = φ, and R is symmetric
    k = (np.arange(64) + 0.5) / 64
    claim.agrees(printed_kernel(k0, k).mean(), loss, rtol=1e-12)
    claim.agrees(printed_kernel(k[:, None], k), printed_kernel(k[:, None], k).T, rtol=1e-12)
    # ⟨X(t)⟩ = v ∫ e^{-φs} ds: scattering forgets the direction
    t = np.array([0.5, 2.0, 8.0])
    X = flights.simulate(ring(), ROTATION, t, size, rng=SEED, start=k0)
    mean = speed(k0) * -np.expm1(-loss * t) / loss
    claim.agrees(X.mean(axis=1), mean, stderr=X.std(axis=1) / math.sqrt(size))
    # the share not yet scattered has moved by vt exactly
    still = np.isclose(X, speed(k0) * t[:, None], rtol=1e-12, atol=0)
    share = np.exp(-loss * t)
    claim.agrees(still.mean(axis=1), share, stderr=np.sqrt(share * (1 - share) / size))
    # and the second moment feels where the first jump leads
    m = 128
    grid = (np.arange(m) + 0.5) / m
    jump = printed_kernel(grid[:, None], grid) / m - np.diag(printed_rate(grid))
    v2 = speed(grid) ** 2
    # ⟨v(s)v(u)⟩ for s < u: e^{sC} applied to v² e^{-φ(u-s)}; start at the grid point nearest k0
    i = int(k0 * m)
    at = flights.simulate(ring(), ROTATION, [2.0], size, rng=SEED + 1, start=grid[i])[0]
    x, w = np.polynomial.legendre.leggauss(16)
    s_nodes, s_weights = (x + 1), w
    second = 0.0
    for s, weight in zip(s_nodes, s_weights, strict=True):
        left = -np.expm1(-printed_rate(grid) * (2.0 - s)) / printed_rate(grid)
        second += 2 * weight * (scipy.linalg.expm(jump * s) @ (v2 * left))[i]
    claim.agrees((at**2).mean(), second, stderr=(at**2).std() / math.sqrt(size))


def test_bos_flights_against_the_boltzmann_equation(claim, record):
    size, t = 100_000, 20.0
    values = []
    X = flights.simulate(ring(), ROTATION, [t], size, rng=SEED)[0]
    for q in (0.05, 0.2, 1.0):
        waves = np.cos(q * X)
        values.append(characteristic(q, t))
        claim.agrees(waves.mean(), values[-1], stderr=waves.std() / math.sqrt(size))
    # the exchange, whose jumps have another law
    X = flights.simulate(ring(), EXCHANGE, [t], size, rng=SEED + 1)[0]
    for q in (0.05, 0.2, 1.0):
        waves, exact = np.cos(q * X), characteristic(q, t, exchange_kernel, exchange_rate)
        claim.agrees(waves.mean(), exact, stderr=waves.std() / math.sqrt(size))
    waves, rotated = np.cos(0.2 * X), characteristic(0.2, t)
    claim.refutes(waves.mean(), rotated, stderr=waves.std() / math.sqrt(size))
    # the same from `evolve`, on a ring of 128 sites: the wave q = 2π·2/128.  Its grid of wave numbers has a
    # point at k = 0, where nothing moves: without it a share 1/modes of the longest waves is missing
    n, q = 128, 2 * np.pi * 2 / 128
    profile = np.cos(q * np.arange(n))
    waves = []
    for modes in (128, 256):
        start = np.zeros((n, modes))
        start[:, 1:] = (1 + profile)[:, None] / (modes - 1) / n
        collision = noisy.collision(ring(), ROTATION, modes)
        v = group_velocity(ring(), collision.nodes)
        run = transport.evolve(collision, v, start, [t], spacing=1.0, dt=0.1)[0].sum(axis=1)
        waves.append(2 * run @ profile)
    claim.agrees(2 * waves[1] - waves[0], characteristic(q, t), rtol=2e-3)
    record(
        "bos-flights/characteristic",
        values,
        method="⟨cos qX(20)⟩ at q = 0.05, 0.2, 1, χ = γ = 1, rotation, no pin: matrix exponential",
    )


def test_bos_6_4_long_waves(claim):
    k = 1e-4
    for noise in (ROTATION, EXCHANGE):
        claim.agrees(float(noisy.rate(noise, k)) / k**2, 4 * math.pi**2, rtol=1e-6)
    claim.agrees(float(printed_rate(k)) / k**2, 4 * math.pi**2, rtol=1e-6)
    # ω = 2πc|k| with c = √χ, and the speed
    chi = 2.0
    omega = 2 * math.sqrt(chi) * math.sin(math.pi * k)
    claim.agrees(omega / k, 2 * math.pi * math.sqrt(chi), rtol=1e-6)
    # cut at k: κ grows like χ/2π²γk, that is without bound
    cut = [
        2 * scipy.integrate.quad(lambda x: speed(x) ** 2 / printed_rate(x), b, 0.5, limit=400)[0]
        for b in (1e-4, 1e-5)
    ]
    claim.agrees(cut[1] - cut[0], (1e5 - 1e4) / (2 * math.pi**2), rtol=1e-3)

    # in d = 2, with the rate (62), φ = 8γ(s₁ + s₂), like ln(1/k): ∫v₁²/φ of one polarisation
    def flight(k1, k2, pin):
        total = np.sin(np.pi * k1) ** 2 + np.sin(np.pi * k2) ** 2
        return np.sin(2 * np.pi * k1) ** 2 / (pin + 4 * total) / (8 * total)

    x, w = np.polynomial.legendre.leggauss(24)

    def ring_of(a, b, pin=0.0):
        """Of a < |k| < b, in polar coordinates with ln |k|."""
        k, angle = np.exp(math.log(a) + math.log(b / a) * (1 + x) / 2), math.pi / 4 * (1 + x)
        values = flight(np.outer(k, np.cos(angle)), np.outer(k, np.sin(angle)), pin)
        return 4 * math.log(b / a) / 2 * math.pi / 4 * (w * k**2) @ values @ w

    decade = math.log(10) / (8 * math.pi)
    for a in (1e-5, 1e-4, 1e-3):
        claim.agrees(ring_of(a, 10 * a), decade, rtol=2e-3)
    # the same integrand on all of the zone, with a pin, is half of what the package finds for two
    k, w = (1 + x) / 4, w / 2
    k, w = 2 * k**2, w * 4 * k  # crowded at 0
    whole = w @ flight(k[:, None], k, 1.0) @ w
    claim.agrees(
        2 * whole, noisy.conductivity(Crystal((3, 3), pin=Pin(chi=1.0)), PairRotation(1.0)), rtol=1e-3
    )
    # with a pin nothing grows
    assert ring_of(1e-5, 1e-4, pin=1.0) < 1e-6 * decade


def test_bos_6_4_long_stretches(claim, record):
    # mean number of flights longer than δ(ct)^{2/3} in a time t, times δ^{3/2}: from the tail of the flights
    mean_number = 1 / math.sqrt(2 * math.pi)
    length = 1e6

    def longer(k):
        return printed_rate(k) * math.exp(-printed_rate(k) * length / speed(k))

    edge = 20 / math.sqrt(4 * math.pi**2 * length)
    tail = 2 * scipy.integrate.quad(longer, 0, edge, epsabs=0)[0] * length**1.5 / CONSTANT
    claim.agrees(tail, mean_number, rtol=1e-5)
    # the exchange noise, flight by flight: s' = sin²πk' of a jump has the density ∝ s'^{1/2} (1-s')^{-1/2}
    rng = np.random.default_rng(SEED)
    jumps, reach = 2_000_000, 30.0
    s = rng.beta(1.5, 0.5, jumps)
    lengths = np.sqrt(1 - s) * rng.exponential(1 / (4 * s))
    count = (lengths > reach).sum()
    rate = 2 * count / jumps * reach**1.5 / CONSTANT  # two jumps in a unit of time
    claim.agrees(rate, mean_number, stderr=rate / math.sqrt(count), rtol=0.02)
    claim.refutes(rate, 2 * mean_number, stderr=rate / math.sqrt(count), rtol=0.02)
    # their share of the number falls like x^{-3/2}, of the time like x^{-1/2}: at x = δ(ct)^{2/3} both vanish
    k, w = half_zone()
    shares = []
    for x in (1e3, 1e5):
        phi = printed_rate(k)
        lasts = phi * x / speed(k)
        number, time = w @ (phi * np.exp(-lasts)) / (w @ phi), w @ ((1 + lasts) * np.exp(-lasts))
        claim.agrees(time, 1.5 / math.sqrt(4 * math.pi * x), rtol=1e-3)
        shares.append((number, time))
    claim.agrees(shares[0][0] / shares[1][0], 1e3, rtol=2e-3)
    claim.agrees(shares[0][1] / shares[1][1], 10.0, rtol=1e-3)

    # the variance: ⟨X²⟩ = 2∫(t-s)C(s)ds, and the part of the phonons not yet scattered
    t = 1e6

    def of_zone(f):
        parts = [0, 1e-4, 1e-3, 1e-2, 0.1, 0.5]
        pieces = itertools.pairwise(parts)
        return 2 * sum(scipy.integrate.quad(f, *ends, epsabs=0, limit=400)[0] for ends in pieces)

    def spread(k):
        x = printed_rate(k) * t
        grown = x + math.expm1(-x) if x > 1e-3 else x * x / 2 * (1 - x / 3)
        return 2 * (speed(k) / printed_rate(k)) ** 2 * grown if k > 0 else t * t

    variance = of_zone(spread)
    fronts = of_zone(lambda k: (speed(k) * t) ** 2 * math.exp(-printed_rate(k) * t))
    claim.agrees(variance, 8 / 3 * t**1.5 / math.sqrt(4 * math.pi), rtol=2e-3)
    claim.agrees(fronts / variance, 3 / 8, rtol=2e-3)
    record("bos-6.4/long-flights", mean_number, method="1/√2π: flights longer than (ct)^{2/3} in a time t")
    record("bos-6.4/share-of-fronts", 3 / 8, method="share of unscattered phonons in ⟨X²⟩ as t → ∞")
