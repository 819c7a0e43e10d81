"""Basile, Olla and Spohn, section 6: the energy current, its correlation, and the conductivity.

Each number comes from routes that share no code above the ground floor: second moments of particles
(`micro.moments`), the phonon Boltzmann equation (`kinetic.noisy`), and integrals written out here.
"""

import numpy as np
import scipy.integrate
import scipy.linalg
import scipy.special

from lattice import (
    Bond,
    Chain,
    Crystal,
    PairRotation,
    Pin,
    ThreeSiteRotation,
    VelocityExchange,
    VelocityFlip,
)
from lattice.kinetic import noisy
from lattice.micro import exact_kappa, moments

KINETIC_TIMES = np.array([1.0, 10.0, 100.0])


def ring(n, chi=1.0, pin=0.0):
    return Chain(n=n, bond=Bond(chi=chi), pin=Pin(chi=pin))


def crystal(d, pin=0.0):
    return Crystal((3,) * d, pin=Pin(chi=pin))


def velocity_squared(k, chi, pin):
    """(ω'/2π)², with the pole of 1/ω at k = 0 of the unpinned chain taken out."""
    s = np.sin(np.pi * k) ** 2
    if pin == 0:
        return chi * (1 - s)
    return (chi * np.sin(2 * np.pi * k)) ** 2 / (pin + 4 * chi * s)


def printed_rate(k):
    """φ below eq. (70): 4/3 sin²(πk) [1 + 2 cos²(πk)]."""
    return 4 / 3 * np.sin(np.pi * k) ** 2 * (1 + 2 * np.cos(np.pi * k) ** 2)


def eq72(t, chi, pin, gamma):
    """Eq. (72) by quadrature, C/T² at the kinetic time t."""
    split = min(0.25, 1 / np.sqrt(1 + 4 * np.pi**2 * gamma * t))
    parts = [
        scipy.integrate.quad(
            lambda k: velocity_squared(k, chi, pin) * np.exp(-gamma * printed_rate(k) * t),
            *ends,
            epsabs=0,
            epsrel=1e-12,
            limit=400,
        )[0]
        for ends in ((0, split), (split, 0.5))
    ]
    return 2 * sum(parts)


def perturbed_current(chain, noise, times, strength):
    """Mean current per bond, after a start with more waves to the right, over `strength`: C(t)/T².

    The covariances of that start are those of eq. (69) to first order: ⟨q pᵀ⟩ is the correlation of
    q pᵀ with the current.
    """
    n = chain.n
    forward = np.roll(np.eye(n), 1, axis=1)
    # J = -χ/2 Σ p_j (q_{j+1} - q_{j-1}) = pᵀ A q, with T = 1: ⟨qpᵀ J⟩ = ⟨qqᵀ⟩ Aᵀ ⟨ppᵀ⟩
    current = -0.5 * chain.bond.chi * (forward - forward.T)
    qq = np.linalg.pinv(chain.stiffness_matrix())
    pp = np.eye(n) if np.any(chain.pin.chi) else np.eye(n) - 1 / n  # in the frame of rest
    start = moments.Moments(
        chain=chain,
        mean_q=np.zeros(n),
        mean_p=np.zeros(n),
        qq=qq,
        qp=strength * qq @ current.T @ pp,
        pp=pp,
    )
    run = moments.evolve(chain, start, times, noise=noise)
    return np.array([now.energy_currents.mean() for now in run]) / strength


def lacking(chain):
    """What a ring lacks of the integral over k: the wave k = 0 of the unpinned chain."""
    return 0.0 if np.any(chain.pin.chi) else chain.bond.chi / chain.n


def test_bos_72_is_exact_at_any_strength(claim):
    """Second moments of particles: no kinetic limit, no sampling."""
    micro_times = np.array([0.5, 2.0, 8.0])
    for pin in (0.0, 1.0):
        chain = ring(64, pin=pin)
        for strength in (0.1, 1.0, 5.0):  # εγ
            exact = np.array([eq72(strength * t, 1.0, pin, 1.0) for t in micro_times]) - lacking(chain)
            measured = perturbed_current(chain, ThreeSiteRotation(strength), micro_times, 0.1)
            claim.agrees(measured, exact, rtol=1e-8, floor=0.1)  # what has decayed is a difference
    # the other noises have their own rates, not that of the rotation
    for noise, phi in (
        (VelocityFlip(0.7), lambda k: 1.4 + 0 * k),
        (VelocityExchange(0.7), lambda k: 2.8 * np.sin(np.pi * k) ** 2),
    ):
        k = np.arange(1, 64) / 64
        decay = np.exp(-np.multiply.outer(micro_times, phi(k)))
        exact = decay @ velocity_squared(k, 1.0, 1.0) / 64
        measured = perturbed_current(ring(64, pin=1.0), noise, micro_times, 0.1)
        claim.agrees(measured, exact, rtol=1e-9)
        wrong = [eq72(0.7 * t, 1.0, 1.0, 1.0) for t in micro_times]
        claim.refutes(measured, wrong, rtol=0.02)


