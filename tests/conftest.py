"""Hooks and fixtures of all tests: the claims register at work, and seeds that are shifted.

A test that ``book/claims.yml`` names is a *claim test* (it gets the marker
``claims``).  It compares with the fixture `claim`, which feeds every comparison
wrong values too, and reports numbers with the fixture `record`::

    def test_bos_3_dispersion(claim, record):
        measured, exact = ...
        claim.agrees(measured, exact, rtol=1e-10)
        claim.refutes(measured, printed, rtol=1e-10)
        record("bos-3/edge-frequency", measured[-1], method="eigenvalues, ring of 64")

Without ``--record`` what is recorded is compared with ``book/data/measured.json``;
with it (``make claims``) the file is written, each test's numbers as soon as the
test has passed, and a run that was killed goes on where it stopped.

``--shift N`` adds N to every seed, of all tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import hypothesis
import pytest

from book.register import ROOT, Claim, code_hash, outdated, read_measured, read_register, write_measured
from tests.reseed import shift_seeds

JOURNAL = "claims/recorded"
CLAIM = pytest.StashKey[Claim]()
SELECTED = pytest.StashKey[dict[str, pytest.Item]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record", action="store_true", help="write what the claim tests measure to book/data/measured.json"
    )
    parser.addoption("--shift", type=int, default=0, metavar="N", help="add N to every seed of the tests")


@pytest.hookimpl(tryfirst=True)  # before hypothesis reads its seed
def pytest_configure(config: pytest.Config) -> None:
    shift = config.getoption("--shift")
    if shift < 0 or (shift and config.getoption("--record")):
        raise pytest.UsageError(f"--shift {shift}; allowed: 0 or more, and only 0 with --record")
    if shift:
        shift_seeds(shift)
        config.option.hypothesis_seed = shift
        # where CI is set, hypothesis would draw the same examples every time
        hypothesis.settings.register_profile("shift", derandomize=False)
        hypothesis.settings.load_profile("shift")


def pytest_report_header(config: pytest.Config) -> str | None:
    shift = config.getoption("--shift")
    return f"every seed is shifted by {shift}" if shift else None


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    try:
        register = read_register()
        read_measured()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    quantities: dict[str, set[str]] = {}
    for entry in register["claims"] + register["findings"]:
        for test in entry["tests"]:
            quantities.setdefault(test, set()).update(entry.get("quantities", ()))
    for item in items:
        test = f"{item.path.relative_to(ROOT).as_posix()}::{item.nodeid.partition('::')[2]}"
        name = test.partition("[")[0]
        if name not in quantities:
            continue
        if name != test:
            raise pytest.UsageError(f"{test} is parametrised; a claim is one test with one verdict")
        item.add_marker("claims")
        item.stash[CLAIM] = Claim(test, quantities[test])
    yield  # -m and -k select
    if config.getoption("--record"):
        done = config.cache.get(JOURNAL, {})
        config.stash[SELECTED] = {item.stash[CLAIM].test: item for item in items if CLAIM in item.stash}
        kept = [
            item
            for test, item in config.stash[SELECTED].items()
            if test in done and done[test] == code_hash(item.path)
        ]
        if kept:
            items[:] = [item for item in items if item not in kept]
            config.hook.pytest_deselected(items=kept)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Judge a claim test as part of the test itself, once its own assertions have passed."""
    result = yield
    if CLAIM not in pyfuncitem.stash:
        return result
    claim, config = pyfuncitem.stash[CLAIM], pyfuncitem.config
    if not claim.twins:
        pytest.fail("a claim test compares with `claim.agrees` or `claim.holds`, this one does not", False)
    if not config.getoption("--record"):
        if wrong := claim.compare(read_measured(), other_seeds=bool(config.getoption("--shift"))):
            pytest.fail("\n".join([*wrong, "`make claims` computes the file afresh"]), False)
        return result
    others = {key: entry for key, entry in read_measured().items() if entry["test"] != claim.test}
    write_measured(others | claim.entries)
    done = config.cache.get(JOURNAL, {})
    config.cache.set(JOURNAL, done | {claim.test: code_hash(pyfuncitem.path)})
    return result


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """End a recording that ran to its end: the next one computes everything afresh."""
    config = session.config
    selected = config.stash.get(SELECTED, {})
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and selected:
        exitstatus = session.exitstatus = pytest.ExitCode.OK  # killed after its last test
    if selected and exitstatus == pytest.ExitCode.OK:
        done = config.cache.get(JOURNAL, {})
        config.cache.set(JOURNAL, {test: code for test, code in done.items() if test not in selected})
        declared = {key for entry in read_register()["claims"] for key in entry.get("quantities", ())}
        write_measured({key: entry for key, entry in read_measured().items() if key in declared})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    if exitstatus != pytest.ExitCode.USAGE_ERROR and (stale := outdated()):
        terminalreporter.section("recorded numbers that are out of date")
        for key, test in sorted(stale.items()):
            terminalreporter.line(f"{key}  ({test})")
        terminalreporter.line("Their code has changed since. `make claims` computes them afresh.")


@pytest.fixture
def claim(request: pytest.FixtureRequest) -> Claim:
    """The comparisons of a claim test."""
    if CLAIM not in request.node.stash:
        pytest.fail(f"{request.node.nodeid} is not named in book/claims.yml", False)
    return request.node.stash[CLAIM]


@pytest.fixture
def record(claim: Claim) -> Callable[..., None]:
    """Keep a number for ``book/data/measured.json``, see `Claim.record`."""
    return claim.record
