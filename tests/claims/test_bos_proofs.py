"""Basile, Olla and Spohn: lines of proofs and theorems on which no page needs to dwell.

Lemma 7 is settled by matrices of the small ring and by the particles of a larger one; the rest are single
signs, each shown by the number that it would change.
"""

import numpy as np
import scipy.linalg

from lattice import ThreeSiteRotation
from lattice.micro import moments
from tests.claims.test_bos_homogeneous import FIXED, N, collisions, moments_of, ring, spectra
from tests.claims.test_bos_lattice import bonds, fourier, noise_rate, printed_kernel, vectors
from tests.claims.test_bos_rays import weighed


def window(n, half):
    """|C J| for the indicator J of the wave numbers below `half`, the kernel of (23)."""
    k = np.arange(n) / n
    return np.abs(collisions(n) @ (np.minimum(k, 1 - k) < half).astype(float))


def test_bos_lemma_7_needs_twice_the_spectrum(claim, record):
    """⟨|CJ|, |Y + Y*|⟩ ≤ 2⟨|CJ|, W⟩: Schwarz's inequality; at rest it is an equality."""
    weight = window(N, 0.2)
    for seed in range(20):
        root = np.random.default_rng(seed).normal(size=(2 * N, 2 * N))
        for homogeneous in (True, False):
            W, Y = spectra(moments_of(root, homogeneous))
            assert np.all(2 * np.abs(Y) <= W + W[-np.arange(N)] + 1e-12)
            assert weight @ np.abs(2 * Y.real) <= 2 * (weight @ W)
    at_rest = np.kron(np.diag([1.0, 0.0]), np.ones((N, N))) * moments_of(FIXED, True)  # no momenta
    W, Y = spectra(at_rest)
    resting = weight @ np.abs(2 * Y.real) / (weight @ W)
    claim.agrees(resting, 2.0, rtol=1e-12)
    claim.refutes(resting, 1.0, rtol=0.5)

    # from ⟨ψψ⟩ = 0 and no energy at |k| < 0.2: the noise brings momenta first, by particles of a ring of 64
    n, epsilon = 64, 0.2
    k = np.arange(n) / n
    low = np.minimum(k, 1 - k) < 0.2
    omega = np.sqrt(1 + 4 * np.sin(np.pi * k) ** 2)
    start = moments.Moments(
        chain=ring(n),
        mean_q=np.zeros(n),
        mean_p=np.zeros(n),
        qq=scipy.linalg.circulant(np.fft.ifft(~low / omega**2).real),
        qp=np.zeros((n, n)),
        pp=scipy.linalg.circulant(np.fft.ifft(~low + 0.0).real),
    )
    run = moments.evolve(ring(n), start, np.array([0.0, 0.01]), noise=ThreeSiteRotation(epsilon))
    late = list(run)[-1]
    qq, pp = (np.fft.fft(c[:, 0]).real for c in (late.qq, late.pp))
    W, real = (omega**2 * qq + pp) / 2, (omega**2 * qq - pp) / 2
    inside = low & (k > 0)
    moving = np.abs(2 * real[inside]).sum() / W[inside].sum()
    claim.agrees(moving, 2.0, rtol=1e-3)
    claim.refutes(moving, 1.0, rtol=0.5)
    record(
        "bos-lemma-7/ratio",
        [resting, moving],
        method="|Y + Y*| over W: a ring of 8 at rest, weighed with |CJ|, J = 1 at |k| < 0.2; and summed over "
        "|k| < 0.2 at t = 0.01 if no energy was there, ⟨ψψ⟩ = 0, ring of 64, ω₀² = χ = 1, εγ = 0.2",
    )