def test_bos_72_values_and_tails(claim, record):
    noise = ThreeSiteRotation(1.0)
    for name, pin in (("unpinned", 0.0), ("pinned", 1.0)):
        chain = ring(8, pin=pin)
        kinetic = noisy.current_correlation(chain, noise, KINETIC_TIMES)
        direct = np.array([eq72(t, 1.0, pin, 1.0) for t in KINETIC_TIMES])
        claim.agrees(kinetic, direct, rtol=1e-10)
        for a, b in zip(kinetic, direct, strict=True):  # the last is small: each for itself
            claim.agrees(a, b, rtol=1e-9)
        # without the 1/2π of the velocity
        claim.refutes(kinetic, 4 * np.pi**2 * direct, rtol=0.5)
        record(
            f"bos-72/{name}",
            direct,
            method=f"C/T² at kinetic t = 1, 10, 100, χ = γ = 1, ω₀² = {pin:g}: eq. (72) by quadrature",
        )
    # a ring of particles at the first two times (εγ = 1), long enough that nothing has gone round
    for pin in (0.0, 1.0):
        chain = ring(128, pin=pin)
        particles = perturbed_current(chain, noise, KINETIC_TIMES[:2], 0.1) + lacking(chain)
        claim.agrees(particles, noisy.current_correlation(chain, noise, KINETIC_TIMES[:2]), rtol=1e-7)

    # d/2 without and d/2 + 1 with a pin
    late = np.array([1e5, 4e5])
    for pin, prefactor, exponent in (
        (0.0, 1 / np.sqrt(4 * np.pi), -0.5),
        (0.5, 1 / (2 * 0.5) / np.sqrt(4 * np.pi), -1.5),
    ):
        kinetic = noisy.current_correlation(ring(8, pin=pin), noise, late)
        claim.agrees(kinetic, prefactor * late**exponent, rtol=1e-3)
        claim.agrees(np.log(kinetic[1] / kinetic[0]) / np.log(4), exponent, rtol=1e-3)
    for d in (2, 3):
        grid = lattice_grid(d, 96)
        for pin in (0.0, 0.5):
            direct = [lattice_sum(d, grid, pin, lambda phi, t=t: np.exp(-t * phi)) for t in (0.5, 4.0)]
            kinetic = noisy.current_correlation(crystal(d, pin), PairRotation(1.0), [0.5, 4.0])
            claim.agrees(kinetic, np.array(direct), rtol=2e-4)
            prefactor = d / (4 * pin) if pin else 1.0
            law = prefactor * late ** -(pin > 0) * (8 * np.pi * late) ** (-d / 2)
            claim.agrees(noisy.current_correlation(crystal(d, pin), PairRotation(1.0), late), law, rtol=1e-3)


def lattice_grid(d, n):
    """sin²πk_l on a grid of n^d wave vectors that avoids k = 0, shape (d, n, …)."""
    s = np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2
    return np.stack(np.meshgrid(*[s] * d, indexing="ij", sparse=False))


def lattice_sum(d, s, pin, weight):
    """d ∫ v₁² weight(φ) dk with χ = γ = 1 and φ of eq. (62)."""
    total = s.sum(axis=0)
    square = 4 * s[0] * (1 - s[0]) / (pin + 4 * total)
    return d * np.mean(square * weight(8 * total))


