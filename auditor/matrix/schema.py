"""JSON Schemas of rules, signatures, cases and the files behind drift, for editors: generated from the types, kept beside the matrix.

`python -m auditor.matrix.schema` writes them anew; a test holds them against the types.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from auditor.matrix.cases import ProductCase, RuleCase
from auditor.matrix.drift_files import ExpectedFile, SectionsFile, VolatileFile
from auditor.model.baseline import Baseline
from auditor.model.places import shipped
from auditor.model.rule import Rule
from auditor.model.signature import Signature
from auditor.model.support import SupportFile
from auditor.model.table import WrittenTable


def schemas() -> dict[str, str]:
    """File name to the text of each schema."""
    types: dict[str, object] = {
        "rule": Rule,
        "signature": Signature,
        "rule-cases": tuple[RuleCase, ...],
        "product-cases": tuple[ProductCase, ...],
        "supports": SupportFile,
        "table": WrittenTable,
        "baseline": Baseline,
        "drift-sections": SectionsFile,
        "drift-volatile": VolatileFile,
        "drift-expected": ExpectedFile,
    }
    return {f"{name}.schema.json": _text(name, type_) for name, type_ in types.items()}


def _text(name: str, type_: Any) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **msgspec.json.schema(type_)}
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> None:
    """Write all schemas into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_schemas(shipped("compat_matrix") / "schema")