def test_bos_lemma_6_star(claim):
    """Without the star the sum turns with the phase of the field; W does not, nor does its bound care."""
    scale, n = 1 / 16, 160
    x = scale * (np.arange(n) - n // 2)
    psi = np.exp(-(x**2)) * (1 + 0.5 * np.cos(0.3 * np.arange(n)))

    def J(x, k):
        return np.exp(-(x**2)) * (1 + np.cos(2 * np.pi * k))

    values = {}
    for turn in (1, 1j):
        turned = turn * psi
        values[turn] = (
            weighed(np.outer(turned, turned.conj()), J, scale),
            weighed(np.outer(turned, turned), J, scale),
        )
    claim.agrees(values[1j][0].real, values[1][0].real, rtol=1e-12)
    claim.agrees(values[1j][1].real, -values[1][1].real, rtol=1e-12)
    claim.refutes(values[1j][1].real, values[1j][0].real, rtol=0.5)
    # the bound of the lemma, ε‖ψ‖² Σ_z sup_x |J̃(x, z)|: J̃ is 1 at z = 0 and ½ at z = ±1, times exp(-x²)
    claim.holds(lambda share: 0.2 < share <= 1, values[1][0].real / (scale * np.sum(psi**2) * 2))


def test_bos_20_square(claim, record):
    """Fields with ε‖ψ‖ = 1, and with ε‖ψ‖² = 1: only the latter have a W that is bounded as ε → 0."""

    def tested(inverse, power):
        y = np.arange(-8 * inverse, 8 * inverse + 1)
        psi = np.exp(-((y / inverse) ** 2))
        psi /= (np.linalg.norm(psi) ** power / inverse) ** (1 / power)
        claim.agrees(np.linalg.norm(psi) ** power / inverse, 1.0, rtol=1e-12)
        return np.sum(psi**2 * np.exp(-((y / inverse) ** 2))) / inverse  # J = exp(-x²)

    growth = [tested(64, power) / tested(16, power) for power in (1, 2)]
    claim.agrees(growth, [4.0, 1.0], rtol=1e-9)
    record(
        "bos-20/growth",
        growth,
        method="⟨J, W⟩ at ε = 1/64 over that at 1/16, J = exp(-x²), bells: their norm 1/ε, then its square",
    )


def spectra_of(pp, shape):
    """⟨|p̂_i(k)|²⟩ over n, one component after the other."""
    d, n, f = len(shape), int(np.prod(shape)), fourier(shape)
    c = pp.reshape(d, n, d, n)
    return np.concatenate([np.einsum("kx,xy,ky->k", f, c[i, :, i], f.conj()).real / n for i in range(d)])


def test_bos_theorem_9_initial_condition(claim):
    """From polarisation 1 in two dimensions: what arrives at t solves the equation from μ₀, and is not μ₀."""
    shape, time, steps = (4, 3), 0.05, 100
    n = int(np.prod(shape))
    k = vectors(shape)
    R = printed_kernel(k[:, None], k) / n
    # (59) for d = 2: all that leaves polarisation 1 arrives in 2
    C = np.block([[-np.diag(R.sum(axis=1)), R], [R, -np.diag(R.sum(axis=1))]])
    pp = np.zeros((2 * n, 2 * n))
    pp[:n, :n] = scipy.linalg.circulant(np.fft.ifft(1 + np.cos(2 * np.pi * np.arange(n) / n)).real)
    start = spectra_of(pp, shape)
    for _ in range(steps):
        slopes, now = [], pp
        for weight in (0.5, 0.5, 1.0, None):
            slopes.append(noise_rate(now, shape, *bonds(shape)))
            if weight:
                now = pp + weight * time / steps * slopes[-1]
        pp = pp + time / steps / 6 * (slopes[0] + 2 * slopes[1] + 2 * slopes[2] + slopes[3])
    expected = scipy.linalg.expm(2 * time * C) @ start  # momenta under the noise alone: twice the rate
    claim.agrees(spectra_of(pp, shape), expected, rtol=1e-6, floor=0.01)
    claim.refutes(spectra_of(pp, shape), start, rtol=0.1)


def test_bos_5_variable_of_integration(claim):
    """The gain and loss of (5) integrated over k', as in (22); over k it is minus that, at k'."""
    n = 32
    k = np.arange(n) / n
    R = collisions(n) - np.diag(np.diag(collisions(n)))  # R(k, k') but for k = k', where it meets a 0
    W = 1 + 0.5 * np.cos(2 * np.pi * k) + 0.3 * np.sin(4 * np.pi * k)
    integrand = R * (W - W[:, None])  # axes k, k'
    claim.agrees(integrand.sum(axis=1), collisions(n) @ W, rtol=1e-11, floor=0.1)
    claim.agrees(integrand.sum(axis=0), -collisions(n) @ W, rtol=1e-11, floor=0.1)
    claim.refutes(integrand.sum(axis=0), collisions(n) @ W, rtol=0.5)


def test_bos_19_supremum(claim):
    """The second bound of (19) needs the supremum over all places; over integers it can be all but 0."""
    scale, n = 1 / 16, 160
    x = scale * (np.arange(n) - n // 2)
    psi = np.exp(-((x - 0.5) ** 2))

    def J(x, k):  # J̃ is its value at z = 0 and 0 elsewhere
        return np.exp(-20 * (x - 0.5) ** 2) + 0 * k

    share = weighed(np.outer(psi, psi), J, scale).real / (scale * np.sum(psi**2))
    claim.agrees(share, 1 / np.sqrt(11), rtol=1e-3)
    assert share <= J(np.linspace(-3, 3, 601), 0.0).max()
    assert share > 30 * J(np.arange(-3.0, 4.0), 0.0).max()


def test_bos_40_star(claim):
    """J̃(x, y' - y) is the J̃(x, y - y')* of (18) for real J only."""
    k, z = np.arange(64) / 64, np.arange(-3, 4)
    wave = np.exp(2j * np.pi * z[:, None] * k) / 64
    real = 1 + np.cos(2 * np.pi * k) + 0.5 * np.sin(4 * np.pi * k)
    for J, same in ((real, True), (real + 0.7j * np.sin(2 * np.pi * k), False)):
        of_z = wave @ J
        definition, printed = of_z.conj(), of_z[::-1]
        size = np.abs(definition - printed).max() / np.abs(definition).max()
        if same:
            assert size < 1e-14
            claim.agrees(printed, definition, rtol=1e-12, floor=0.1)
        else:
            claim.refutes(printed, definition, rtol=0.5)