def test_bos_6_3_sign_of_the_current(claim):
    """The bond current of section 6.3 against the conservation law that defines it."""
    rng = np.random.default_rng(63)
    n = 12
    alpha = {0: 3.1, 1: -0.9, 2: -0.4}  # with a pin, second neighbours too
    q, p = rng.normal(size=(2, n))

    def at(f, j):
        return f[j % n]

    def gain(x):
        """A e_x with e_x = p²/2 + ½ Σ α(x - y) q_x q_y."""
        pairs = [(y, a) for z, a in alpha.items() for y in {x + z, x - z}]
        force = -sum(a * at(q, y) for y, a in pairs)
        power = sum(a * (at(p, x) * at(q, y) + at(q, x) * at(p, y)) for y, a in pairs)
        return at(p, x) * force + 0.5 * power

    def printed(x):
        """Σ_z τ_x j_{0,z}, to the letter."""
        return sum(
            -0.5 * alpha[z] * (at(q, x + z - y) * at(p, x - y) - at(q, x - y) * at(p, x + z - y))
            for z in (1, 2)
            for y in range(z)
        )

    gains = np.array([gain(x) for x in range(n)])
    as_printed = np.array([printed(x - 1) - printed(x) for x in range(n)])
    claim.agrees(-as_printed, gains)
    claim.refutes(as_printed, gains, rtol=0.5)

    # with waves to the right only, by (7) and (13): the printed current is minus ∫ v W dk
    k = np.arange(n) / n
    a_hat = sum(a * (1 if z == 0 else 2) * np.cos(2 * np.pi * k * z) for z, a in alpha.items())
    slope = sum(-4 * np.pi * z * a * np.sin(2 * np.pi * k * z) for z, a in alpha.items())
    omega = np.sqrt(a_hat)
    velocity = slope / (4 * np.pi * omega)
    psi = np.zeros(n, dtype=complex)
    right = velocity > 1e-12
    psi[right] = np.exp(2j * np.pi * rng.random(right.sum()))
    mirrored = np.roll(psi[::-1], 1).conj()
    q = np.fft.ifft((psi + mirrored) / (np.sqrt(2) * omega)).real
    p = np.fft.ifft((psi - mirrored) / (np.sqrt(2) * 1j)).real
    flown = np.sum(velocity * np.abs(psi) ** 2) / n
    claim.holds(lambda total: np.isclose(-total, flown, rtol=1e-9), sum(printed(x) for x in range(n)))


def rotation_closed(chi, pin, gamma):
    """κ₀ of eq. (74) by x = tan πk, simplified."""
    return chi**2 / (gamma * np.sqrt(pin) * (np.sqrt(pin + 4 * chi) + np.sqrt(pin / 3)))


def eq74(chi, pin, gamma):
    """Eq. (74) by quadrature."""
    split = min(0.25, np.sqrt(pin / chi))
    return (
        2
        / gamma
        * sum(
            scipy.integrate.quad(
                lambda k: velocity_squared(k, chi, pin) / printed_rate(k),
                *ends,
                epsabs=0,
                epsrel=1e-11,
                limit=400,
            )[0]
            for ends in ((0, split), (split, 0.5))
        )
    )


def test_bos_74_conductivity(claim, record):
    cases = [(1.0, 1.0, 1.0), (3.0, 2.0, 0.7), (1.0, 0.01, 1.0)]  # χ, ω₀², γ
    direct = np.array([eq74(*case) for case in cases])
    for chi, pin, gamma in cases:
        chain, noise = ring(16, chi, pin), ThreeSiteRotation(gamma)
        claim.agrees(noisy.conductivity(chain, noise), eq74(chi, pin, gamma), rtol=1e-9)
        claim.agrees(exact_kappa(chain, noise).hamiltonian, rotation_closed(chi, pin, gamma), rtol=1e-9)
    claim.agrees(direct, np.array([rotation_closed(*case) for case in cases]), rtol=1e-9)
    claim.refutes(direct, 4 * np.pi**2 * direct, rtol=0.5)
    # finite with a pin only: like 1/ω₀
    claim.agrees(rotation_closed(1.0, 1e-8, 1.0), 0.5e4, rtol=1e-3)
    assert noisy.conductivity(ring(8), ThreeSiteRotation(1.0)) == np.inf
    record(
        "bos-74/kappa0",
        direct,
        method="κ₀ at (ω₀², χ, γ) = (1, 1, 1), (2, 3, 0.7), (0.01, 1, 1): eq. (74) by adaptive quadrature",
    )


def along_axis(a):
    r"""∫ sin²(2πk₁)/(sin²πk₁ + a) dk₁ = 2(P - √(P² - 1)) with P = 1 + 2a, without cancellation."""
    return 2 / (1 + 2 * a + 2 * np.sqrt(a * (a + 1)))


def minus_slope(a):
    """Minus the derivative of `along_axis`."""
    return along_axis(a) / np.sqrt(a * (a + 1))


def lattice_quadrature(d, pin):
    """κ₁₁ for χ = γ = 1: the first direction by hand, the others by quadrature."""

    def share(*k):
        a = np.sum(np.sin(np.pi * np.array(k)) ** 2)
        if pin == 0:
            return minus_slope(a) / 4
        return (along_axis(a) - along_axis(a + pin / 4)) / pin

    options = {"epsabs": 1e-12, "epsrel": 1e-10}
    value, _ = scipy.integrate.nquad(share, [(0, 0.5)] * (d - 1), opts=options)
    return d / 8 * 2 ** (d - 1) * value


