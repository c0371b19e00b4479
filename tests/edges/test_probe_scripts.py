"""The probe only reads: every script is walked as a tree, and what is not allowed by name is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from auditor.probes import framing
from auditor.probes.bundle import EXTRA_SECTIONS, SCRIPTED_SECTIONS, ProbeRequest, build_bundle
from tests.edges import probe_allowed as allowed

PROBES = Path(framing.__file__).parent
SCRIPTS = {path.name: path.read_text(encoding="ascii") for path in sorted(PROBES.rglob("*.ps1"))}
SCRIPTS["bootstrap"] = framing.BOOTSTRAP
OWN = {name for text in SCRIPTS.values() for name in re.findall(r"^\s*function ([\w-]+)", text, re.MULTILINE)}


def _tree(text: str) -> Node:
    return Parser(Language(tree_sitter_powershell.language())).parse(text.encode("utf-8")).root_node


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _text(node: Node) -> str:
    return " ".join((node.text or b"").decode("utf-8").split())


def _problems(script: str, text: str) -> list[str]:
    """Everything in a script that is not allowed, with its line."""
    found = []
    for node in _walk(_tree(text)):
        if node.is_error or node.is_missing:
            found.append((node, "syntax that the parser does not know"))
        elif node.type == "command":
            found += [(node, problem) for problem in _command_problems(script, node)]
        elif node.type in ("member_access", "invokation_expression"):
            found += [(node, problem) for problem in _member_problems(script, node)]
        elif node.type == "assignment_expression":
            found += [(node, problem) for problem in _assignment_problems(script, node)]
        elif node.type == "redirection":
            found.append((node, "redirection"))
    return [f"{script}:{node.start_point.row + 1}: {problem}: {_text(node)[:80]}" for node, problem in found]


def _command_problems(script: str, node: Node) -> Iterator[str]:
    head = node.children[0]
    if head.type != "command_name":
        if _text(node) not in allowed.COMPUTED.get(script, {}):
            yield "a call of something computed"
        return
    name = _text(head)
    if name not in OWN and name not in allowed.COMMANDS:
        yield f"command {name} is not allowed"
    if name == "New-Object":
        kind = _text(node).split()[1].strip("'\"")
        if kind not in allowed.NEW:
            yield f"New-Object {kind} is not allowed"


def _member_problems(script: str, node: Node) -> Iterator[str]:
    names = [child for child in node.children if child.type == "member_name"]
    name = _text(names[0]) if names else "(computed)"
    if any(child.type == "::" for child in node.children):
        kind = _text(node.children[0])
        if f"{kind}::{name}" not in allowed.STATIC and f"{kind}::*" not in allowed.STATIC:
            yield f"{kind}::{name} is not allowed"
    elif name not in allowed.MEMBERS and name not in allowed.MEMBERS_BY_SCRIPT.get(script, {}):
        yield f"member {name} is not allowed"
    elif name == "OpenSubKey" and "," in _text(node):
        yield "OpenSubKey with a second argument could ask for write access"


def _assignment_problems(script: str, node: Node) -> Iterator[str]:
    target = _text(node.children[0])
    if re.match(r"\$\{?(global|script|local|private|env|variable|function|alias|using|\w+):", target, re.IGNORECASE):
        yield "sets a variable of another scope or drive"
    if re.search(r"\]?\.\w+$", target) and target not in allowed.ASSIGNED.get(script, set()):
        yield "sets a property"


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_uses_only_what_is_allowed(script: str) -> None:
    assert _problems(script, SCRIPTS[script]) == []


def test_the_assembled_bundle_parses() -> None:
    assert [node for node in _walk(_tree(build_bundle(ProbeRequest()))) if node.is_error or node.is_missing] == []


def test_every_section_has_its_script_and_every_script_its_section() -> None:
    folders = {path.parent.name for path in PROBES.glob("*/*.ps1")} - {"reading"}
    assert folders == {*SCRIPTED_SECTIONS, *EXTRA_SECTIONS}


def test_every_word_of_the_allow_list_is_used() -> None:
    everything = "\n".join(SCRIPTS.values())
    unused = [name for name in [*allowed.COMMANDS, *allowed.NEW] if name not in everything]
    unused += [name for name in allowed.STATIC if name.removesuffix("*") not in everything]
    unused += [name for name in allowed.MEMBERS if not re.search(rf"\.{re.escape(name)}\b", everything)]
    for script, names in allowed.MEMBERS_BY_SCRIPT.items():
        unused += [f"{script} {name}" for name in names if f".{name}" not in SCRIPTS[script]]
    assert unused == []


def test_own_functions_hide_no_command_of_windows() -> None:
    """A function of the name of a real command would make the list of commands say nothing."""
    assert OWN.isdisjoint({*allowed.COMMANDS, "Get-Process", "Get-Service", "Get-FileHash", "Get-Content", "Get-Item"})
    assert "Invoke-Expression" not in OWN


def test_sql_server_is_asked_one_select_and_nothing_else() -> None:
    text = SCRIPTS["jobs.ps1"]
    (query,) = re.findall(r"^\$query = '([^']*)'$", text, re.MULTILINE)
    assert query.startswith("SELECT ")
    assert not re.search(
        r";|--|/\*|\b(?:INTO|EXEC|UPDATE|INSERT|DELETE|MERGE|DROP|ALTER|CREATE|OPENROWSET|OPENQUERY|xp_\w+|sp_\w+)\b", query, re.IGNORECASE
    )
    assert re.findall(r"CommandText = (.*)", text) == ["$query"]
    assert "Integrated Security=SSPI" in text
    assert "'lpc:." in text


def test_only_listed_wmi_classes_are_asked_for() -> None:
    named = {name for text in SCRIPTS.values() for name in re.findall(r"\b(?:Win32|CIM|MSFT|StdReg)\w*", re.sub(r"(?m)^\s*#.*$", "", text))}
    assert named - {"CimInstance", "CimInstanceProperties"} - allowed.WMI_CLASSES - {"Win32", "Win32Exception"} == set()


def test_files_are_opened_in_one_place_to_read_only() -> None:
    opened = [line.strip() for text in SCRIPTS.values() for line in text.splitlines() if "IO.FileStream" in line]
    assert opened == [
        "return New-Object IO.FileStream ((Get-RealPath $path), [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]$share)"
    ]


def test_programs_are_started_in_one_place_with_fixed_names_and_arguments() -> None:
    lines = [line.strip() for text in SCRIPTS.values() for line in text.splitlines() if re.search(r"^\s*\$start\.|Process\]::Start", line)]
    assert lines == [
        "$start.FileName = Get-RealPath ((Get-WindowsFolder) + '\\System32\\' + $program)",
        "$start.Arguments = $arguments",
        "$start.UseShellExecute = $false",
        "$start.CreateNoWindow = $true",
        "$start.RedirectStandardOutput = $true",
        "$start.StandardOutputEncoding = Get-CodePage 'OEMCP'",
        "$process = [Diagnostics.Process]::Start($start)",
    ]
    calls = sorted(found for text in SCRIPTS.values() for found in re.findall(r"(?<!function )Read-Program.*", text))
    assert calls == ["Read-Program 'fltmc.exe' 'filters'", "Read-Program 'schtasks.exe' '/query /fo csv /v'"]


def test_one_method_of_wmi_is_called_in_one_place_and_only_reads() -> None:
    lines = [
        line.strip() for text in SCRIPTS.values() for line in text.splitlines() if re.search(r"Invoke-CimMethod|DefragAnalysis\(", line)
    ]
    assert [line.partition("return ")[2] for line in lines] == [
        "Invoke-CimMethod -InputObject $volume -MethodName 'DefragAnalysis' }",
        "$volume.DefragAnalysis()",
    ]


def test_assemblies_are_windows_own() -> None:
    loaded = {name for text in SCRIPTS.values() for name in re.findall(r"LoadWithPartialName\((.*?)\)", text)}
    assert loaded == {"'System.ServiceProcess'", "'System.Core'", "'System.Data'"}


@pytest.mark.parametrize(
    "bad",
    [
        "Remove-Item C:\\x",
        "rm C:\\x",
        "& $command",
        ". { Set-Content x }",
        "cmd /c del x",
        "C:\\windows\\system32\\sc.exe stop x",
        "Get-WmiObject Win32_Service | ForEach-Object { $_.StopService() }",
        "[IO.File]::Delete('C:\\x')",
        "[IO.File]::WriteAllText('C:\\x', 'y')",
        "[IO.FileMode]::Create",
        "$key = $base.OpenSubKey('SOFTWARE', $true)",
        "$key.SetValue('a', 1)",
        "$key.DeleteSubKeyTree('a')",
        "$service.Start()",
        "$env:PATH = 'x'",
        "$global:ErrorActionPreference = 'Stop'",
        "$file.Attributes = 'Hidden'",
        "'x' > C:\\x.txt",
        "New-Object IO.StreamWriter 'C:\\x'",
        "New-Object -ComObject Shell.Application",
        "[Activator]::CreateInstance([Type]::GetTypeFromProgID('Shell.Application'))",
        "Invoke-Expression $text",
        "$ExecutionContext.InvokeCommand.InvokeScript('x')",
        "$x.$member('a')",
        'if ($a) { "text $(Stop-Service x)" }',
        "foreach ($a in $b) { try { Restart-Computer } catch { } }",
        "function Get-Thing { Format-Volume C }",
        "if (",
    ],
)
def test_the_walk_would_catch_a_script_that_changes_something(bad: str) -> None:
    assert _problems("shares.ps1", bad)
