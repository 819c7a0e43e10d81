"""Basile, Olla and Spohn, section 2: the noise, its stochastic equations, and how much W is.

The vector fields are written out here as their eq. (11) prints them, independent of
`lattice`, and applied to functions by differences that are exact for their degree.
"""

import numpy as np
from scipy.linalg import expm

from lattice import Bond, Chain, Pin, ThreeSiteRotation, energy
from lattice.kinetic import noisy
from lattice.micro import moments
from lattice.thermo import thermal
from lattice.waves import dispersion, wave_field

N = 8
GAMMA = 0.7
FIXED = np.sin(np.arange(1, N + 1) ** 2)  # momenta without a pattern


def field(z, p):
    """The components of Y_z at p, on a ring: eq. (11)."""
    left, right = (z - 1) % N, (z + 1) % N
    along = np.zeros(N)
    along[left] = p[z] - p[right]
    along[z] = p[right] - p[left]
    along[right] = p[left] - p[z]
    return along


def derivative(f, z):
    """The function Y_z f; the stencil is exact for polynomials up to degree 4."""

    def along(p):
        v = field(z, p)
        near, far = f(p + v) - f(p - v), f(p + 2 * v) - f(p - 2 * v)
        return (8 * near - far) / 12

    return along


def generator(f, p):
    """(S f)(p) with S = (1/6) Σ Y_z²."""
    return sum(derivative(derivative(f, z), z)(p) for z in range(N)) / 6


def laplacian(f):
    return np.roll(f, -1) + np.roll(f, 1) - 2 * f


def drift(p):
    """The drift of eq. (12) without the force, for εγ = 1."""
    return laplacian(4 * p + np.roll(p, 1) + np.roll(p, -1)) / 6


def amplitudes(p):
    """What multiplies dw_z in dp_y of eq. (12), for εγ = 1: entry (y, z)."""
    b = np.zeros((N, N))
    for y in range(N):
        for k in (-1, 0, 1):
            z = (y + k) % N
            b[y, z] += np.sqrt(1 / 3) * field(z, p)[y]
    return b


def rotated(p, z, angle):
    """The triple around z turned about (1, 1, 1) (Rodrigues' formula)."""
    axis = np.ones(3) / np.sqrt(3)
    index = [(z - 1) % N, z, (z + 1) % N]
    v = p[index]
    turned = np.array(p)
    turned[index] = (
        v * np.cos(angle) + np.cross(axis, v) * np.sin(angle) + axis * (axis @ v) * (1 - np.cos(angle))
    )
    return turned


def quadratic(rng):
    """A random polynomial of degree 2 with its gradient and its second derivatives."""
    a, b = rng.normal(size=(N, N)), rng.normal(size=N)
    a += a.T
    return lambda p: p @ a @ p / 2 + b @ p, lambda p: a @ p + b, a


def test_bos_11_conserves(claim):
    q, p = np.roll(FIXED, 3), FIXED + 1
    total, square = p.sum(), np.sum(p**2)
    # The change of Σp² has two parts, each large, which cancel; that of a single p² does not vanish …
    pull = 2 * p @ [generator(lambda x, y=y: x[y], p) for y in range(N)]
    gain = sum(np.sum(field(z, p) ** 2) for z in range(N)) / 3
    claim.agrees(-pull, gain)
    claim.agrees(generator(lambda x: np.sum(x**2), p) + square, square)
    claim.agrees(generator(np.sum, p) + total, total)
    one = generator(lambda x: x[2] ** 2, p)
    assert abs(one) > 0.01
    # … and squares: what is kept on average is kept in every realisation.
    claim.agrees(generator(lambda x: np.sum(x**2) ** 2, p) + square**2, square**2)
    claim.agrees(generator(lambda x: np.sum(x) ** 2, p) + total**2, total**2)
    # A sign slip in one component would not be tangent to either surface.
    slip = field(3, p)
    slip[3] *= -1
    claim.refutes(total + slip.sum(), total, rtol=1e-3)
    claim.refutes(square + 2 * p @ slip, square, rtol=1e-3)

    # The other route: second moments of a chain with springs, which know no vector field
    chain = Chain(n=N, pin=Pin(chi=0.5))
    zero = np.zeros((N, N))
    start = moments.Moments(chain, q, p, zero, zero, zero)
    (late,) = moments.evolve(chain, start, [3.0], noise=ThreeSiteRotation(GAMMA))
    qq = late.qq + np.outer(late.mean_q, late.mean_q)
    pp = late.pp + np.outer(late.mean_p, late.mean_p)
    mean_energy = (np.trace(pp) + np.sum(chain.stiffness_matrix() * qq)) / 2
    claim.agrees(mean_energy, energy(chain, q, p))
    assert np.trace(late.pp) > 0.1 * np.trace(pp)  # by then the noise has done something
    free = Chain(n=N)
    start = moments.Moments(free, q, p, zero, zero, zero)
    (late,) = moments.evolve(free, start, [3.0], noise=ThreeSiteRotation(GAMMA))
    claim.agrees(late.mean_p.sum(), total)
    claim.agrees((late.pp + np.outer(late.mean_p, late.mean_p)).sum(), total**2)


