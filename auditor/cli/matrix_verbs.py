"""The verbs below `auditor matrix`."""

from __future__ import annotations

import difflib
from typing import Any

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.matrix import folders, load
from auditor.cli.say import Outputs, width
from auditor.model.errors import UsageError
from auditor.model.rule import Matrix


@verb("list", click.Option(["--products"], is_flag=True, help="List product signatures instead of rules."))
def list_(every: Everywhere, products: bool) -> int:
    """List the rules (or with --products the signatures) that a run would use."""
    from auditor.report.grid import grid
    from auditor.report.json_ import json_text
    from auditor.report.text import safe_text

    outputs = Outputs.plan(every, ("table", "json"))
    found = load(every)
    rows: list[dict[str, Any]]
    if products:
        rows = [{"id": s.id, "name": s.name, "vendor": s.vendor, "kind": s.kind} for s in found.signatures]
    else:
        rows = [{"id": r.id, "severity": r.severity, "confidence": r.confidence, "title": r.title} for r in found.rules]
    cells = [[safe_text(str(value)) for value in row.values()] for row in rows]
    head = [name.capitalize() for name in rows[0]]
    name = "products" if products else "rules"
    document = {"schema_version": 1, "digest": found.digest, name: rows}
    outputs.emit({"table": lambda: grid(head, cells, width=width()) + "\n", "json": lambda: json_text(document)})
    outputs.say_files()
    return 0


@verb("show", click.Argument(["id_"], metavar="ID"))
def show(every: Everywhere, id_: str) -> int:
    """Show the rule or signature with this ID, as the auditor reads it."""
    from auditor.report.json_ import json_text

    outputs = Outputs.plan(every, ("yaml", "json"), default="yaml")
    found = named(load(every), id_)
    outputs.emit({"yaml": lambda: _yaml(found), "json": lambda: json_text(found)})
    outputs.say_files()
    return 0


def named(matrix: Matrix, id_: str) -> object:
    """The rule or signature with this id. Raises UsageError with the nearest ids."""
    known: dict[str, object] = {s.id: s for s in matrix.signatures} | {r.id: r for r in matrix.rules}
    if id_ in known:
        return known[id_]
    near = difflib.get_close_matches(id_, known, n=3) or [name for name in known if id_ in name][:3]
    raise UsageError(
        f"there is no rule or product {id_!r}", next_step=f"Near to it: {', '.join(near)}." if near else "`auditor matrix list` shows all."
    )


def _yaml(value: object) -> str:
    import msgspec
    import yaml

    from auditor.report.text import safe_text

    plain = _without_empty(msgspec.to_builtins(value))
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)
    return "".join(f"{safe_text(line)}\n" for line in str(text).splitlines())


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_empty(inner) for key, inner in value.items() if inner is not None and inner not in ((), [], {}, "")}
    return [_without_empty(inner) for inner in value] if isinstance(value, list | tuple) else value


@verb("lint")
def lint(every: Everywhere) -> int:
    """Check every rule, signature, table and case file; all that is wrong is printed as file:line:column: id: what was expected."""
    from auditor.matrix import run_cases
    from auditor.matrix.drift_files import load_baselines, load_drift, load_expected

    outputs = Outputs.plan(every, ("table",))
    found = load(every)
    cases = run_cases(folders(every), found)
    moving, roles = load_drift(folders(every)).rules, load_baselines(folders(every))
    load_expected(folders(every))
    text = f"{len(found.rules)} rules, {len(found.signatures)} products, {len(found.tables)} tables, {len(cases)} cases, "
    text += f"{len(moving)} rules of what moves by itself, {len(roles)} baselines: no error\n"
    outputs.emit({"table": lambda: text})
    return 0


@verb("test", flag("--rule", multiple=True, metavar="ID", help="Only the cases of this rule or product; may be repeated."))
def test(every: Everywhere, rule: tuple[str, ...]) -> int:
    """Run the cases beside rules and signatures. Exits with 1 where one comes out otherwise than it says."""
    from auditor.matrix import run_cases
    from auditor.report.json_ import json_text
    from auditor.report.text import safe_text

    outputs = Outputs.plan(every, ("table", "json"))
    found = load(every)
    for id_ in rule:
        named(found, id_)
    results = [result for result in run_cases(folders(every), found) if not rule or result.subject in rule]
    failed = [result for result in results if not result.passed]
    lines = [safe_text(f"{r.file}:{r.line}: {r.subject}: {r.case}: {r.message}") for r in failed]
    text = "\n".join([*lines, f"{len(results)} cases, {len(failed)} failed"]) + "\n"
    outputs.emit({"table": lambda: text, "json": lambda: json_text({"schema_version": 1, "cases": results})})
    outputs.say_files()
    return 1 if failed else 0
