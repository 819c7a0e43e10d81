"""What a claim test shows: comparisons that can fail, and numbers to keep."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .provenance import ROOT, code_hash

__all__ = ["Claim", "differences"]

WRONG = {"twice the value": 2.0, "minus the value": -1.0, "zero": 0.0}
FALSE_ALARM = 1e-6


def tolerance(stderr: NDArray[np.float64]) -> NDArray[np.float64]:
    """The deviation that Gaussian errors exceed, in any entry, with probability 1e-6."""
    return -NormalDist().inv_cdf(FALSE_ALARM / 2 / stderr.size) * stderr


def finite(name: str, value: ArrayLike) -> NDArray[Any]:
    """An array of finite numbers, at least one.

    Raises
    ------
    ValueError
        If there is none, or one of them is not finite.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "iufc" or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"{name} = {value!r}; allowed: finite numbers, at least one")
    return array


class Claim:
    """What a claim test shows: its comparisons, their failing twins, its numbers.

    Parameters
    ----------
    test : str
        The test, ``tests/…::…``.
    quantities : set of str
        The keys that the register allows it to record.
    """

    def __init__(self, test: str, quantities: set[str]) -> None:
        self.test = test
        self.quantities = quantities
        self.twins = 0
        self.entries: dict[str, dict[str, Any]] = {}
        self.chaotic: set[str] = set()

    def holds(self, check: Callable[[Any], bool], value: ArrayLike) -> None:
        """Assert that a check accepts the value and refuses twice it, minus it and zero."""
        value = finite("value", value)
        assert check(value), f"the check refuses {value}"
        for name, factor in WRONG.items():
            assert not check(factor * value), (
                f"the check cannot fail: it also accepts {name}, {factor * value}"
            )
        self.twins += 1

    def agrees(
        self,
        measured: ArrayLike,
        expected: ArrayLike,
        *,
        rtol: float = 1e-9,
        floor: float = 0.0,
        stderr: ArrayLike = 0.0,
    ) -> None:
        r"""Assert that two numbers or arrays agree, and that wrong ones would not.

        The tolerance of an entry is `rtol` times its expected size and, for statistical errors
        `stderr`, the deviation that occurs with probability 1e-6 in any entry.  Where some are zero by
        symmetry, or what is left of larger ones, entries below the share `floor` of the largest count
        as so large.  Twice the measured values, minus them and zero must lie outside the tolerance.
        """
        expected = finite("expected", expected)
        if not 0 <= floor <= 1:
            raise ValueError(f"floor = {floor}; allowed: 0 ≤ floor ≤ 1")
        size = np.abs(expected)
        within = self._comparison(expected, rtol * np.maximum(size, floor * size.max()), rtol, stderr)
        measured = finite("measured", measured)
        assert within(measured), f"measured {measured}, expected {expected}"
        for name, factor in WRONG.items():
            assert not within(factor * measured), (
                f"the tolerance is larger than the effect: {name} agrees with {expected} as well"
            )
        self.twins += 1

    def refutes(
        self, measured: ArrayLike, printed: ArrayLike, *, rtol: float = 1e-9, stderr: ArrayLike = 0.0
    ) -> None:
        """Assert that the printed values disagree: somewhere by more than `rtol` of the largest, and noise.

        One small entry that is wrong, or zero but for rounding, refutes nothing.
        """
        printed = finite("printed", printed)
        within = self._comparison(printed, rtol * np.abs(printed).max(), rtol, stderr)
        assert not within(finite("measured", measured)), (
            f"measured {measured} agrees with the print {printed}"
        )

    @staticmethod
    def _comparison(
        expected: NDArray[Any], allowed: ArrayLike, rtol: float, stderr: ArrayLike
    ) -> Callable[[NDArray[Any]], bool]:
        stderr = finite("stderr", stderr)
        if np.any(stderr < 0) or not 0 <= rtol < 1:
            raise ValueError(f"stderr = {stderr}, rtol = {rtol}; allowed: stderr ≥ 0 and 0 ≤ rtol < 1")
        if stderr.shape not in ((), expected.shape):
            raise ValueError(f"stderr has shape {stderr.shape}; allowed: () or {expected.shape}")
        allowed = allowed + tolerance(np.broadcast_to(stderr, expected.shape))

        def within(values: NDArray[Any]) -> bool:
            # nothing is broadcast: a missing axis is a mistake
            if values.shape != expected.shape:
                raise ValueError(f"measured has shape {values.shape}; allowed: {expected.shape}")
            return bool(np.all(np.abs(values - expected) <= allowed))

        return within

    def record(
        self,
        key: str,
        value: ArrayLike,
        *,
        method: str,
        stderr: ArrayLike = 0.0,
        systematic: ArrayLike = 0.0,
        seed: int | None = None,
        chaotic: bool = False,
    ) -> None:
        """Keep a number, or a flat list of them, for ``book/data/measured.json``.

        Parameters
        ----------
        key : str
            Its name, one of the `quantities` that the register lists for the claim.
        value : float or (m,) array_like
            The number or numbers, in reading order.
        method : str
            How it was found, in one line.
        stderr : float or (m,) array_like
            Statistical error; 0 for deterministic numbers.
        systematic : float or (m,) array_like
            What remains from plateaus, extrapolations, steps and sizes.
        seed : int, optional
            The seed; a statistical error asks for one.
        chaotic : bool
            Whether differences in rounding grow beyond the sixth digit, so that another processor
            draws another sample with the same seed.  Its error bar must then be good to a factor
            of two, which takes some sixty independent values.

        Raises
        ------
        ValueError
            If the key is not this test's, a number is not finite, an error is
            negative or of another shape, the error hides the value, or the method or seed is missing.
        """
        if key not in self.quantities:
            allowed = ", ".join(sorted(self.quantities)) or "none, the register lists no quantities"
            raise ValueError(f"key = {key!r}; allowed in {self.test}: {allowed}")
        if key in self.entries:
            raise ValueError(f"key = {key!r} is recorded twice")
        numbers = {
            name: np.asarray(finite(name, number), dtype=np.float64)
            for name, number in (("value", value), ("stderr", stderr), ("systematic", systematic))
        }
        shape = numbers["value"].shape
        if len(shape) > 1:
            raise ValueError(f"value has shape {shape}; allowed: a number or a flat list")
        for name in ("stderr", "systematic"):
            if numbers[name].shape not in ((), shape) or np.any(numbers[name] < 0):
                raise ValueError(
                    f"{name} = {numbers[name]}; allowed: 0 or more, one number or as many as values"
                )
        if not method.strip() or "\n" in method:
            raise ValueError(f"method = {method!r}; allowed: one line")
        if np.any(numbers["stderr"]) and seed is None:
            raise ValueError("seed = None; a value with a statistical error needs the seed it came from")
        entry = {name: _plain(number) for name, number in numbers.items()}
        entry |= {"seed": seed, "code_hash": code_hash(ROOT / self.test.partition("::")[0])}
        entry |= {"method": method, "test": self.test}
        for name, factor in WRONG.items():
            wrong = entry | {"value": _plain(factor * numbers["value"])}
            if not differences(entry, wrong, resampled=True):
                raise ValueError(f"value = {value!r}, stderr = {stderr!r}: cannot be told from {name}")
        self.entries[key] = entry
        if chaotic:
            self.chaotic.add(key)

    def compare(self, committed: dict[str, dict[str, Any]], *, other_seeds: bool = False) -> list[str]:
        """What is wrong between the numbers of this run and the committed ones."""
        wrong = [
            f"{key} is recorded in measured.json for this test, which did not record it"
            for key, entry in committed.items()
            if entry["test"] == self.test and key not in self.entries
        ]
        for key, entry in self.entries.items():
            old = committed.get(key)
            if old is None:
                wrong.append(f"{key} is not in measured.json")
                continue
            said = ("test", "method") if other_seeds else ("test", "method", "seed")
            found = [name for name in said if old.get(name) != entry[name]]
            found += differences(entry, old, resampled=other_seeds or key in self.chaotic)
            if other_seeds:  # the recorded errors belong to the recorded seed
                found = [name for name in found if name not in ("stderr", "systematic")]
            wrong += [
                f"{key}: {name} in measured.json is {old.get(name)}, computed {entry[name]}" for name in found
            ]
        return wrong


