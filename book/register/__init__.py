"""The claims register at work: what is claimed, what shows it, which numbers were measured by which code.

``form`` reads ``book/claims.yml``, ``measured`` reads and writes ``book/data/measured.json``, ``claim``
is what a claim test compares and records with, and ``provenance`` tells which code a script, a test or
a page stands on.  The tests, the pages and the build come here for it, so that a mistake stops each of
them with the same message.
"""

from .claim import Claim, differences
from .form import KINDS, REGISTER, VERDICTS, problems, read_register
from .measured import (
    MEASURED,
    agreement,
    errors,
    mismeasured,
    outdated,
    read_measured,
    values,
    write_measured,
)
from .provenance import ROOT, code_hash, dependencies

__all__ = [
    "KINDS",
    "MEASURED",
    "REGISTER",
    "ROOT",
    "VERDICTS",
    "Claim",
    "agreement",
    "code_hash",
    "dependencies",
    "differences",
    "errors",
    "mismeasured",
    "outdated",
    "problems",
    "read_measured",
    "read_register",
    "values",
    "write_measured",
]
