"""Sums over interactions: three legs on nodes, and four between two nodes each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ctypes import c_long
from math import exp

import numba
import numpy as np
import scipy.sparse

from lattice import Bond, Chain, Pin
from lattice.kinetic import four_phonon
from lattice.kinetic.collisions import Collision

from .measure import Comparison, compile_c, interleaved, pointer

NODES, SAMPLES = 256, 174  # 32,640 interactions of three legs, 30,276 of four

# With a and b = y and n of waves, n and 1 + n of particles; between nodes a is y, and the exponentials,
# those of libmvec, are taken a block at a time.
SOURCE = """
#include <math.h>
#define BLOCK 128
#define SUM for (long r = 0; r < rows; r++)
typedef const double *restrict numbers;
typedef const unsigned *restrict places;
void nodes_waves(long rows, numbers a, numbers b, places at, numbers p, numbers w, double *restrict d) {
  SUM {
    places i = at + 3 * r;
    double q = w[r] * b[i[0]] * b[i[1]] * b[i[2]] * (a[i[2]] - a[i[0]] - a[i[1]]);
    d[i[0]] -= q; d[i[1]] -= q; d[i[2]] += q;
  }
}
void nodes_particles(long rows, numbers a, numbers b, places at, numbers p, numbers w, double *restrict d) {
  SUM {
    places i = at + 3 * r;
    double q = w[r] * (a[i[0]] * a[i[1]] * b[i[2]] - b[i[0]] * b[i[1]] * a[i[2]]);
    d[i[0]] -= q; d[i[1]] -= q; d[i[2]] += q;
  }
}
void between_waves(long rows, numbers a, numbers b, places at, numbers p, numbers w, double *restrict d) {
  SUM {
    places i = at + 8 * r; numbers s = p + 8 * r; double y[4];
    for (int l = 0; l < 4; l++) y[l] = s[2 * l] * a[i[2 * l]] + s[2 * l + 1] * a[i[2 * l + 1]];
    double q = w[r] * (y[2] + y[3] - y[0] - y[1]) / (y[0] * y[1] * y[2] * y[3]);
    for (int j = 0; j < 4; j++) d[i[j]] -= s[j] * q;
    for (int j = 4; j < 8; j++) d[i[j]] += s[j] * q;
  }
}
void between_particles(long rows, numbers a, numbers b, places at, numbers p, numbers w, double *restrict d) {
  double y[4][BLOCK], z[4][BLOCK], q[BLOCK];
  for (long begin = 0; begin < rows; begin += BLOCK) {
    int size = rows - begin < BLOCK ? rows - begin : BLOCK;
    places i = at + 8 * begin; numbers s = p + 8 * begin;
    for (int r = 0; r < size; r++)
      for (int l = 0; l < 4; l++) {
        int c = 8 * r + 2 * l;
        y[l][r] = s[c] * a[i[c]] + s[c + 1] * a[i[c + 1]];
      }
    for (int l = 0; l < 4; l++) for (int r = 0; r < size; r++) z[l][r] = exp(-y[l][r]);
    for (int r = 0; r < size; r++)
      q[r] = w[begin + r] * (z[0][r] * z[1][r] - z[2][r] * z[3][r])
        / ((1 - z[0][r]) * (1 - z[1][r]) * (1 - z[2][r]) * (1 - z[3][r]));
    for (int r = 0; r < size; r++) {
      for (int j = 0; j < 4; j++) d[i[8 * r + j]] -= s[8 * r + j] * q[r];
      for (int j = 4; j < 8; j++) d[i[8 * r + j]] += s[8 * r + j] * q[r];
    }
  }
}
"""


def three_legs(statistics: str) -> Collision:
    """i + j quanta to one node, all of one branch."""
    i, j = np.indices((NODES, NODES)).reshape(2, -1)
    legs = np.stack([i, j, i + j + 1], axis=1)[i + j + 1 < NODES]
    energy = np.arange(1.0, NODES + 1)
    strength = np.full(len(legs), 1 / NODES)
    return Collision(
        energy, np.ones(NODES), energy[None], legs[:, :, None], [-1, -1, 1], strength, statistics=statistics
    )


def four_legs(statistics: str) -> Collision:
    """Phonons of the pinned quartic chain."""
    chain = Chain(8, Bond(chi=1.0), Pin(chi=1.0, beta=1.0))
    made = four_phonon.collision(chain, NODES, SAMPLES, statistics=statistics)
    order = np.argsort(made.sign, kind="stable")
    return Collision(
        made.nodes, made.measure, made.invariants, made.node[:, order], made.sign[order], made.strength,
        made.weight[:, order], statistics=statistics,
    )  # fmt: skip


@numba.njit
def naive(y, waves, node, weight, sign, strength, change):
    """Leg by leg, as the formulas say."""
    for r in range(len(node)):
        affinity, product, back, forth = 0.0, 1.0, 1.0, 1.0
        for leg in range(node.shape[1]):
            value = 0.0
            for j in range(node.shape[2]):
                value += weight[r, leg, j] * y[node[r, leg, j]]
            affinity += sign[leg] * value
            product *= value if waves else 1 - exp(-value)
            if sign[leg] > 0:
                back *= exp(-value)
            else:
                forth *= exp(-value)
        rate = strength[r] * (affinity if waves else forth - back) / product
        for leg in range(node.shape[1]):
            for j in range(node.shape[2]):
                change[node[r, leg, j]] += sign[leg] * weight[r, leg, j] * rate


def with_sparse(collision: Collision, weight: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Gather and scatter as sparse matrices."""
    rows, legs, across = collision.node.shape
    ends = np.arange(0, weight.size + 1, across)
    shape = (rows * legs, NODES)
    gather = scipy.sparse.csr_matrix((weight.ravel(), collision.node.ravel().astype(np.int32), ends), shape)
    scatter = gather.multiply(np.tile(collision.sign, rows)[:, None]).T.tocsr()
    waves, filled = collision.statistics == "rayleigh-jeans", collision.sign > 0

    def call(y: np.ndarray) -> np.ndarray:
        values = (gather @ y).reshape(rows, legs)
        if waves:
            rate = values @ collision.sign / values.prod(axis=1)
        else:
            z = np.exp(-values)
            rate = (z[:, ~filled].prod(axis=1) - z[:, filled].prod(axis=1)) / (1 - z).prod(axis=1)
        return scatter @ np.repeat(collision.strength * rate, legs)

    return call


