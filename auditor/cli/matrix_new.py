"""`auditor matrix new`: writes a rule and its cases from questions, or without questions from options, and tries them at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.matrix import folders, load
from auditor.cli.say import Outputs
from auditor.model.errors import MatrixError, UsageError
from auditor.model.grade import CONFIDENCES, SEVERITIES
from auditor.model.selector import Generation

if TYPE_CHECKING:
    from auditor.matrix.draft import Answers

_QUESTIONS = (
    ("id", "Id of the rule, words joined by hyphens"),
    ("title", "What is wrong, in one line"),
    ("product", "Id of the product"),
    ("mechanism", "Why it breaks"),
    ("effect", "What one sees"),
    ("resolution", "What to do"),
)


@verb(
    "new",
    click.Option(["--into"], type=click.Path(path_type=Path), metavar="DIR", help="Matrix folder to write into; made where there is none."),
    click.Option(["--area"], default="own", show_default=True, help="Folder below rules/."),
    *(click.Option([f"--{name}"], metavar="TEXT", help=text + ".") for name, text in _QUESTIONS),
    click.Option(["--severity"], type=click.Choice(SEVERITIES), default="medium", show_default=True),
    click.Option(["--confidence"], type=click.Choice(CONFIDENCES), default="suspected", show_default=True),
    click.Option(["--version"], metavar="RANGE", help="Versions of the product, as vers:windows/>=9.0|<10.0."),
    click.Option(["--beside"], metavar="ID", help="Another product that must be there too."),
    click.Option(["--on"], type=click.Choice(get_args(Generation)), multiple=True, help="Only on this Windows; may be repeated."),
    click.Option(["--reference"], multiple=True, metavar="URL", help="A source; may be repeated."),
    flag("--no-questions", is_flag=True, help="Never ask: what is not given is wrong usage."),
)
def new(every: Everywhere, into: Path | None, area: str, no_questions: bool, **given: Any) -> int:
    """Write a rule and its cases: violated, satisfied, undetermined. Asks for what no option gives, where there is someone to ask."""
    from auditor.matrix.draft import draft_cases, draft_rule

    outputs = Outputs.plan(every, ("table",))
    matrix = load(every)
    ask = not no_questions and sys.stdin.isatty()
    folder = into or (every.matrix[0] if every.matrix else None) or _asked("into", "Folder to write into", ask)
    answers = _answers(given, ask)
    known = {signature.id for signature in matrix.signatures}
    for id_ in filter(None, (answers.product, answers.beside)):
        if id_ not in known:
            raise UsageError(f"unknown product {id_!r}", next_step="`auditor matrix list --products` shows all.")
    if any(rule.id == answers.id for rule in matrix.rules):
        raise UsageError(f"a rule {answers.id!r} is there already", next_step="Choose another --id.")
    try:
        cases = draft_cases(answers, matrix)
    except ValueError as error:
        raise UsageError(f"--version: {error}") from error
    target = _target(Path(folder), area, answers.id)
    failed = _write_and_try(every, Path(folder), {target: draft_rule(answers), target.with_name(f"{answers.id}.cases.yml"): cases})
    outputs.emit({"table": lambda: f"{target}\n" + "".join(f"{line}\n" for line in failed)})
    return 1 if failed else 0


def _asked(name: str, question: str, ask: bool) -> str:
    if not ask:
        raise UsageError(f"--{name} is needed", next_step=f"{question}.")
    return str(click.prompt(question, err=True))


def _answers(given: dict[str, Any], ask: bool) -> Answers:
    import msgspec

    from auditor.matrix.draft import Answers

    words = {name: given[name] or _asked(name, question, ask) for name, question in _QUESTIONS}
    references = tuple(given["reference"]) or (_asked("reference", "Address of a source", ask),)
    more = {name: given[name] for name in ("severity", "confidence", "version", "beside")}
    return msgspec.convert({**words, **more, "generations": given["on"], "references": references}, Answers)


def _target(folder: Path, area: str, id_: str) -> Path:
    """Where the rule goes. Raises UsageError for words that are no plain names, and for a file that is there."""
    for word, name in ((area, "--area"), (id_, "--id")):
        if not word or not all(part.isalnum() and part.isascii() and part == part.lower() for part in word.split("-")):
            raise UsageError(f"{name} {word!r}: expected words of lower-case letters and digits joined by hyphens")
    target = folder / "rules" / area / f"{id_}.yml"
    if target.exists():
        raise UsageError(f"{target} is there already", next_step="Choose another --id.")
    return target


def _write_and_try(every: Everywhere, folder: Path, texts: dict[Path, str]) -> list[str]:
    """Writes the files and runs the cases: what came out otherwise. A rule that does not load is taken back, and the error raised."""
    from auditor.cli.say import write_whole
    from auditor.matrix import load_matrix, run_cases

    id_ = next(iter(texts)).stem
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    own = [folder] if folder.resolve() not in {known.resolve() for known in folders(every)} else []
    try:
        results = run_cases([folder], load_matrix([*folders(every), *own]))
    except MatrixError:
        for path in texts:
            path.unlink(missing_ok=True)
        raise
    return [f"{r.file}:{r.line}: {r.case}: {r.message}" for r in results if r.subject == id_ and not r.passed]
