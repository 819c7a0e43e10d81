"""The shape of the package: how much code there is, and how it is cut, and what is said of it.

The code of the book is cut like that of the package.

What does not keep a rule is named here.  A name that is no longer needed fails the test, so the lists
can only shrink.
"""

import ast
import functools
import importlib
import inspect
import io
import pkgutil
import re
import shutil
import subprocess
import sys
import textwrap
import tokenize
import tomllib
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType

import lattice

PACKAGE = Path(lattice.__file__).parent
MOST_CODE = 7_000  # lines of all six parts
LONGEST_FILE = 500  # lines of all kinds
LONGEST_FUNCTION = 60  # lines of code

LONG_FILES: set[str] = set()
LONG_FUNCTIONS: set[str] = set()
UNDOCUMENTED: set[str] = set()

SILENT = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)
OWNERS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_lines(source):
    """Numbers of the lines of a source that hold code: no docstrings, comments or blanks."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SILENT:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, OWNERS) and ast.get_docstring(node, clean=False) is not None:
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


def long_functions(source, limit):
    """Names of the functions with more lines of code than that, inner functions counted in."""
    lines = code_lines(source)
    return {
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and len(lines & set(range(node.lineno, node.end_lineno + 1))) > limit
    }


SOURCES = {path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in PACKAGE.rglob("*.py")}


def test_the_package_is_small():
    assert 3_000 < sum(len(code_lines(source)) for source in SOURCES.values()) <= MOST_CODE


def test_files_and_functions_are_short():
    root = PACKAGE.parent
    book = {path.relative_to(root).as_posix(): path for path in (root / "book").rglob("*.py")}
    assert {"book/_build.py", "book/_ext/notebooks.py", "book/register/claim.py"} <= set(book)
    found = SOURCES | {file: path.read_text("utf-8") for file, path in book.items()}
    assert {file for file, source in found.items() if len(source.splitlines()) > LONGEST_FILE} == LONG_FILES
    long = {
        f"{file}: {name}"
        for file, source in found.items()
        for name in long_functions(source, LONGEST_FUNCTION)
    }
    assert long == LONG_FUNCTIONS


def test_what_counts_as_code():
    head = '"""Says.\n\nMore."""\n\n# why\n\n\n'
    source = head + 'def f(x):  # so\n    """Says."""\n    y = """a\n\n    b"""\n    return x\n'
    assert sorted(code_lines(source)) == [8, 10, 11, 12, 13]
    assert long_functions(source, 4) == {"f"}
    assert long_functions(source, 5) == set()


def test_every_marker_is_borne_by_a_test(pytestconfig):
    own = tomllib.loads((pytestconfig.rootpath / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]
    tests = "".join(path.read_text("utf-8") for path in (pytestconfig.rootpath / "tests").rglob("*.py"))
    for marker in own["ini_options"]["markers"]:
        name = marker.partition(":")[0]
        assert f"pytest.mark.{name}" in tests or f'add_marker("{name}")' in tests


# Who may import whom


def test_a_module_that_stands_on_two_storeys_is_noticed(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "lattice", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE.parent / "pyproject.toml", tmp_path)
    (tmp_path / "lattice" / "stray.py").write_text("from . import kinetic, micro\n")
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "lattice.stray" in done.stdout


# Names


@functools.cache
def modules():
    """All public modules by name."""
    names = [info.name for info in pkgutil.walk_packages(lattice.__path__, "lattice.")]
    public = ["lattice", *(name for name in names if "._" not in name)]
    return {name: importlib.import_module(name) for name in public}


def namesakes(found):
    """Modules with the name of something that they, or the package they are in, publish."""
    for name, module in found.items():
        parent, _, own = name.rpartition(".")
        for owner in (module, found.get(parent)):
            thing = owner and vars(owner).get(own) if own in getattr(owner, "__all__", ()) else None
            if thing is not None and not isinstance(thing, ModuleType):
                yield name


def test_no_module_bears_the_name_of_its_function():
    assert list(namesakes(modules())) == []
    module = ModuleType("lattice.walk")
    module.walk, module.__all__ = len, ["walk"]
    assert list(namesakes({"lattice.walk": module})) == ["lattice.walk"]
    package, inner = ModuleType("lattice"), ModuleType("lattice.walk")
    package.walk, package.__all__ = len, ["walk"]
    assert list(namesakes({"lattice": package, "lattice.walk": inner})) == ["lattice.walk"]


# What is said of them


def published(module):
    """The public functions and classes of a module."""
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isfunction(thing) or inspect.isclass(thing):
            yield name, thing


def sections(docstring):
    """The sections of a numpydoc docstring by title."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", inspect.cleandoc(docstring or ""), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def refuses(function):
    """Whether the code of a function raises, or has `_check` look at what it gets."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    checks = {name for name, thing in vars(inspect.getmodule(function)).items() if from_check(thing)}
    return any(
        isinstance(node, ast.Raise) or (isinstance(node, ast.Name) and node.id in checks)
        for node in ast.walk(tree)
    )


def from_check(thing):
    return inspect.isfunction(thing) and thing.__module__ == "lattice._check"


def silences(thing):
    """What a docstring does not say: which of parameters, returns and errors."""
    found = sections(thing.__doc__)
    listed = found.get("Parameters", "") + found.get("Attributes", "")
    entries = re.findall(r"^(\S.*?)(?: :|$)", listed, re.MULTILINE)
    described = {name.strip(" *`") for names in entries for name in names.split(",")}
    function = thing
    if inspect.isclass(thing):  # a dataclass checks after its own __init__
        function = vars(thing).get("__post_init__" if is_dataclass(thing) else "__init__")
    own = inspect.isfunction(function) or is_dataclass(thing)  # not what it has from its base
    parameters = inspect.signature(thing).parameters if own else ()
    missing = [name for name in parameters if name not in described and not name.startswith("_")]
    if inspect.isfunction(thing) and thing.__annotations__.get("return") not in (None, "None"):
        missing += [] if {"Returns", "Yields"} & set(found) else ["Returns"]
    if inspect.isfunction(function) and refuses(function) and "Raises" not in found:
        missing.append("Raises")
    return missing


def undocumented(found):
    for module in found.values():
        for _, thing in published(module):
            if missing := silences(thing):
                yield f"{thing.__module__}.{thing.__qualname__}", missing


def test_everything_public_says_what_it_takes_gives_and_refuses():
    silent = {name: missing for name, missing in undocumented(modules()) if name not in UNDOCUMENTED}
    assert silent == {}
    assert {name for name, _ in undocumented(modules())} == UNDOCUMENTED


def test_what_is_not_said_is_noticed():
    def half(x: float, y: float, *rest: float) -> float:
        """Half of a number.

        Parameters
        ----------
        x, *rest
            Numbers.
        """
        if x < 0:
            raise ValueError(x)
        return x / 2

    assert silences(half) == ["y", "Returns", "Raises"]
    half.__doc__ += "\n        Returns\n        -------\n        float\n"
    half.__doc__ += "\n        Raises\n        ------\n        ValueError\n"
    assert silences(half) == ["y"]
    assert silences(lattice.mean) == silences(lattice.Chain) == silences(lattice.Untrusted) == []
