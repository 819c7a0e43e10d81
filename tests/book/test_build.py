"""The build refuses to compute the book with another copy of the package."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.book.site import ROOT

sys.path.insert(0, str(ROOT / "book"))

import _build


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A folder with another copy of the package."""
    (tmp_path / "lattice").mkdir()
    (tmp_path / "lattice" / "__init__.py").touch()
    return tmp_path


@pytest.fixture
def kernel_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Let kernels find the package in the folder that this is called with."""

    def choose(folder: Path) -> None:
        spec = tmp_path / "kernels" / "python3" / "kernel.json"
        spec.parent.mkdir(parents=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        kernel = {"argv": argv, "display_name": "Python 3", "language": "python"}
        spec.write_text(json.dumps(kernel | {"env": {"PYTHONPATH": str(folder)}}), "utf-8")
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))

    return choose


def test_own_package_is_taken(kernel_of):
    kernel_of(ROOT)
    _build.own_package()


def test_package_from_elsewhere_is_refused(other, kernel_of, monkeypatch):
    """As in a checkout that was copied with its environment."""
    kernel_of(ROOT)
    monkeypatch.setattr(_build, "ROOT", other)
    with pytest.raises(SystemExit) as refusal:
        _build.own_package()
    assert f"Python finds `lattice` in {ROOT / 'lattice'}; allowed: {other / 'lattice'}" in str(refusal.value)


def test_kernel_with_another_package_is_refused(other, kernel_of):
    kernel_of(other)
    with pytest.raises(SystemExit) as refusal:
        _build.own_package()
    assert f"cells finds `lattice` in {other / 'lattice'}; allowed: {ROOT / 'lattice'}" in str(refusal.value)
