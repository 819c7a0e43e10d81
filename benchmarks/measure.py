"""Timing, and C compiled on the spot."""

from __future__ import annotations

import ctypes
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROUNDS = 7


@dataclass(frozen=True)
class Comparison:
    """Our time and a rival's, in ns per `unit`.

    `target` is the least ratio rival/ours that is asked for, None if nothing is.
    """

    kernel: str
    size: str
    rival: str
    ours: float
    theirs: float
    target: float | None = None
    unit: str = "site-step"

    @property
    def ratio(self) -> float:
        """How many times longer the rival takes."""
        return self.theirs / self.ours


def interleaved(work: dict[str, tuple[Callable[[], object], float]]) -> dict[str, float]:
    """Medians of CPU time in ns per unit of work; `work` maps a name to (call, units in one call).

    The calls take turns, so that a slow spell of the machine hits all of them.
    """
    times: dict[str, list[float]] = {name: [] for name in work}
    for call, _ in work.values():
        call()  # compile, warm the caches
    for _ in range(ROUNDS):
        for name, (call, units) in work.items():
            begin = time.process_time_ns()
            call()
            times[name].append((time.process_time_ns() - begin) / units)
    return {name: statistics.median(values) for name, values in times.items()}


def compile_c(source: str) -> ctypes.CDLL | None:
    """A shared library of this source, or None where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "rival.so"
        flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", "-x", "c"]
        command = [compiler, *flags, "-", "-o", str(library), "-lm"]
        subprocess.run(command, input=source.encode(), check=True)
        return ctypes.CDLL(str(library))


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    """The address of an array, for C."""
    return ctypes.c_void_p(array.ctypes.data)
