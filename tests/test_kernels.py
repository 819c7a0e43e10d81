"""Random streams, the sine, and the way kernels are compiled."""

import itertools
import math
import re
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from lattice import _kernels
from lattice._kernels import laws, march, operations, random
from lattice._kernels.random import LANES, fill_bits, fill_normal, streams
from tests import naive

PI = Fraction("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803")


def exact_sine(x):
    """sin x, the argument reduced in exact arithmetic."""
    x = Fraction(x)
    k = round(x / PI)
    r = x - k * PI
    term = total = r
    for i in range(1, 16):
        term *= -r * r / ((2 * i) * (2 * i + 1))
        term = Fraction(round(term * 2**120), 2**120)
        total += term
    return total * (-1) ** k


def error_of_sine(x):
    return abs(float(Fraction(laws.sine(x)) - exact_sine(x)))


@pytest.fixture(scope="module")
def gaussians():
    """2**21 Gaussians, by rows: one stream each."""
    states = streams(np.random.SeedSequence(11), 64)
    out = np.empty((64, 2**15))
    bits = np.empty(out.shape[1], np.uint64)
    for state, row in zip(states, out, strict=True):
        fill_normal(state, bits, row)
    return out


def test_sine_near_zero_and_at_multiples_of_pi():
    assert laws.sine(0.0) == 0.0
    for x in (5e-324, 1e-300, 1e-9, -1e-9):
        assert laws.sine(x) == x
    for k in (1, 2, 3, 1000, 2**20 - 1):
        for x in (k * math.pi, (k + 0.5) * math.pi, math.nextafter(k * math.pi, 0)):
            assert error_of_sine(x) < 2.3e-16
            assert error_of_sine(-x) < 2.3e-16


@pytest.mark.parametrize("largest", [1.6, 10.0, 1e3, 3e6])
def test_sine_is_accurate_in_its_range(largest):
    xs = np.random.default_rng(5).uniform(-largest, largest, 400)
    assert max(error_of_sine(x) for x in xs) < 2e-16


@pytest.mark.parametrize("size", [1e7, 1e9, 1e12, 1e15])
def test_sine_beyond_its_range_is_as_exact_as_its_argument(size):
    xs = np.random.default_rng(6).uniform(size, 2 * size, 100)
    assert max(error_of_sine(x) for x in xs) < np.spacing(2 * size)


def test_sine_is_odd_and_shows_what_is_not_finite():
    xs = np.random.default_rng(7).uniform(-50, 50, 100)
    assert_array_equal([laws.sine(-x) for x in xs], [-laws.sine(x) for x in xs])
    assert all(np.isnan(laws.sine(x)) for x in (np.inf, -np.inf, np.nan))


def test_bits_are_those_of_xoshiro256_plus_plus():
    """Published first words from the state 1, 2, 3, 4, and the twin from random states."""
    state = np.repeat(np.array([1, 2, 3, 4], np.uint64)[:, None], LANES, axis=1)
    out = np.empty(4 * LANES, np.uint64)
    fill_bits(state, out)
    published = [41943041, 58720359, 3588806011781223, 3591011842654386]
    assert_array_equal(out, np.repeat(np.array(published, np.uint64), LANES))

    state = streams(np.random.SeedSequence(3), 1)[0]
    expected = list(itertools.islice(naive.words(state), 8 * LANES))
    for part in range(2):  # the state is carried on
        fill_bits(state, out)
        assert out.tolist() == expected[part * out.size : (part + 1) * out.size]


def test_gaussians_are_box_mullers():
    state = streams(np.random.SeedSequence(4), 1)[0]
    expected = list(itertools.islice(naive.normals(state), 4096))
    out, bits = np.empty(2048), np.empty(2048, np.uint64)
    for part in range(2):
        fill_normal(state, bits, out)
        assert_allclose(out, expected[part * 2048 : (part + 1) * 2048], rtol=4e-15, atol=2e-15)


