"""Basile, Olla and Spohn: the homogeneous limit (theorems 4 and 10), its exact equations, the response.

Three routes: second moments of particles (`micro.moments`), the equations of W and Y as matrices written
out here from the printed kernel, and `kinetic.noisy.collision`.  Signs are settled on a small ring whose
generator is a dense matrix, built from the vector fields (11) and nothing else.
"""

import numpy as np
import scipy.linalg

from lattice import Bond, Chain, Pin, ThreeSiteRotation
from lattice.kinetic import noisy
from lattice.micro import moments

GAMMA, EPSILON, PIN = 0.7, 0.4, 1.3  # of the small ring
N = 8  # its sites


def ring(n, pin=1.0):
    return Chain(n=n, bond=Bond(chi=1.0), pin=Pin(chi=pin))


def relax(W0, times):
    """The Boltzmann equation of the rotation at rate 1."""
    n = len(W0)
    return noisy.collision(ring(n), ThreeSiteRotation(1.0), n).relax(W0, times)


def numbers(n, pin):
    """k, ω and the φ below (70), at rate 1."""
    k = np.arange(n) / n
    s = np.sin(np.pi * k) ** 2
    return k, np.sqrt(pin + 4 * s), 4 / 3 * s * (1 + 2 * np.cos(np.pi * k) ** 2)


def collisions(n):
    """C of (22) with the kernel as printed in (23), at rate 1, for functions on n wave numbers."""
    k = np.arange(n) / n
    s, double = np.sin(np.pi * k) ** 2, np.sin(2 * np.pi * k) ** 2
    R = 4 / 3 * (2 * np.outer(double, s) + 2 * np.outer(s, double) - np.outer(double, double)) / n
    return R - np.diag(R.sum(axis=1))


# The small ring: x = (q, p), and matrices that act on quadratic forms


def turn(z):
    """The field Y_z of (11) as a matrix, ẋ = G x."""
    G = np.zeros((2 * N, 2 * N))
    a, b, c = N + (z - 1) % N, N + z % N, N + (z + 1) % N
    G[a, b], G[a, c], G[b, c], G[b, a], G[c, a], G[c, b] = 1, -1, 1, -1, 1, -1
    return G


TURNS = [turn(z) for z in range(N)]
STIFFNESS = (2 + PIN) * np.eye(N) - np.roll(np.eye(N), 1, 0) - np.roll(np.eye(N), -1, 0)
FLOW = np.block([[np.zeros((N, N)), np.eye(N)], [-STIFFNESS, np.zeros((N, N))]])
DRIFT = sum(G @ G for G in TURNS) / 6  # what S does to linear functions


def change(M, gamma=GAMMA, epsilon=EPSILON):
    """d⟨x xᵀ⟩/dt in kinetic time."""
    A = FLOW / epsilon + gamma * DRIFT
    return A @ M + M @ A.T + gamma / 3 * sum(G @ M @ G.T for G in TURNS)


def backward(gamma=GAMMA, epsilon=EPSILON):
    """The generator of kinetic time on quadratic forms xᵀBx, as a matrix for vec B."""
    A, one = FLOW / epsilon + gamma * DRIFT, np.eye(2 * N)
    pairs = sum(np.kron(G.T, G.T) for G in TURNS)
    return np.kron(A.T, one) + np.kron(one, A.T) + gamma / 3 * pairs


def field():
    """ψ̂ = F x."""
    k, omega, _ = numbers(N, PIN)
    wave = np.exp(-2j * np.pi * np.outer(k, np.arange(N)))
    return np.hstack([omega[:, None] * wave, 1j * wave]) / np.sqrt(2)


def spectra(M):
    """⟨|ψ̂(k)|²⟩ and ⟨ψ̂(k) ψ̂(-k)⟩ of a state, or their changes, over n."""
    F = field()
    mirrored = F[-np.arange(N)]
    return (
        np.einsum("ki,ij,kj->k", F, M, F.conj()).real / N,
        np.einsum("ki,ij,kj->k", F, M, mirrored) / N,
    )


FIXED = np.sin(np.arange(1, 2 * N + 1)[:, None] ** 2)  # one (q, p) without a pattern: |Y| is W


