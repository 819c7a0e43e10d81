"""Basile, Olla and Spohn, sections 1 and 2: the harmonic chain before any noise.

The Hamiltonians are written out here as their eq. (1) prints them and as we read
them, independent of `lattice`; what follows from them is found by linear algebra.
"""

import numpy as np
from scipy.integrate import solve_ivp

from lattice import Bond, Chain, Pin, energy, site_energy
from lattice.waves import dispersion, wave_field

N = 16
PARAMETERS = [(0.0, 1.0), (0.7, 1.0), (1.3, 0.4)]  # ω₀, α₁


def as_printed(q, p, omega0, alpha1):
    """Eq. (1) with β = 0 and m = 1, to the letter, on a ring."""
    return 0.5 * np.sum(p**2 + omega0**2 * q**2 + alpha1 * (np.roll(p, -1) - q) ** 2)


def as_read(q, p, omega0, alpha1):
    """The same with q_{j+1} in place of p_{j+1}."""
    return 0.5 * np.sum(p**2 + omega0**2 * q**2 + alpha1 * (np.roll(q, -1) - q) ** 2)


def frequencies(hamiltonian, omega0, alpha1):
    """The positive frequencies of Hamilton's equations on a ring of N, ascending.

    A quadratic H is known from its values: ∂²H/∂z_a∂z_b = H(e_a + e_b) - H(e_a) - H(e_b).
    """
    unit = np.eye(2 * N)

    def h(z):
        return hamiltonian(z[:N], z[N:], omega0, alpha1)

    hessian = np.array([[h(a + b) - h(a) - h(b) for b in unit] for a in unit])
    flow = np.vstack([hessian[N:], -hessian[:N]])
    eigenvalues = np.linalg.eigvals(flow)
    # a translation at rest is a Jordan block, whose zeros rounding splits by its square root
    assert np.abs(eigenvalues.real).max() < 1e-6
    return np.sort(eigenvalues.imag)[N:]


def printed_dispersion(k, omega0, alpha1):
    """Eq. (3)."""
    return np.sqrt(omega0**2 + alpha1 * (1 - np.cos(2 * np.pi * k)))


def ring(omega0=0.0, alpha1=1.0, n=N):
    return Chain(n=n, bond=Bond(chi=alpha1), pin=Pin(chi=omega0**2))


def test_bos_1_index_slip(claim, record):
    theta = 2 * np.pi * np.arange(N) / N
    rng = np.random.default_rng(1)
    q, p = rng.normal(size=(2, N))
    for omega0, alpha1 in PARAMETERS:
        chain = ring(omega0, alpha1)
        claim.agrees(as_read(q, p, omega0, alpha1), energy(chain, q, p))
        claim.refutes(as_printed(q, p, omega0, alpha1), energy(chain, q, p))
        # To the letter, waves to the left and to the right differ and nothing is slow at k = 0 …
        asymmetry = alpha1 * np.sin(theta)
        gap = omega0**2 + alpha1 + alpha1 * omega0**2
        letter = np.sort(asymmetry + np.sqrt(asymmetry**2 + gap))
        claim.agrees(frequencies(as_printed, omega0, alpha1), letter)
        # … so that no value of α₁ gives an even dispersion relation with ω(0) = ω₀, as eq. (3) has.
        claim.refutes(frequencies(as_printed, omega0, alpha1), frequencies(as_read, omega0, alpha1), rtol=0.1)

    # Displacing all particles together must cost nothing without a pin.
    cost = as_printed(q + 1, p, 0.0, 1.0) - as_printed(q, p, 0.0, 1.0)
    claim.agrees(cost, N / 2 + np.sum(q - p))
    claim.agrees(as_read(q + 1, p, 0.0, 1.0), as_read(q, p, 0.0, 1.0))
    # k = 0 alone: an oscillator with H per particle a Q² + b P² + c QP
    zero, one = np.zeros(N), np.ones(N)
    a, b, both = (as_printed(*z, 0.0, 1.0) / N for z in ((one, zero), (zero, one), (one, one)))
    record(
        "bos-1/gap",
        np.sqrt(4 * a * b - (both - a - b) ** 2),
        method="eq. (1) to the letter, ω₀ = 0, α₁ = 1: frequency at k = 0, which eq. (3) puts at 0",
    )


