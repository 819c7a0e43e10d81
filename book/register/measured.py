"""What ``book/data/measured.json`` must look like, and which of its numbers are out of date."""

from __future__ import annotations

import json
import math
import os
import re
from typing import Any

from .form import PATTERNS
from .provenance import ROOT, code_hash

__all__ = [
    "MEASURED",
    "agreement",
    "errors",
    "mismeasured",
    "outdated",
    "read_measured",
    "values",
    "write_measured",
]

MEASURED = ROOT / "book" / "data" / "measured.json"
REMEDY = "restore it, or remove it and let `make claims` write it"
FALSE_ALARM = 4.9  # standard errors
EXACT = 1e-6  # how well a number without errors agrees, if nothing else is said
RECORDED = {"value", "stderr", "systematic", "seed", "code_hash", "method", "test"}


def read_measured() -> dict[str, dict[str, Any]]:
    """The recorded numbers by key, none if there is no file yet.

    Raises
    ------
    ValueError
        If the file is not what `make claims` writes; the message lists every mistake.
    """
    if not MEASURED.exists():
        return {}
    try:
        document = json.loads(MEASURED.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{MEASURED} is not JSON ({error}); {REMEDY}") from error
    if mistakes := mismeasured(document):
        raise ValueError("\n".join([f"{MEASURED} has mistakes:", *mistakes, REMEDY]))
    return document


def write_measured(entries: dict[str, dict[str, Any]]) -> None:
    """Replace the file in one step: whoever is killed leaves the old one or the new one."""
    text = json.dumps(dict(sorted(entries.items())), indent=2, ensure_ascii=False, allow_nan=False)
    unfinished = MEASURED.with_suffix(".json.part")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(MEASURED)


def values(number: Any) -> list[float]:
    """A number, or a list of them, as a list."""
    return number if isinstance(number, list) else [number]


def errors(entry: dict[str, Any]) -> list[float]:
    """Of each recorded number, its statistical and systematic error together."""
    length = len(values(entry["value"]))
    each = [
        entry[name] if isinstance(entry[name], list) else [entry[name]] * length
        for name in ("stderr", "systematic")
    ]
    return [math.hypot(*pair) for pair in zip(*each, strict=True)]


def agreement(number: Any, entry: dict[str, Any], within: float = EXACT) -> tuple[bool, float | None]:
    """Whether a recorded number agrees with another one, and the largest deviation in standard errors.

    It may miss by the share `within` and by 4.9 errors.  Without errors there is no deviation in
    standard errors: None.
    """
    expected, recorded = values(number), values(entry["value"])
    if len(expected) != len(recorded):
        return False, None
    off = [abs(x - y) for x, y in zip(recorded, expected, strict=True)]
    each = list(zip(off, expected, errors(entry), strict=True))
    agrees = all(miss <= within * abs(y) + FALSE_ALARM * error for miss, y, error in each)
    return agrees, max((miss / error for miss, _, error in each if error), default=None)


def outdated() -> dict[str, str]:
    """Keys whose code has changed since they were recorded, and their tests."""
    stale = {}
    for key, entry in read_measured().items():
        script = ROOT / entry["test"].partition("::")[0]
        if not script.is_file() or code_hash(script) != entry["code_hash"]:
            stale[key] = entry["test"]
    return stale


def mismeasured(document: Any) -> list[str]:
    """Every mistake in the form of the recorded numbers, in plain words."""
    if not isinstance(document, dict):
        return ["allowed at the top: entries by key"]
    found = []
    for key, entry in document.items():
        if not isinstance(entry, dict) or set(entry) != RECORDED:
            found.append(f"{key} is {entry!r}; allowed: the fields {', '.join(sorted(RECORDED))}")
            continue
        values = _numbers(entry["value"])
        checks = {
            "value": bool(values),
            "stderr": _is_error(entry["stderr"], values),
            "systematic": _is_error(entry["systematic"], values),
            "seed": entry["seed"] is None or (type(entry["seed"]) is int and entry["seed"] >= 0),
            "code_hash": _matches(r"[0-9a-f]{16}", entry["code_hash"]),
            "method": _matches(r".*\S.*", entry["method"]),
            "test": _matches(PATTERNS["tests"][0], entry["test"]),
        }
        found += [f"{key}: {name} = {entry[name]!r}" for name, right in checks.items() if not right]
    return found


def _numbers(value: Any) -> list[float]:
    """The finite numbers of a number or of a flat list, none if it is something else."""
    numbers = value if isinstance(value, list) else [value]
    return numbers if all(type(x) in (int, float) and math.isfinite(x) for x in numbers) else []


def _is_error(error: Any, values: list[float]) -> bool:
    """Whether it is an error of so many values: one number for all or one for each, 0 or more."""
    numbers = _numbers(error)
    length = len(values) if isinstance(error, list) else 1
    return len(numbers) == length and all(x >= 0 for x in numbers)


def _matches(pattern: str, text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch(pattern, text) is not None