def moments_of(root, homogeneous):
    """The second moments of a Gaussian state, the same from every site or not."""
    M = root @ root.T
    if not homogeneous:
        return M
    shifts = (np.kron(np.eye(2), np.roll(np.eye(N), z, axis=0)) for z in range(N))
    return sum(P @ M @ P.T for P in shifts) / N


def expected_changes(M):
    """∂W and ∂Y by (65) and our form of (34)."""
    _, omega, phi = numbers(N, PIN)
    W, Y = spectra(M)
    C = collisions(N)
    even = (W + W[-np.arange(N)]) / 2
    dW = GAMMA * C @ (W - Y.real)
    dY = -2j * omega / EPSILON * Y - 1j * GAMMA * phi * Y.imag + GAMMA * C @ (Y.real - even)
    return dW, dY


def moving(seed):
    """W, Y, their measured and their expected changes, of states homogeneous and not.

    First of random states, then of the fixed one, on which a wrong equation is seen to be wrong.
    """
    for root in (np.random.default_rng(seed).normal(size=(2 * N, 2 * N)), FIXED):
        for homogeneous in (True, False):
            M = moments_of(root, homogeneous)
            yield root is FIXED, *spectra(M), spectra(change(M)), expected_changes(M)


def test_bos_33_and_65_equation_of_W(claim):
    """Exact at any strength of the noise; in a homogeneous state, and for the spectrum of any state."""
    for fixed, W, Y, (measured, _), (expected, _) in moving(33):
        claim.agrees(measured, expected, rtol=1e-11, floor=0.1)  # the wave k = 0 is kept
        if fixed:
            claim.refutes(measured, GAMMA * collisions(N) @ W, rtol=0.01)  # without Y
            claim.refutes(measured, GAMMA * collisions(N) @ (W + Y.real), rtol=0.01)
        # integrated with test functions that are neither even nor odd; one integral may vanish
        J = np.random.default_rng(1).normal(size=(10, N))
        CJ = GAMMA * J @ collisions(N).T
        claim.agrees(J @ measured, CJ @ W - CJ @ Y.real, rtol=1e-11, floor=1.0)


def test_bos_34_equation_of_Y(claim):
    """(34) for even test functions; for others the last term needs the even part of W."""
    k, omega, phi = numbers(N, PIN)
    C = GAMMA * collisions(N)
    for fixed, W, Y, (_, measured), (_, expected) in moving(34):
        claim.agrees(measured, expected, rtol=1e-11)
        for parity, wave in ((1, np.cos), (-1, np.sin)):
            J = wave(2 * np.pi * k) + 0.5 * wave(4 * np.pi * k)
            printed = (
                -2j / EPSILON * (omega * J) @ Y
                + 0.5 * (-GAMMA * phi * J) @ (Y - Y.conj())
                + 0.5 * (C @ J) @ (Y + Y.conj())
                - (C @ J) @ W
            )
            parts = np.array([(J @ measured).real, (J @ measured).imag])
            printed = np.array([printed.real, printed.imag])
            if parity == 1:
                claim.agrees(parts, printed, rtol=1e-11, floor=1.0)
            else:
                assert np.abs(parts).max() < 1e-10  # Y is even
                assert not fixed or np.abs(printed).max() > 0.1


def test_bos_lemma_12_sign(claim, record):
    """½γβ̂(Y + Y*) in Lemma 12 against the generator, and what it does to a covariance."""
    phi = numbers(N, PIN)[2]
    M = moments_of(FIXED, True)
    Y = spectra(M)[1]
    _, measured = spectra(change(M))
    _, expected = expected_changes(M)
    printed = expected + 1j * GAMMA * phi * Y.imag - GAMMA * phi * Y.real
    claim.agrees(measured.real, expected.real, rtol=1e-11)
    claim.agrees(measured.imag, expected.imag, rtol=1e-11)
    claim.refutes(measured.real, printed.real, rtol=0.01)
    claim.refutes(measured.imag, printed.imag, rtol=0.01)

    # from Y = iW, on a ring of 64: the least W - |Y|, which no state has below 0
    n, epsilon = 64, 0.2
    least = {lemma: coherent(n, epsilon, lemma) for lemma in (False, True)}
    assert least[False] > -1e-12
    claim.holds(lambda x: -0.04 < x < -0.02, least[True])
    record(
        "bos-lemma-12/least-eigenvalue",
        least[True],
        method="least W - |Y| at kinetic times 0, 0.01, …, 1 under Lemma 12 as printed, "
        "from W₀ = 1 + cos 2πk, Y₀ = iW₀, ε = 0.2, ω₀² = χ = γ = 1, ring of 64: matrix exponential",
    )


