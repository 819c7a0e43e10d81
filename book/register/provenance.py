"""Which code made a result: a fingerprint of a script, a test or a page, and of what it imports.

A stored result carries the fingerprint of the code that made it; when the two
no longer match, the result is out of date.  The imports are followed in the
source text, nothing is executed.  A page counts by its cells.  A package that only re-exports names is
looked through name by name, so that a change in a module which the script
never reaches does not outdate its results.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from book._cells import sources
from book._ext.teacher import teachers

__all__ = ["ROOT", "code_hash", "dependencies"]

ROOT = Path(__file__).resolve().parents[2]
SEARCHED = (ROOT, ROOT / "tests", ROOT / "book" / "data")
Chain = tuple[str, ...]  # lk.Chain.n is ("lk", "Chain", "n")


def code_hash(script: str | Path) -> str:
    """The fingerprint of a script and of the modules of this repository that it reaches.

    Comments, docstrings and blank lines do not count.

    Parameters
    ----------
    script : path
        A Python file or a page inside the repository.

    Returns
    -------
    str
        16 hexadecimal digits, the same on every machine and Python version.
    """
    digest = hashlib.sha256()
    for path in dependencies(script):
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0{_essence(path)}\0".encode())
    return digest.hexdigest()[:16]


def dependencies(script: str | Path) -> tuple[Path, ...]:
    """The script and every file of this repository that it imports, directly or not, sorted.

    Raises
    ------
    ValueError
        If the script does not lie inside the repository.
    """
    path = Path(script).resolve()
    if not path.is_relative_to(ROOT):
        raise ValueError(f"script = {str(script)!r}; allowed: a file inside {ROOT}")
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_imported(path))
    return tuple(sorted(found))


def _find(module: str) -> Path | None:
    """The file of a module of this repository, None for anybody else's."""
    for folder in SEARCHED:
        place = folder.joinpath(*module.split("."))
        for path in (place / "__init__.py", place.parent / f"{place.name}.py"):
            if path.is_file():
                return path
    return None


@cache
def _source(path: Path) -> str:
    """The code of a file; of a page that of its cells, those of the teacher's edition too."""
    text = path.read_text(encoding="utf-8")
    return "\n".join(sources(teachers(text))) if path.suffix == ".md" else text


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(_source(path), str(path))


@cache
def _essence(path: Path) -> str:
    """The source without comments, docstrings and blank lines.

    Text rather than a dump of the syntax tree: the latter changes from one Python to the next.
    """
    source = _source(path)
    lines = source.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(_parse(path)):
        if isinstance(node, owners) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            lines[docstring.lineno - 1 : docstring.end_lineno] = [""] * (
                docstring.end_lineno - docstring.lineno + 1
            )
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _chains(node: ast.AST) -> Iterator[Chain]:
    """Every name of a source with the attributes that are taken from it."""
    attributes: list[str] = []
    inner = node
    while isinstance(inner, ast.Attribute):
        attributes.append(inner.attr)
        inner = inner.value
    if isinstance(inner, ast.Name):
        yield (inner.id, *reversed(attributes))
        return
    for child in ast.iter_child_nodes(inner):
        yield from _chains(child)


def _bindings(path: Path) -> Iterator[tuple[str | None, Chain]]:
    """The imports of a file: the name bound (None for a star) and what it stands for.

    What it stands for is a module followed by the names to take from it.
    """
    package = _module_name(path) if path.name == "__init__.py" else _module_name(path).rpartition(".")[0]
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    yield alias.asname, (alias.name,)
                else:
                    yield alias.name.split(".")[0], (alias.name.split(".")[0],)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                if alias.name == "*":
                    yield None, (module,)
                else:
                    yield alias.asname or alias.name, (module, alias.name)


def _module_name(path: Path) -> str:
    """The dotted name of a file of this repository."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _imported(path: Path) -> frozenset[Path]:
    """The files that a file reaches in one step, packages that only re-export looked through."""
    chains: dict[str, set[Chain]] = {}
    for name, *attributes in _chains(_parse(path)):
        chains.setdefault(name, set()).add(tuple(attributes))
    found: set[Path] = set()
    for name, (module, *taken) in _bindings(path):
        for attributes in chains.get(name, {()}):
            found |= _resolve(module, (*taken, *attributes))
    return frozenset(found)


def _resolve(module: str, names: Chain) -> set[Path]:
    """The files behind `module.name…`; in doubt the whole package."""
    path = _find(module)
    if path is None:
        return set()
    if path.name != "__init__.py" or not names:
        return {path}
    first, rest = names[0], names[1:]
    for bound, (source, *taken) in _bindings(path):
        if source != module and (bound == first or (bound is None and first in _names(_find(source)))):
            return _resolve(source, (*taken, *(rest if bound else names)))
    if _find(f"{module}.{first}"):
        return _resolve(f"{module}.{first}", rest)
    return {path}


@cache
def _names(path: Path | None) -> frozenset[str]:
    """The names that a module of this repository defines or imports at its top."""
    if path is None:
        return frozenset()
    names = {name for name, _ in _bindings(path) if name}
    for node in _parse(path).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            names |= {target.id for target in ast.walk(node) if isinstance(target, ast.Name)}
    return frozenset(names)