def test_bos_74_in_more_dimensions(claim, record):
    # Watson's constant in the form of Glasser and Zucker
    gammas = scipy.special.gamma(np.array([1, 5, 7, 11]) / 24)
    watson = np.sqrt(6) / (32 * np.pi**3) * gammas.prod()
    cases = {
        (3, 0.0): (watson - 1) / 8,
        (2, 1.0): lattice_quadrature(2, 1.0),
        (3, 1.0): lattice_quadrature(3, 1.0),
    }
    claim.agrees(lattice_quadrature(3, 0.0), cases[3, 0.0], rtol=1e-5)  # singular at k = 0
    for (d, pin), expected in cases.items():
        claim.agrees(noisy.conductivity(crystal(d, pin), PairRotation(1.0)), expected, rtol=1e-8)
        # a plain sum over wave vectors, which is coarse at k = 0
        rough = lattice_sum(d, lattice_grid(d, 160), pin, lambda phi: 1 / phi)
        claim.agrees(rough, expected, rtol=0.01)
    claim.refutes(
        cases[3, 0.0], noisy.conductivity(crystal(3), PairRotation(1.0)) / 3, rtol=0.3
    )  # per polarisation
    assert noisy.conductivity(crystal(2), PairRotation(1.0)) == np.inf
    record(
        "bos-74/kappa0-d",
        list(cases.values()),
        method="κ₁₁, χ = γ = 1: d = 3 unpinned by Watson's constant; d = 2, 3 with ω₀² = 1 by quadrature",
    )


def carried_by_wick(noise):
    """κ_s: half the growth of the variance of energy × place that the noise carries, a site, at T = 1."""
    if isinstance(noise, VelocityExchange):
        form = 0.5 * np.diag([1.0, -1.0])  # ½(p_j² - p_{j+1}²) over one bond
        rate = noise.rate
    else:
        y = np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]], dtype=float)  # of eq. (11): ṗ = y p
        place = 0.5 * np.diag([-1.0, 0.0, 1.0])
        form = y.T @ place + place @ y
        rate = noise.rate / 3  # γ/6 Y² is a diffusion of variance γt/3 along Y
    return rate * (2 * np.trace(form @ form) + np.trace(form) ** 2) / 2


def test_bos_73_exact(claim, record):
    """κ = κ₀/ε + εγ, with what the noise carries from its kicks and, independently, by Wick's theorem."""
    pin = 4.0
    for epsilon in (0.2, 1.0, 3.0):
        noise = ThreeSiteRotation(epsilon)
        exact = exact_kappa(ring(16, pin=pin), noise)
        kappa0 = rotation_closed(1.0, pin, 1.0)
        claim.agrees(carried_by_wick(noise), epsilon)
        claim.agrees(exact.total, kappa0 / epsilon + carried_by_wick(noise))
        for wrong in (epsilon / 6, epsilon / 3, 0.0):
            claim.refutes(exact.total, kappa0 / epsilon + wrong, rtol=0.05)
    claim.agrees(carried_by_wick(VelocityExchange(1.0)), 0.5)
    record(
        "bos-73/exact",
        exact_kappa(ring(16, pin=pin), ThreeSiteRotation(1.0)).total,
        method="total κ at ω₀² = 4, χ = γ = ε = 1: ∫v²/φ dk by quadrature, and the kicks of the noise",
    )


def test_bos_73_integral(claim, record):
    """(73), with the Hamiltonian current as in section 6.3, is κ₀/ε and does not contain εγ."""
    pin = 4.0
    for epsilon in (0.2, 1.0, 3.0):
        noise = ThreeSiteRotation(epsilon)
        kappa0 = rotation_closed(1.0, pin, 1.0)
        claim.agrees(noisy.conductivity(ring(16, pin=pin), noise), kappa0 / epsilon)
        integral = exact_kappa(ring(16, pin=pin), noise).hamiltonian
        claim.agrees(integral, kappa0 / epsilon)
        claim.refutes(integral, kappa0 / epsilon + epsilon, rtol=0.05)
    record(
        "bos-73-integral/kappa",
        exact_kappa(ring(16, pin=pin), ThreeSiteRotation(1.0)).hamiltonian,
        method="integral (73) of the Hamiltonian current at ω₀² = 4, χ = γ = ε = 1: ∫v²/φ dk by quadrature",
    )
