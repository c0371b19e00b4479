"""`auditor matrix`: rules and product signatures listed, shown, checked, tested, written, and laid against a fleet and each other."""

from __future__ import annotations

from pathlib import Path

from auditor.cli.flags import Everywhere, everywhere_options
from auditor.cli.program import LazyGroup
from auditor.model.errors import UsageError
from auditor.model.rule import Matrix

_HERE = "auditor.cli.matrix_verbs"


def folders(every: Everywhere) -> list[Path]:
    """The shipped matrix, then those of `--matrix`. Raises UsageError for a folder that is none."""
    from auditor.model.places import shipped

    for folder in every.matrix:
        if not folder.is_dir():
            raise UsageError(f"--matrix {folder}: no such folder", next_step="Name a folder laid out as the shipped compat_matrix.")
    return [shipped("compat_matrix"), *every.matrix]


def load(every: Everywhere) -> Matrix:
    """The matrix that a run uses. Raises UsageError for an empty one, MatrixError with all problems for a broken one."""
    from auditor.matrix import load_matrix

    found = load_matrix(folders(every))
    if not found.rules:
        raise UsageError("the rule set is empty", next_step="Name a folder with rules by --matrix.")
    return found


matrix = LazyGroup(
    "matrix",
    verbs={
        "list": (_HERE, "List rules and product signatures."),
        "show": (_HERE, "Show one rule or signature."),
        "lint": (_HERE, "Check all files and say what is wrong with them."),
        "test": (_HERE, "Run the cases beside rules and signatures."),
        "new": ("auditor.cli.matrix_new", "Write a rule and its cases from questions, or from options."),
        "coverage": ("auditor.cli.matrix_coverage", "Show which rules could be decided on the fleet in the store, which not and why."),
        "grid": ("auditor.cli.matrix_grid", "Show products against Windows and against products: supported, unsupported, conflicts."),
    },
    params=everywhere_options(plain=True),
    help="List, show, lint, test and write rules and product signatures; see what they cover.",
    context_settings={"max_content_width": 120},
)