def test_bos_11_rotation(claim, record):
    p, z = FIXED, 3
    flow = np.array([field(z, e) for e in np.eye(N)]).T  # Y_z is linear: its flow is an exponential
    speeds = np.sort(np.linalg.eigvals(flow).imag)
    claim.agrees(speeds[-1], np.sqrt(3))
    time = 0.4
    # (11) turns the other way round than Rodrigues' formula: a matter of the sign of the angle
    claim.agrees(expm(time * flow) @ p, rotated(p, z, -np.sqrt(3) * time), floor=0.1)
    claim.refutes(expm(time * flow) @ p, rotated(p, z, -time), rtol=1e-2)
    # (γ/6) Y² over a time t is the flow for a Gaussian time of variance γt/3: an angle of variance γt.
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    turns = np.sqrt(GAMMA * time) * nodes
    mean = sum(w * rotated(p, z, a) for w, a in zip(weights, turns, strict=True)) / weights.sum()
    claim.agrees(expm(GAMMA * time / 6 * flow @ flow) @ p, mean, floor=0.1)
    record(
        "bos-11/angular-speed",
        speeds[-1],
        method="largest eigenvalue of the linear flow of Y_z; √3 if Y_z is √3 times the unit rotation",
    )


def test_bos_12_generator(claim, record):
    """Sf from (11) and b·∇f + ½ tr(σσᵀ ∇²f) from (12) are the same function, for quadratic f."""
    rng = np.random.default_rng(12)
    found, pulls, spreads = [], [], []
    for _ in range(20):
        f, gradient, hessian = quadratic(rng)
        p = rng.normal(size=N)
        b = amplitudes(p)
        found.append(generator(f, p))
        pulls.append(drift(p) @ gradient(p))
        spreads.append(np.sum(b @ b.T * hessian) / 2)
    found, pulls, spreads = map(np.array, (found, pulls, spreads))
    # a single one can be small by chance; the largest of twenty cannot
    claim.agrees(found, pulls + spreads, floor=1.0)
    # half the amplitude squared (√(εγ/6)), or no drift: another process
    claim.refutes(found, pulls + spreads / 2, rtol=0.01)
    claim.refutes(found, spreads, rtol=0.01)
    stencil = drift(np.eye(N)[3])
    claim.agrees(np.array([generator(lambda x, y=y: x[y], np.eye(N)[3]) for y in range(N)]), stencil)
    claim.agrees(6 * stencil, np.array([0, 1.0, 2, -6, 2, 1, 0, 0]))
    record(
        "bos-12/drift",
        stencil[3:6],
        method="coefficients of p_y, p_{y+1}, p_{y+2} in S p_y: (11) applied to p_y by exact differences",
    )
    record(
        "bos-12/heating",
        np.sum(stencil**2),
        method="Euler–Maruyama with step h heats uncorrelated momenta at this rate times (εγ)² h: "
        "sum of the squared coefficients of the drift (23/18)",
    )


