"""JSON Schemas of rules, signatures and cases, for editors: generated from the types, kept beside the matrix.

`python -m auditor.matrix.schema` writes them anew; a test holds them against the types.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from auditor.matrix.cases import ProductCase, RuleCase
from auditor.model.places import shipped
from auditor.model.rule import Rule
from auditor.model.signature import Signature


def schemas() -> dict[str, str]:
    """File name to the text of each schema."""
    types = {"rule": Rule, "signature": Signature, "rule-cases": tuple[RuleCase, ...], "product-cases": tuple[ProductCase, ...]}
    return {f"{name}.schema.json": _text(name, type_) for name, type_ in types.items()}


def _text(name: str, type_: object) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **msgspec.json.schema(type_)}
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> None:
    """Write all schemas into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_schemas(shipped("compat_matrix") / "schema")
