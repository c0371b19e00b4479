"""The fields of a debugger's analysis that are read, and how a value is told from what a person wrote beside it."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"\s*(?://|<[-=]|←|-->).*")

FIELDS = frozenset(
    {
        "BUGCHECK_STR", "BUGCHECK_CODE", "BUGCHECK_P1", "BUGCHECK_P2", "BUGCHECK_P3", "BUGCHECK_P4", "PROCESS_NAME",
        "MODULE_NAME", "IMAGE_NAME", "IMAGE_VERSION", "DEBUG_FLR_IMAGE_TIMESTAMP", "FAILURE_BUCKET_ID", "BUCKET_ID",
        "DEFAULT_BUCKET_ID", "PRIMARY_PROBLEM_CLASS", "SYMBOL_NAME", "FAULTING_IP", "FOLLOWUP_IP", "FAULTING_MODULE",
        "EXCEPTION_CODE", "EXCEPTION_CODE_STR", "ERROR_CODE", "READ_ADDRESS", "WRITE_ADDRESS", "TRAP_FRAME", "CONTEXT",
        "EXCEPTION_RECORD", "STACK_TEXT", "OSNAME", "OSPLATFORM_TYPE", "OS_VERSION", "BUILDOSVER_STR", "BUILD_VERSION_STRING",
        "OSBUILD", "OSSERVICEPACK", "SERVICEPACK_NUMBER", "PRODUCT_TYPE", "TARGET_TIME", "MEMORY_CORRUPTOR", "ANALYSIS_SOURCE",
        "CURRENT_IRQL", "STACK_COMMAND", "LAST_CONTROL_TRANSFER", "CHKIMG_EXTENSION",
    }
)  # fmt: skip
SQUASHED = {name.replace("_", ""): name for name in FIELDS if "_" in name}
"""Names that lost their underscores."""
MAY_BE_EMPTY = ("STACK_TEXT", "FAULTING_IP", "FOLLOWUP_IP")
KEYS = {
    "Bugcheck.Code.KiBugCheckData": "Bugcheck.Code", "Bugcheck.Code.DumpHeader": "Bugcheck.Code",
    "Bugcheck.Code.TargetModel": "Bugcheck.Code", "Bugcheck.Code.LegacyAPI": "Bugcheck.Code", "Bugcheck.Code.Register": "Bugcheck.Code",
    "Failure.Bucket": "Failure.Bucket", "WER.OS.Version": "WER.OS.Version",
}  # fmt: skip
"""Keys of KEY_VALUES_STRING that are used."""


def without_colon(key: str, value: str) -> bool:
    """Whether a field's line may have lost its colon: one word behind the name, or what only this field has there."""
    if key in ("TRAP_FRAME", "CONTEXT", "EXCEPTION_RECORD"):
        return " -- (" in value
    if key in ("EXCEPTION_CODE", "ERROR_CODE"):
        return value.startswith("(NTSTATUS)")
    return " " not in value and (bool(value) or key in MAY_BE_EMPTY)


_NOT_PROSE = (
    "Some register",
    "Unable to",
    "Debugging Details",
    ".trap",
    ".cxr",
    "...",
    "Loaded symbol",
    "Mini Kernel",
    "Executable search",
)
"""Sentences of the debugger inside an analysis."""
_UNDERLINE = "-" * 18
"""What stands below `Debugging Details:`."""


def is_prose(line: str) -> bool:
    """Whether a person may have written this: two words, another alphabet, a rule of dashes; not `NAME: value`, nor the debugger's own."""
    if not line.isascii() or (line.startswith("----") and line != _UNDERLINE and not line.strip("- ")):
        return True
    if line.startswith("--- ") and line[4:5].isalpha():
        return True
    first, _, rest = line.partition(" ")
    if not rest or first[-1:] == ":" or first.isupper() or line.startswith(_NOT_PROSE):
        return False
    return any("a" <= character <= "z" for character in rest[:8]) and not first.startswith("---")


def uncomment(value: str) -> str:
    """A value without what a person wrote behind it: comments, arrows, text in another alphabet."""
    if "//" in value or "<" in value or "-->" in value or "←" in value:
        value = _COMMENT.sub("", value, count=1)
    if not value.isascii() and value[:1].isascii():
        value = value[: next(index for index, character in enumerate(value) if not character.isascii())]
    return value.strip(" \t\"'")