def pair_matrix(n, epsilon, pin=1.0, lemma=False):
    """The equations of W, Re Y, Im Y as one matrix, γ = 1."""
    _, omega, phi = numbers(n, pin)
    C, loss, turning = collisions(n), np.diag(phi), np.diag(2 * omega / epsilon)
    none = np.zeros((n, n))
    on_real, on_imag = (loss, none) if lemma else (none, loss)
    return np.block([[C, -C, none], [-C @ even(n), C - on_real, turning], [none, -turning, -on_imag]])


def even(n):
    """The mean over k and -k as a matrix."""
    return (np.eye(n) + np.eye(n)[-np.arange(n)]) / 2


def followed(matrix, start, step, count):
    """The states at the times 0, step, …, count × step."""
    forward, states = scipy.linalg.expm(matrix * step), [start]
    for _ in range(count):
        states.append(forward @ states[-1])
    return np.array(states)


def coherent(n, epsilon, lemma):
    W0 = 1 + np.cos(2 * np.pi * np.arange(n) / n)
    start = np.concatenate([W0, 0 * W0, W0])
    W, real, imag = np.split(followed(pair_matrix(n, epsilon, lemma=lemma), start, 0.01, 100), 3, axis=1)
    return (W - np.hypot(real, imag)).min()


def test_bos_36_sign(claim):
    """S ψ = ½ β * (ψ - ψ*), as in (30)."""
    beta = np.zeros(N)  # of (15)
    beta[[0, 1, 2, -1, -2]] = np.array([-6, 2, 1, 2, 1]) / 6
    rng = np.random.default_rng(36)
    psi = rng.normal(size=N) + 1j * rng.normal(size=N)
    p = np.sqrt(2) * psi.imag
    turned = 1j / np.sqrt(2) * (DRIFT @ np.concatenate([0 * p, p]))[N:]  # S acts on p alone
    convolved = np.fft.ifft(np.fft.fft(beta) * np.fft.fft(psi - psi.conj())) / 2
    claim.agrees(turned.imag, convolved.imag, rtol=1e-11)
    assert np.abs(convolved.real).max() < 1e-12
    claim.refutes(turned.imag, -convolved.imag, rtol=0.5)


def test_bos_24_spectrum_of_a_local_state(claim):
    """Theorem 4 for a lump of energy, with a random phase or all kinetic: far from homogeneous."""
    n, times = 32, np.array([0.5, 2.0])
    lump = np.zeros(n)
    lump[[0, 1, -1]] = 1, 0.5, 0.5  # ψ = e^{iα} lump with a random α, or √2 i lump cos α
    # ⟨ψψ⟩ = 0, and not; the third without a pin, where the wave k = 0 has no springs
    for pin, potential, rtol, faster in (
        (1.0, 1.0, 5e-3, 0.1),
        (1.0, 0.0, 3e-2, 0.35),
        (0.0, 1.0, 5e-3, 0.1),
    ):
        k, omega, _ = numbers(n, pin)
        wave = np.exp(-2j * np.pi * np.outer(k, np.arange(n)))
        F = np.hstack([omega[:, None] * wave, 1j * wave]) / np.sqrt(2)
        inverse = np.divide(1, omega, out=np.zeros(n), where=omega > 0)
        displaced = np.fft.ifft(np.fft.fft(lump) * inverse).real
        start = moments.Moments(
            chain=ring(n, pin),
            mean_q=np.zeros(n),
            mean_p=np.zeros(n),
            qq=potential * np.outer(displaced, displaced),
            qp=np.zeros((n, n)),
            pp=(2 - potential) * np.outer(lump, lump),
        )
        deviations = []
        for epsilon in (0.1, 0.05, 0.025):
            run = moments.evolve(
                ring(n, pin), start, np.append(0, times) / epsilon, noise=ThreeSiteRotation(epsilon)
            )
            full = [np.block([[m.qq, m.qp], [m.qp.T, m.pp]]) for m in run]
            initial, *spectrum = (np.einsum("ki,ij,kj->k", F, M, F.conj()).real for M in full)
            limit = np.array([scipy.linalg.expm(collisions(n) * t) @ initial for t in times])
            claim.agrees(np.array(spectrum), limit, rtol=rtol)
            claim.refutes(np.array(spectrum), np.array([initial, initial]), rtol=0.1)
            deviations.append(np.abs(spectrum - limit).max())
        assert deviations[2] < faster * deviations[0], deviations