def differences(entry: dict[str, Any], old: dict[str, Any], *, resampled: bool) -> list[str]:
    """Which of value, stderr and systematic differ between a computed and a committed entry.

    The same seed gives the same number: six digits of the value, three of its errors.  If it was
    `resampled`, by another seed or by another processor's rounding, the value may miss by 4.9 errors
    of a difference and the error bar by a factor of two.  All is measured by the computed errors,
    since the committed ones can say anything.
    """
    names = ("value", "stderr", "systematic")
    if shapes := [name for name in names if np.shape(entry[name]) != np.shape(old[name])]:
        return shapes
    value, stderr, systematic = (np.asarray(entry[name]) for name in names)
    committed = {name: np.asarray(old[name]) for name in names}
    # an entry that is 0 but for rounding is measured by its companions
    rounding = 1e-12 * np.abs(value).max()
    noise = tolerance(np.sqrt(2) * np.broadcast_to(stderr, value.shape)) if resampled else 0.0 * value
    off = {name: np.abs(np.asarray(entry[name]) - committed[name]) for name in names}
    low = np.minimum(stderr, committed["stderr"])
    agree = {
        "value": off["value"] <= 1e-6 * np.abs(value) + rounding + noise,
        "stderr": off["stderr"] <= (1.0 if resampled else 1e-3) * low + rounding,
        "systematic": off["systematic"] <= 1e-3 * systematic + rounding + noise.max(),
    }
    return [name for name in names if not np.all(agree[name])]


def _plain(number: NDArray[np.float64]) -> Any:
    """Floats for JSON, at ten digits: beyond them processors differ."""
    return np.vectorize(lambda x: float(f"{x:.10g}"), otypes=[float])(number).tolist()