def test_extreme_bits_give_finite_gaussians():
    """The tail ends at sqrt(104 log 2) = 8.49; all bits zero give the radius 0."""
    bits = np.array([0, 2**64 - 1, 1, 2**63] * LANES, np.uint64)
    out = np.empty(bits.size)
    _box_muller = fill_normal.py_func.__globals__["_box_muller"]
    _box_muller(bits, out)
    assert_allclose(out, naive.box_muller(bits.tolist()), rtol=4e-15, atol=2e-15)
    assert np.abs(out).max() == pytest.approx(math.sqrt(104 * math.log(2)), rel=1e-12)


def test_streams_come_from_a_spawned_seed():
    """Stream i whatever their number; the next run has others."""
    one, two = streams(np.random.SeedSequence(9), 3), streams(np.random.SeedSequence(9), 5)
    assert_array_equal(one, two[:3])
    assert np.unique(two).size == two.size
    child = np.random.SeedSequence(9).spawn(1)[0]
    keys = [int(key) for key in child.generate_state(4, np.uint64)]
    assert two.ravel().tolist() == list(naive.stream_words(keys, 5))
    parent = np.random.SeedSequence(9)
    words = np.concatenate([streams(parent, 3), streams(parent, 2), streams(np.random.SeedSequence(10), 3)])
    assert parent.n_children_spawned == 2
    assert np.unique(words).size == words.size  # by chance 1e-13


def test_words_of_streams_are_random():
    """Bits, neighbouring words, the same word of neighbouring streams and of runs with near keys.

    2**18 words for each of 4 pairs, 64 × 64 pairs of bits: false alarm 16,448 × 4e-11 (6.6 standard errors);
    detects a correlation of two bits of 0.013.
    """
    size = 1024

    def bits(seed):
        words = streams(np.random.SeedSequence(seed), size).reshape(size, -1)
        return 2.0 * np.unpackbits(words.view(np.uint8), axis=-1).reshape(size, -1, 64) - 1

    first, second = bits(1), bits(2)
    count = first.size / 64
    assert np.abs(first.mean(axis=(0, 1))).max() < 6.6 / math.sqrt(count)
    for a, b in (
        (first[:, 1:], first[:, :-1]),
        (first[1:], first[:-1]),
        (first, second),
        (first[:, LANES:], first[:, :-LANES]),
    ):
        products = a.reshape(-1, 64).T @ b.reshape(-1, 64) / (a.size / 64)
        assert np.abs(products).max() < 6.6 / math.sqrt(a.size / 64)


@pytest.mark.parametrize("power", [1, 2, 3, 4, 6])
def test_moments_of_the_gaussians(gaussians, power):
    """False alarm 2e-7 each (5.2 standard errors); misses a variance 1 % off as rarely."""
    double_factorial = {2: 1, 4: 3, 6: 15, 8: 105, 12: 10395}
    exact = double_factorial.get(power, 0)
    variance = double_factorial.get(2 * power, 0) - exact**2 if power != 3 else 15
    error = math.sqrt(variance / gaussians.size)
    assert abs(np.mean(gaussians**power) - exact) < 5.2 * error
    if power == 2:
        assert abs(np.mean((1.0053 * gaussians) ** 2) - 1) > 5.2 * error  # by 10.9


def test_distribution_of_the_gaussians(gaussians):
    """Kolmogorov-Smirnov with a false alarm of 1e-6: sup|F_n - F| < 2.69/sqrt(n); detects 0.2 %."""
    assert stats.kstest(gaussians.ravel(), "norm").statistic < 2.69 / math.sqrt(gaussians.size)


