"""Contract tests of the house: what a reviewer should not have to look for."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "auditor"
SOURCES = sorted(p for p in PACKAGE.rglob("*.py"))
TESTS = sorted(p for p in (ROOT / "tests").rglob("*.py"))
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler", "handlers"}
LONGEST_FILE = 400
LONGEST_FUNCTION = 45


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str) and len(body) > 1:
        first = body[1]
    return (body[-1].end_lineno or 0) - first.lineno + 1


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=_name)
def test_a_file_has_one_subject_and_says_which(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE, "split it"
    assert path.stem not in BANNED_NAMES
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "a module docstring says what it owns"


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_functions_are_short(path: Path) -> None:
    long = [f.name for f in _functions(ast.parse(path.read_text(encoding="utf-8"))) if _body_lines(f) > LONGEST_FUNCTION]
    assert long == []


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_no_state_at_module_level(path: Path) -> None:
    """Constants are written in capitals; anything else that can change at module level is state."""
    loose = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Global):
            loose.append("global")
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        value = getattr(node, "value", None)
        if isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
            loose += [t.id for t in targets if isinstance(t, ast.Name) and not t.id.strip("_").isupper() and t.id != "__all__"]
    assert loose == []


@pytest.mark.parametrize("path", [p for p in SOURCES if "cli" not in p.parts], ids=_name)
def test_only_the_cli_prints_and_exits(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    names = {n.func.id for n in calls if isinstance(n.func, ast.Name)}
    members = {
        f"{n.func.value.id}.{n.func.attr}" for n in calls if isinstance(n.func, ast.Attribute) and isinstance(n.func.value, ast.Name)
    }
    assert not names & {"print", "exit", "eval", "exec"}
    assert not members & {"sys.exit", "os._exit"}


def test_tabulate_is_called_in_one_place() -> None:
    """`tabulate` rewrites version numbers unless told not to: one wrapper tells it."""
    callers = [_name(p) for p in SOURCES if re.search(r"^\s*(from|import) tabulate", p.read_text(encoding="utf-8"), re.MULTILINE)]
    assert len(callers) <= 1


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "unit").rglob("*.py")), ids=_name)
def test_unit_tests_need_no_mocks(path: Path) -> None:
    """Logic that needs a mock has I/O in it."""
    assert not re.search(r"\b(mock|monkeypatch|patch\()", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_nothing_is_left_for_later(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    marks = "|".join(["TO" + "DO", "FIX" + "ME", "raise NotImplemented" + "Error"])
    assert not re.search(rf"\b({marks})\b", text)


def test_every_module_imports_alone() -> None:
    """A module that only imports after another one has a cycle kept alive by order."""
    names = [p.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__") for p in SOURCES]
    script = (
        "import importlib, os, sys\n"
        "bad = []\n"
        "for name in sys.argv[1:]:\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        try:\n"
        "            importlib.import_module(name)\n"
        "        except BaseException as error:\n"
        "            sys.stderr.write(f'{name}: {error!r}\\n'); os._exit(1)\n"
        "        os._exit(0)\n"
        "    if os.waitpid(pid, 0)[1]:\n"
        "        bad.append(name)\n"
        "sys.exit(bool(bad))\n"
    )
    modules = [n for n in names if not n.endswith("__main__")]
    done = subprocess.run([sys.executable, "-c", script, *modules], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_floors_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")) + sorted(ROOT.glob("*.md")), ids=_name)
def test_links_in_the_documentation_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not link.startswith(("http://", "https://", "mailto:")):
            assert (path.parent / link).exists(), link


def test_no_path_of_a_developers_machine_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=False, cwd=ROOT)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: the list of committed files is not known")
    pattern = re.compile(r"(^|[\s\"'=:(])/(work|root|home/[a-z]+)/")
    found = []
    for name in listed.stdout.split("\0"):
        file = ROOT / name
        if name and file.suffix in {".py", ".md", ".yml", ".toml", ".ps1", ".sh", ""} and file.is_file():
            text = file.read_text(encoding="utf-8", errors="replace")
            found += [f"{name}: {line.strip()[:80]}" for line in text.splitlines() if pattern.search(line) and "pattern = re" not in line]
    assert found == []