def test_bos_12_one_step(claim):
    """The drift and the covariance of (12) are those of exact rotations, as h → 0."""
    p = FIXED
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights /= weights.sum()

    def rates(h):
        """Rates of change of ⟨p⟩ and ⟨ppᵀ⟩ over the time h, one triple at a time."""
        first, second = np.zeros(N), np.zeros((N, N))
        for z in range(N):
            for node, weight in zip(nodes, weights, strict=True):
                x = rotated(p, z, np.sqrt(GAMMA * h) * node)
                first += weight * (x - p) / h
                second += weight * (np.outer(x, x) - np.outer(p, p)) / h
        return first, second

    fine, coarse = rates(5e-5), rates(1e-4)
    first, second = (2 * a - b for a, b in zip(fine, coarse, strict=True))
    b = np.sqrt(GAMMA) * amplitudes(p)
    pull = GAMMA * drift(p)
    change = np.outer(pull, p) + np.outer(p, pull) + b @ b.T
    claim.agrees(first, pull, rtol=1e-6, floor=1.0)
    claim.agrees(second, change, rtol=1e-6, floor=1.0)
    claim.agrees(np.diag(change).sum() + p @ p, p @ p)  # no energy is made
    claim.refutes(second, change - b @ b.T / 2, rtol=1e-2)

    # the mean energy of one Euler–Maruyama step, with and without the drift
    h = 0.1
    with_drift = np.sum((p + h * pull) ** 2) + h * np.sum(b**2)
    claim.agrees((with_drift - p @ p) / h**2, np.sum(pull**2))
    without = p @ p + h * np.sum(b**2)
    claim.agrees((without - p @ p) / h, -2 * p @ pull)


def test_bos_12_wave_field(claim):
    """(14), (15) and (31): the drift in Fourier space and on ψ."""
    k = np.arange(N) / N
    s, c = np.sin(np.pi * k) ** 2, np.cos(np.pi * k) ** 2
    symbol = np.fft.fft(drift(np.eye(N)[0])).real
    claim.agrees(symbol, -4 / 3 * s * (1 + 2 * c), floor=1e-3)  # 0 at k = 0
    claim.agrees(-symbol, noisy.rate(ThreeSiteRotation(1.0), k), floor=1e-3)
    claim.refutes(symbol, -4 / 3 * s * (1 + c), rtol=1e-2)

    chain = Chain(n=N, bond=Bond(chi=1.0), pin=Pin(chi=0.6))
    rng = np.random.default_rng(14)
    q, p = rng.normal(size=(2, N))
    omega = dispersion(chain, k)

    def psi(q, p):
        return wave_field(chain, q, p)

    def convolve(multiplier, f):
        return np.fft.ifft(multiplier * np.fft.fft(f))

    # ψ is linear in (q, p): what (12) does to it
    motion = psi(p, chain.force(q) + GAMMA * drift(p))
    x = psi(q, p)
    printed = -1j * convolve(omega, x) + GAMMA / 2 * convolve(symbol, x - x.conj())
    claim.agrees(motion, printed)
    claim.refutes(motion, -1j * convolve(omega, x) + GAMMA * convolve(symbol, x - x.conj()), rtol=1e-2)
    noise = psi(0 * q, field(3, p))
    claim.agrees(noise, field(3, ((x - x.conj()) / 2j).real) * 1j)


def printed_wigner(psi, test, scale, prefactor):
    """⟨J, W⟩ of eq. (18), term by term; test(x, k), the integral over k on a fine grid."""
    n = len(psi)
    k = np.arange(4 * n) / (4 * n)
    total = 0.0
    for a in range(n):
        for b in range(n):
            phase = np.exp(2j * np.pi * k * (a - b))
            place = scale * ((a + b) / 2 - (n - 1) / 2)
            total += psi[a].conj() * psi[b] * np.mean(phase * np.conj(test(place, k)))
    return prefactor * total.real


