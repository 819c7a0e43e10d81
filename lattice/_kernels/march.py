"""The time loop of a chain: it plays a program of operations on replicas of the chain.

Layout.  Replicas lie end to end on one *strip*, each with a ghost site on either
side: the sites of replica i are at i(n+2)+1, …, i(n+2)+n.  Before a sweep the
ghosts are placed where walls, periodic images or free ends want them; what the
sweep makes of them is overwritten.  So one loop serves every boundary, short
chains in an ensemble and long ones alone, and always the same operations on a
site in the same order: the result has the same bits on every strip.  A replica
that leaves the finite numbers does not touch its neighbours.
"""

import numpy as np
from numba import carray

from . import fused_inlined, inlined, jit, wide
from .laws import law, laws_kind, slope
from .operations import STRIP, Own, address, call, to_floats
from .random import LANES

FREE, FIXED, PERIODIC = 0, 1, 2
# The loop over a strip is vectorised and unrolled over this many sites.
UNROLL = 16
# An instruction: the addresses of the operation and of what belongs to it, and two numbers.
INSTRUCTION = np.dtype([("code", "u8"), ("own", "u8"), ("a", "f8"), ("b", "f8")])


class Strip:
    """Replicas end to end, filled up to a multiple of UNROLL behind the first ghost.

    It begins at a cache line; p lies a quarter of a page off q, else what is stored there seems to be what
    is loaded next here.  q has one more entry for the last bond, and p two more: rotations over the end of a
    ring need two cells behind the last site.

    Attributes
    ----------
    q, p : (replicas, n) array
        The sites, as they are now.
    own : Own
    """

    def __init__(self, replicas: int, n: int, ends: tuple[int, int]) -> None:
        used, (left, right) = replicas * (n + 2), ends
        size = 1 - (2 - used) // UNROLL * UNROLL
        self._block, self._streams = np.empty(2 * size + 1024), np.empty((replicas, 4, LANES), np.uint64)
        a = 7 - address(self._block) // 8 % 8
        b = a + size + 1 + (127 - size) % 512
        q, p = self._block[a:], self._block[b:]
        self.q, self.p = (x[:used].reshape(replicas, n + 2)[:, 1:-1] for x in (q, p))
        numbers = {"size": size, "n": n, "replicas": replicas, "left": left, "right": right}
        self.own = Own(STRIP, q=q, p=p, streams=self._streams, **numbers)

    def load(self, q: np.ndarray, p: np.ndarray, streams: np.ndarray) -> None:
        """Put replicas on it, with their random streams."""
        self._block.fill(0.0)
        self.q[:], self.p[:], self._streams[:] = q, p, streams


@jit
def march(strip, program, phrases, movements, score):
    """Play, for each entry of `score`, a movement.

    Parameters
    ----------
    strip : uint64
        Address of its record.
    program : array of INSTRUCTION
    phrases : (phrases, 3) array of int64
        First instruction, the one after the last, and how many times.
    movements : (movements + 1,) array of int64
        The first phrase of each.
    score : (times,) array of int64
        Which movements, in order.
    """
    for movement in score:
        for k in range(movements[movement], movements[movement + 1]):
            for _ in range(phrases[k, 2]):
                for i in range(phrases[k, 0], phrases[k, 1]):
                    s = program[i]
                    call(s.code, strip, s.a, s.b, s.own)


@inlined
def place_ghosts(q, n, replicas, left, right):
    """Put the neighbours of the first and the last site of each replica in their places."""
    for i in range(replicas):
        a = i * (n + 2)
        first, last = q[a + 1], q[a + n]
        q[a] = last if left == PERIODIC else (0.0 if left == FIXED else first)
        q[a + n + 1] = first if right == PERIODIC else (0.0 if right == FIXED else last)


@fused_inlined
def _pass(q, p, kick, drift, bond, pin):
    """Kick and drift every site in one pass that carries the tension of the bond to the left."""
    wide()
    tension = slope(bond, 0, q[1] - q[0])
    for j in range(1, p.size):
        x = q[j]
        ahead = slope(bond, j, q[j + 1] - x)
        v = p[j] + kick * ((ahead - tension) - slope(pin, j, x))
        p[j] = v
        q[j] = x + drift * v
        tension = ahead


def sweep(strip, kick, drift, own):
    """Kick every site for a time, then let it drift for a time."""
    wide()
    s, laws = carray(strip, 1)[0], carray(own, 1)[0]
    q, p = carray(to_floats(s.q), s.size + 1), carray(to_floats(s.p), s.size)
    place_ghosts(q, s.n, s.replicas, s.left, s.right)
    _pass(q, p, kick, drift, law(laws.bond, 0, s.size + 1), law(laws.pin, 0, s.size + 1))


def laws(bond: tuple, pin: tuple) -> Own:
    """What belongs to `sweep`."""
    kind = laws_kind(len(bond), len(pin), isinstance(bond[0], np.ndarray))
    return Own(kind, bond=bond, pin=pin)