def test_gaussians_are_independent(gaussians):
    """Correlations, also of squares, of the two halves of a pair, of neighbours and of streams.

    False alarm 8 × 1e-7 (5.33 standard errors); detects a correlation of 0.005.
    """
    half = gaussians.shape[1] // 2
    pairs = [
        (gaussians[:, :half], gaussians[:, half:]),
        (gaussians[:, :-1], gaussians[:, 1:]),
        (gaussians[:, :-LANES], gaussians[:, LANES:]),
        (gaussians[:-1], gaussians[1:]),
    ]
    for a, b in pairs:
        assert abs(np.mean(a * b)) < 5.33 / math.sqrt(a.size)
        assert abs(np.mean((a**2 - 1) * (b**2 - 1))) < 5.33 * 2 / math.sqrt(a.size)


def test_kernels_know_when_any_kernel_file_changed():
    """A kernel holds code of the other files; its cache is bound to a hash of them all."""
    filler = operations.compiled(
        random.refill_normal, types.void(types.uint64, types.uint64, types.uint64, types.int64)
    )
    for kernel in (march.march, filler):
        assert kernel._cache._cache_file._source_stamp == _kernels._stamp()


def test_kernels_compile_where_nothing_can_be_cached():
    namespace = {}
    exec("def double(x):\n    return x + x", namespace)  # no file, so no place for a cache
    assert _kernels.jit(namespace["double"])(2.0) == 4.0


@pytest.mark.parametrize("inside", [{}, {"_cache": None}, {"_cache": SimpleNamespace(_cache_file=None)}])
def test_kernels_compile_with_a_numba_that_stamps_its_cache_elsewhere(inside):
    """Without a cache then: a kernel from it might hold old code of another file."""

    class Compiled(SimpleNamespace):
        caches = False

        def enable_caching(self):
            self.caches = True

    assert not _kernels.cached(len, lambda function: Compiled(**inside)).caches
    file = SimpleNamespace(_source_stamp="")
    compiled = _kernels.cached(len, lambda function: Compiled(_cache=SimpleNamespace(_cache_file=file)))
    assert compiled.caches
    assert file._source_stamp == _kernels._stamp()


def assembly(operation, own):
    """The code of an operation compiled afresh; what comes from the cache does not show it."""
    signature = types.void(operations.STRIP.pointer, types.float64, types.float64, own.kind.pointer)
    code = CFunc(operation, normalize_signature(signature), {}, {"error_model": "numpy", "fastmath": False})
    code.compile()
    return code._library.get_asm_str()


@pytest.mark.skipif(
    not get_host_cpu_features().get("avx512f", False), reason="this processor has no vectors of 512 bits"
)
def test_sweeps_take_the_widest_vectors():
    """Left to itself the compiler takes 256 bits on many processors with 512: 1.3 times slower."""
    for law in ((1.0,), (1.0, 0.1, 0.1), (1.0, 0.1, 0.1, 1.0, 1.0)):
        code = assembly(march.sweep, march.laws(law, ()))
        packed = re.findall(r"v(?:add|sub|mul|fn?m(?:add|sub)\d+)pd.*%([xyz])mm", code)
        assert packed.count("z") > 6  # at least one pass of the harmonic law
        assert packed.count("z") > 2 * packed.count("y")


def test_a_word_when_compiling_takes_long(monkeypatch, capsys):
    def compile_one():
        operations.filler.__wrapped__(lambda stream, scratch, store, size: None)

    monkeypatch.setattr(operations, "PATIENCE", 1.0)
    monkeypatch.setenv("TQDM_DISABLE", "1")  # as in the build of the book, where a word would be an error
    for spent, words in ((1.0 - 1e-9, 0), (2.0, 0)):
        monkeypatch.setattr(operations, "_spent", [spent])
        compile_one()
        assert capsys.readouterr().err.count("\n") == words
    monkeypatch.delenv("TQDM_DISABLE")
    for spent, words in ((1.0 - 1e-9, 1), (-1e9, 0), (2.0, 0)):
        monkeypatch.setattr(operations, "_spent", [spent])
        compile_one()
        assert capsys.readouterr().err.count("\n") == words