def comparisons() -> Iterator[Comparison]:
    """Both layouts and both statistics."""
    library = compile_c(SOURCE)
    n = 1 / (1 + np.random.default_rng(0).random(NODES))
    for make, place in ((three_legs, "nodes"), (four_legs, "between")):
        for statistics, kind in (("rayleigh-jeans", "waves"), ("bose-einstein", "particles")):
            collision, waves = make(statistics), kind == "waves"
            y, count, spare = collision.potential(n), len(collision.strength), np.zeros(NODES)
            node, sign, strength = collision.node, collision.sign, collision.strength
            weight = np.ones(node.shape) if collision.weight is None else collision.weight
            call = with_sparse(collision, weight)
            work = {
                "ours": (lambda c=collision, y=y: c._change(y), count),
                "scipy.sparse": (lambda call=call, y=y: call(y), count),
                "naive numba": (
                    lambda a=(y, waves, node, weight, sign, strength, spare): naive(*a),
                    count,
                ),
            }
            least = 10.0 if place == "nodes" else 6.0 if waves else 3.5  # the exponentials are half of it
            targets = {"scipy.sparse": least, "naive numba": 3.0}
            if library is not None:
                a, b = (n, 1 + n) if place == "nodes" and not waves else (y, n)
                given = [pointer(x) for x in (a, b, node, weight, strength, spare)]
                function = getattr(library, f"{place}_{kind}")
                work["C"] = lambda f=function, x=given, k=count: f(c_long(k), *x), count
                targets["C"] = 1 / 1.2
            times = interleaved(work)
            for rival, target in targets.items():
                label = f"{'three' if place == 'nodes' else 'four'} legs, {kind}"
                yield Comparison(label, place, rival, times["ours"], times[rival], target, "interaction")