def test_bos_4_normalisation(claim, record):
    rng = np.random.default_rng(4)
    n, scale = 24, 0.3
    chain = Chain(n=n, pin=Pin(chi=0.7))
    q, p = rng.normal(size=(2, n))
    psi = wave_field(chain, q, p)
    site = scale * (np.arange(n) - (n - 1) / 2)

    # (4) says ∫ e(r) J(r) dr = ε Σ e_y J(εy), for any J of place alone …
    def bump(x, k=0.0):
        return np.exp(-((x - 0.2) ** 2)) * np.ones_like(k)

    density = scale * np.sum(np.abs(psi) ** 2 * bump(site))
    claim.agrees(printed_wigner(psi, bump, scale, scale), density)
    printed = printed_wigner(psi, bump, scale, scale / 2)
    claim.refutes(printed, density, rtol=0.1)
    # … and for J = 1 it is ε times the energy, which needs no local energy.
    everything = printed_wigner(psi, lambda x, k: np.ones_like(k), scale, scale / 2)
    claim.agrees(2 * everything, scale * energy(chain, q, p))
    # a test function of k alone: (ε/2) ∫ |ψ̂|² J dk (remark 3), by the fast transform
    fine = np.fft.fft(psi, 4 * n)
    even = 1 + np.cos(2 * np.pi * np.arange(4 * n) / (4 * n)) / 2
    alone = printed_wigner(psi, lambda x, k: 1 + np.cos(2 * np.pi * k) / 2, scale, scale / 2)
    claim.agrees(alone, scale / 2 * np.mean(np.abs(fine) ** 2 * even))
    record(
        "bos-4/share",
        printed / density,
        method="(18) with a test function of place alone, over the energy density of (4), 24 sites",
    )


def test_bos_4_in_equilibrium(claim):
    """The second route knows no double sum: equipartition."""
    n, temperature = 64, 1.7
    chain = Chain(n=n, pin=Pin(chi=1.0))
    state = thermal(chain, temperature, replicas=4000, rng=44)
    spectrum = np.abs(np.fft.fft(wave_field(chain, state.q, state.p), axis=1)) ** 2 / n
    sample = spectrum.mean(axis=1)
    error = sample.std(ddof=1) / np.sqrt(len(sample))
    per_site = energy(chain, state.q, state.p) / n
    claim.agrees(sample, per_site)  # 𝒲 of (64), integrated over k, is the energy per site
    claim.agrees(sample.mean(), temperature, rtol=0, stderr=error)  # and T, (67)
    claim.refutes(sample.mean() / 2, temperature, rtol=0.1, stderr=error)  # (18) is half of it


def test_bos_4_two_dimensions(claim, record):
    """(56) with a test function of place alone, written out for a patch of 5 × 4 sites."""
    rng = np.random.default_rng(56)
    shape, scale, d = (5, 4), 0.4, 2
    sites = np.array([(a, b) for a in range(shape[0]) for b in range(shape[1])])
    psi = rng.normal(size=(len(sites), d)) + 1j * rng.normal(size=(len(sites), d))
    grid = np.arange(16) / 16
    k = np.array([(a, b) for a in grid for b in grid])

    def bump(x):
        return np.exp(-np.sum((x - 0.3) ** 2))

    total = 0.0
    for y in range(len(sites)):
        for y_prime in range(len(sites)):
            phase = np.mean(np.exp(2j * np.pi * k @ (sites[y_prime] - sites[y])))
            pair = np.sum(psi[y_prime].conj() * psi[y])
            total += (pair * phase).real * bump(scale * (sites[y] + sites[y_prime]) / 2)
    density = scale**d * sum(
        np.sum(np.abs(a) ** 2) * bump(scale * y) for a, y in zip(psi, sites, strict=True)
    )
    claim.agrees(scale**d * total, density)
    claim.refutes((scale / 2) ** d * total, density, rtol=0.1)
    claim.refutes((scale / 2) ** d * total, density / 2, rtol=0.1)  # nor half of it, as (18) gives
    record(
        "bos-4/share-2d",
        (scale / 2) ** d * total / density,
        method="(56) with a test function of place alone, over the energy density, 5 × 4 sites",
    )