def test_bos_3_factor_two(claim, record):
    k = np.arange(N) / N
    for omega0, alpha1 in PARAMETERS:
        measured = frequencies(as_read, omega0, alpha1)
        # a zero frequency is split by rounding, see above
        exact = np.sort(np.sqrt(omega0**2 + 2 * alpha1 * (1 - np.cos(2 * np.pi * k))))
        claim.agrees(measured, exact, rtol=1e-6, floor=0.1)
        claim.agrees(np.sort(dispersion(ring(omega0, alpha1), k)), measured, rtol=1e-6, floor=0.1)
        claim.refutes(measured, np.sort(printed_dispersion(k, omega0, alpha1)), rtol=0.1)
        # The other way to mend it: ¼α₁ in the Hamiltonian gives the dispersion relation as printed.
        claim.agrees(
            frequencies(as_read, omega0, alpha1 / 2),
            np.sort(printed_dispersion(k, omega0, alpha1)),
            rtol=1e-6,
            floor=0.1,
        )
    record(
        "bos-3/edge-frequency",
        frequencies(as_read, 0.0, 1.0)[-1],
        method="ω(½) for ω₀ = 0, α₁ = 1: largest eigenvalue of Hamilton's equations, ring of 16",
    )


def test_bos_3_in_time(claim):
    """A standing wave, released: the second route knows nothing of eigenvalues."""
    omega0, alpha1, k = 0.7, 1.0, 3 / 16
    chain = ring(omega0, alpha1)
    shape = np.cos(2 * np.pi * k * np.arange(N))
    run = solve_ivp(
        lambda t, z: np.concatenate([z[N:], chain.force(z[:N])]),
        (0, 20),
        np.concatenate([shape, 0 * shape]),
        method="DOP853",
        t_eval=np.linspace(0, 20, 201),
        rtol=1e-11,
        atol=1e-12,
    )
    amplitude = shape @ run.y[:N] / (shape @ shape)
    omega = np.sqrt(omega0**2 + 4 * alpha1 * np.sin(np.pi * k) ** 2)
    claim.agrees(amplitude, np.cos(omega * run.t), rtol=1e-8)
    claim.refutes(amplitude, np.cos(printed_dispersion(k, omega0, alpha1) * run.t), rtol=0.5)


def field_energy(chain, q, p):
    """|ψ(y)|² of eq. (13)."""
    omega = np.sqrt(chain.pin.chi + 4 * chain.bond.chi * np.sin(np.pi * np.arange(chain.n) / chain.n) ** 2)
    return 0.5 * (p**2 + np.fft.ifft(omega * np.fft.fft(q)).real ** 2)


def printed_energy(chain, q, p):
    """e_y = p_y²/2 + ½ Σ α(y - y') q_y q_y', the line below eq. (13)."""
    return 0.5 * (p**2 + q * (chain.stiffness_matrix() @ q))


