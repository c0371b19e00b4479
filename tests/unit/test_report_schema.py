"""The published schemas are those of the types, and what the auditor writes is valid by them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from auditor.report.schema import schemas

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "schema"


@pytest.mark.parametrize("name", sorted(schemas()))
def test_a_published_schema_is_up_to_date(name: str) -> None:
    """AUDITOR_UPDATE_GOLDEN=1 writes them anew."""
    text = schemas()[name]
    if os.environ.get("AUDITOR_UPDATE_GOLDEN"):
        (FOLDER / name).write_text(text, encoding="utf-8")
    assert (FOLDER / name).read_text(encoding="utf-8") == text


def test_the_golden_report_is_valid() -> None:
    schema = json.loads((FOLDER / "report.schema.json").read_text(encoding="utf-8"))
    report = json.loads((ROOT / "tests" / "golden" / "report.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(report)


@pytest.mark.parametrize("name", sorted(schemas()))
def test_a_schema_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schemas()[name]))