def test_bos_66_relaxation(claim, record):
    times, values = [1.0, 4.0], {}
    for n in (64, 256):
        W0 = 1 + np.cos(2 * np.pi * np.arange(n) / n)
        values[n] = relax(W0, times)[:, [n // 4, n // 2]].ravel()
    n = 64
    W0 = 1 + np.cos(2 * np.pi * np.arange(n) / n)
    dense = np.array([scipy.linalg.expm(collisions(n) * t) @ W0 for t in times])[:, [n // 4, n // 2]].ravel()
    for n in values:
        claim.agrees(values[n], dense, rtol=1e-9)
    twice = np.array([scipy.linalg.expm(2 * collisions(64) * t) @ W0 for t in times])[:, [16, 32]].ravel()
    claim.refutes(dense, twice, rtol=0.01)
    record(
        "bos-66/relaxation",
        dense,
        method="W(¼), W(½) at γt = 1, then 4, from W₀ = 1 + cos 2πk: exponential of the matrix of (23)",
    )
    # no exponential: every wave but k = 0 approaches equipartition like (4πγt)^(-1/2)
    n = 512
    W0 = 1 + np.cos(2 * np.pi * np.arange(n) / n)
    late = relax(W0, [250.0, 1000.0])
    for k in (n // 4, n // 2):
        lacking = 1 - late[:, k]
        claim.agrees(lacking, 1 / np.sqrt(4 * np.pi * np.array([250.0, 1000.0])), rtol=2e-3)
        claim.agrees(np.log(lacking[1] / lacking[0]) / np.log(4), -0.5, rtol=2e-3)
    claim.agrees(late[:, 0], np.array([2.0, 2.0]))


def particles(epsilon, times, n=64, pin=1.0):
    """W of the ring by exact second moments of its particles, from W₀ = 1 + cos 2πk, Y₀ = 0 where ω > 0."""
    k, omega, _ = numbers(n, pin)
    W0 = 1 + np.cos(2 * np.pi * k)
    inverse = np.divide(1, omega, out=np.zeros(n), where=omega > 0)
    start = moments.Moments(
        chain=ring(n, pin),
        mean_q=np.zeros(n),
        mean_p=np.zeros(n),
        qq=scipy.linalg.circulant(np.fft.ifft(W0 * inverse**2).real),
        qp=np.zeros((n, n)),
        pp=scipy.linalg.circulant(np.fft.ifft(W0).real),
    )
    run = moments.evolve(ring(n, pin), start, times / epsilon, noise=ThreeSiteRotation(epsilon))
    columns = ((m.qq[:, 0], m.qp[:, 0], m.pp[:, 0]) for m in run)
    transforms = (map(np.fft.fft, column) for column in columns)
    return np.array([(omega**2 * qq + pp).real / 2 + omega * qp.imag for qq, qp, pp in transforms])


def test_bos_65_sup_error(claim, record):
    """The deviation at finite ε by particles and by the pair, and its order from Y₀ = 0: ε²."""
    n, times = 64, np.arange(401) / 100
    W0 = 1 + np.cos(2 * np.pi * np.arange(n) / n)
    limit = relax(W0, times)
    start = np.concatenate([W0, np.zeros(2 * n)])
    found = []
    for epsilon in (0.2, 0.1, 0.05):
        exact = particles(epsilon, times)
        solved = followed(pair_matrix(n, epsilon), start, 0.01, 400)[:, :n]
        claim.agrees(solved, exact, rtol=1e-11, floor=0.01)  # 0 at the start at k = ½
        # Lemma 12 as printed differs by about a sixth of what is measured here
        printed = followed(pair_matrix(n, epsilon, lemma=True), start, 0.01, 400)[:, :n]
        claim.refutes(printed, exact, rtol=1e-5)
        found.append(np.abs(exact - limit).max())
        claim.agrees(np.abs(solved - limit).max(), found[-1], rtol=1e-8)
    record(
        "bos-65/sup-error",
        found,
        method="sup over k and kinetic times 0, 0.01, …, 4 of |W^ε - W|, ε = 0.2, 0.1, 0.05, ring of 64, "
        "ω₀² = χ = γ = 1, W₀ = 1 + cos 2πk, Y₀ = 0: exact second moments; order 1.90 from the last pair",
    )
    claim.agrees(np.log2(found[1] / found[2]), 1.9, rtol=0.02)

    # without a pin: the wave k = 0 is a free particle, W = P/2 there and Y = -W
    few = times[:201:40]
    free = W0 / (1 + (np.arange(n) == 0))
    start = np.concatenate([free, np.where(np.arange(n) == 0, -free, 0), 0 * W0])
    solved = followed(pair_matrix(n, 0.1, pin=0.0), start, 0.4, 5)[:, :n]
    claim.agrees(solved, particles(0.1, few, pin=0.0), rtol=1e-10, floor=0.01)
    claim.refutes(solved, followed(pair_matrix(n, 0.1, pin=1.0), start, 0.4, 5)[:, :n], rtol=1e-5)


def test_bos_65_leading_term(claim):
    """ε² C [C W̄₀ (1 - cos 2ωt/ε) / 4ω²], from a W₀ that is not even, with a pin and without."""
    n, phases = 64, np.linspace(0, 8, 801)  # t/ε
    k, C = np.arange(n) / n, collisions(n)
    W0 = 1 + (np.cos(2 * np.pi * k) + np.sin(2 * np.pi * k)) / 2
    for pin in (1.0, 0.0):
        _, omega, _ = numbers(n, pin)
        half = np.divide(0.5, omega, out=np.zeros(n), where=omega > 0)
        swings = half**2 * (1 - np.cos(2 * np.outer(phases, omega)))
        ours, whole = (((C @ W) * swings) @ C for W in (even(n) @ W0, W0))
        start = np.concatenate([W0, np.where(omega > 0, 0, -W0), np.zeros(n)])
        ratios = []
        for epsilon in (0.01, 0.005):
            W = followed(pair_matrix(n, epsilon, pin=pin), start, 0.01 * epsilon, 800)[:, :n]
            limit = relax(W0, epsilon * phases)
            ratios.append((W - limit) / epsilon**2)
        found = 2 * ratios[1] - ratios[0]  # the next order drops out
        claim.agrees(found, ours, rtol=1e-2, floor=1.0)  # uniformly in k and t
        claim.refutes(found, whole, rtol=0.1)  # with all of W₀


# The response


def odd_function():
    g = np.zeros(N)
    g[[1, -1, 2, -2]] = 0.5, -0.5, -0.2, 0.2
    return g


def phi_form(z):
    """The symmetric matrix of τ_z Φ = Σ g(x) p_{x+z} q_z."""
    B = np.zeros((2 * N, 2 * N))
    for x, value in enumerate(odd_function()):
        B[z, N + (x + z) % N] += value / 2
        B[N + (x + z) % N, z] += value / 2
    return B


TEMPERATURE = 1.5
HESSIAN = scipy.linalg.block_diag(STIFFNESS, np.eye(N))
EQUILIBRIUM = TEMPERATURE * np.linalg.inv(HESSIAN)
PHI, ALL = phi_form(0), sum(phi_form(z) for z in range(N))


def perturbed(tau):
    """The covariance of Z⁻¹ exp[-H/T + τ Σ τ_z Φ]."""
    return np.linalg.inv(HESSIAN / TEMPERATURE - 2 * tau * ALL)


def later(form, t, **strength):
    """E[form(x(t)) | x(0)] as a form of x(0)."""
    B = (scipy.linalg.expm(backward(**strength) * t) @ form.ravel()).reshape(form.shape)
    return (B + B.T) / 2


def correlation(form):
    """Σ_z ⟨form τ_zΦ⟩ in equilibrium, by Wick's theorem."""
    return 2 * np.trace(form @ EQUILIBRIUM @ ALL @ EQUILIBRIUM)


def eq71(t, gamma=GAMMA):
    _, omega, phi = numbers(N, PIN)
    g_hat = np.fft.fft(odd_function())
    return TEMPERATURE**2 * np.mean(np.abs(g_hat) ** 2 / omega**2 * np.exp(-gamma * phi * t))


def test_bos_69_sign(claim):
    """The covariance (69) against the inverse of the matrix of the Gibbs measure."""
    _, omega, _ = numbers(N, PIN)
    g_hat = np.fft.fft(odd_function())
    for tau in (0.1, 0.02):
        W, Y = spectra(perturbed(tau))
        assert np.abs(Y).max() < 1e-12
        ours = omega / (omega / TEMPERATURE - 1j * tau * g_hat)
        print_ = omega / (omega / TEMPERATURE + 1j * tau * g_hat)
        assert np.abs(ours.imag).max() < 1e-12
        claim.agrees(W, ours.real, rtol=1e-11)
        claim.refutes(W, print_.real, rtol=0.01)
        claim.agrees(W - TEMPERATURE, ours.real - TEMPERATURE, rtol=1e-9, floor=1e-3)


def test_bos_70_response(claim):
    """(70) with 1/τ, and the sign of the line after it."""
    _, omega, _ = numbers(N, PIN)
    g_hat = np.fft.fft(odd_function())
    for tau in (0.1, 0.02):
        covariance = perturbed(tau)
        W, _ = spectra(covariance)
        mean = np.trace(PHI @ covariance)
        integral = (1j * np.mean(g_hat / omega * W)).real
        claim.agrees(mean, integral, rtol=1e-11)
        claim.refutes(mean, -integral, rtol=0.5)
    for t in (0.0, 0.8, 3.0):
        form = later(PHI, t)
        direct = correlation(form)
        # odd in τ, so that the error of a quotient is of order τ²
        quotients = [np.trace(form @ perturbed(tau)) / tau for tau in (0.02, 0.01)]
        claim.agrees((4 * quotients[1] - quotients[0]) / 3, direct, rtol=1e-6)
        claim.refutes(np.trace(form @ perturbed(1e-4)), direct, rtol=0.5)  # without 1/τ: 0


def test_bos_71_correlation(claim, record):
    """(71), which we find to be exact at any ε."""
    for t in (0.0, 0.8, 3.0):
        for epsilon in (0.05, 0.4, 5.0):
            direct = correlation(later(PHI, t, epsilon=epsilon))
            claim.agrees(direct, eq71(t), rtol=1e-9)
        if t > 0:
            claim.refutes(direct, eq71(0.0), rtol=0.05)
    record(
        "bos-71/correlation",
        correlation(later(PHI, 0.8)),
        method="Σ⟨Φ(t)τ_zΦ(0)⟩ at kinetic t = 0.8, ring of 8, g(±1) = ±0.5, g(±2) = ∓0.2, T = 1.5, γ = 0.7, "
        "ω₀² = 1.3, χ = 1, any ε: dense generator on quadratic forms and Wick's theorem",
    )


def test_bos_71_loss_of_odd_functions(claim):
    """∫ (Cf) W = -∫ φ f W for odd f: the print has no f on the right."""
    n = 32
    k, _, phi = numbers(n, 1.0)
    f, W = (
        np.sin(2 * np.pi * k) + 0.3 * np.sin(6 * np.pi * k),
        2 + np.cos(2 * np.pi * k) + np.sin(2 * np.pi * k),
    )
    integral = np.mean((collisions(n) @ f) * W)
    claim.agrees(integral, -np.mean(phi * f * W), rtol=1e-11)
    claim.refutes(integral, -np.mean(phi * W), rtol=0.1)


def test_bos_6_6_laplace_transform(claim):
    """λ + γφ in both Laplace transforms, and L_ε = A/ε + γS."""
    _, omega, phi = numbers(N, PIN)
    g_hat = np.fft.fft(odd_function())
    for rate in (0.3, 2.0):  # λ
        u = np.linalg.solve(rate * np.eye(4 * N * N) - backward(), PHI.ravel()).reshape(PHI.shape)
        u = (u + u.T) / 2
        weights = TEMPERATURE**2 * np.abs(g_hat) ** 2 / omega**2
        ours, print_ = np.mean(weights / (rate + GAMMA * phi)), np.mean(weights / (rate + phi))
        claim.agrees(correlation(u), ours, rtol=1e-10)
        claim.refutes(correlation(u), print_, rtol=0.02)
        quotient = (np.trace(u @ perturbed(1e-3)) - np.trace(u @ perturbed(-1e-3))) / 2e-3
        claim.agrees(quotient, ours, rtol=1e-4)