def test_bos_13_site_by_site(claim, record):
    rng = np.random.default_rng(13)
    for omega0 in (0.0, 1.0):
        chain = ring(omega0)
        q, p = rng.normal(size=(2, N))
        claim.agrees(field_energy(chain, q, p), np.abs(wave_field(chain, q, p)) ** 2)
        # the sums over the chain agree, and with the energy …
        claim.agrees(field_energy(chain, q, p).sum(), energy(chain, q, p))
        claim.agrees(printed_energy(chain, q, p).sum(), energy(chain, q, p))
        # … the terms do not, for either local energy: one particle displaced
        q, p = np.eye(2, N)[0], np.zeros(N)
        claim.refutes(field_energy(chain, q, p), printed_energy(chain, q, p), rtol=0.05)
        claim.refutes(field_energy(chain, q, p), site_energy(chain, q, p), rtol=0.05)

    # e_y can be negative, which no |ψ(y)|² is: a site at 1 between neighbours at 3
    q = np.array([3.0, 1.0, 3.0, 0.0])
    claim.agrees(printed_energy(ring(n=4), q, 0 * q)[1], -2.0)

    # One particle displaced, no pin: e_y puts all energy on its site, |ψ|² spreads it like y⁻⁴.
    n = 2**13
    chain = ring(n=n)
    q = np.zeros(n)
    q[0] = 1.0
    share = field_energy(chain, q, 0 * q) / energy(chain, q, 0 * q)
    y = np.arange(50)
    expected = 8 / (np.pi * (4 * y**2 - 1)) ** 2
    claim.agrees(share[:2], expected[:2], rtol=1e-6)
    claim.agrees(share[:50], expected, rtol=3e-4)  # the ring adds a share (y/n)²
    record(
        "bos-13/own-share",
        share[:2],
        method="share of the energy of one displaced particle that |ψ|² puts on its site and on the next "
        "(eq. (13) says 1 and 0); ω₀ = 0, ring of 8192",
    )


def test_bos_13_where_it_holds(claim):
    n = 256
    chain = ring(1.0, n=n)
    y = np.arange(n)
    # In every single wave, standing or running …
    k = 37 / n
    omega = dispersion(chain, k)
    q, p = np.cos(2 * np.pi * k * y), omega * np.sin(2 * np.pi * k * y)
    claim.agrees(field_energy(chain, q, p), np.full(n, omega**2 / 2))
    claim.agrees(printed_energy(chain, q, p), np.full(n, omega**2 / 2))
    # … (the energy with half of each bond pulsates there)
    claim.refutes(site_energy(chain, q, p), np.full(n, omega**2 / 2), rtol=0.05)

    # in the mean over every state that looks the same from each site, stationary or not …
    stiffness = chain.stiffness_matrix()
    squares, modes = np.linalg.eigh(stiffness)
    root = modes * np.sqrt(squares) @ modes.T  # ω̃ as a matrix
    spectrum = 1 / (1 + np.minimum(y, n - y) ** 1.5)  # of ⟨qq⟩, any even function of k
    covariance = np.fft.ifft(spectrum[:, None] * np.fft.fft(np.eye(n), axis=0), axis=0).real
    claim.agrees(np.diag(root @ covariance @ root), np.diag(covariance @ stiffness))
    # … but not if the amplitude changes from site to site,
    uneven = np.sqrt(1 + 0.5 * np.cos(np.pi * y / 2))
    covariance = uneven[:, None] * covariance * uneven
    claim.refutes(np.diag(root @ covariance @ root), np.diag(covariance @ stiffness), rtol=0.05)

    # and up to the square of the wave number of slow changes: packets of width 8, 16, 32 …
    def differences(omega0, k, widths, n):
        """Largest difference of the two energies, as a share of the largest energy, for each width."""
        chain, y = ring(omega0, n=n), np.arange(n) - n / 2
        q = np.exp(-(y**2) / (2 * widths[:, None] ** 2)) * np.cos(2 * np.pi * k * y)
        e = 0.5 * q * (q @ chain.stiffness_matrix())
        return np.abs(field_energy(chain, q, 0 * q) - e).max(axis=1) / e.max(axis=1)

    widths = np.array([8, 16, 32])
    for omega0 in (0.0, 1.0):
        slope = np.polyfit(np.log(widths), np.log(differences(omega0, k, widths, n)), 1)[0]
        claim.agrees(slope, -2.0, rtol=0.05)
    # … unless the wave is itself as slow as its envelope and no pin smooths the kink of ω at k = 0.
    narrow, wide = differences(0.0, 0.0, np.array([8, 16]), 1024)
    claim.agrees(wide, narrow, rtol=0.01)
    claim.refutes(wide, narrow / 4, rtol=0.5)
