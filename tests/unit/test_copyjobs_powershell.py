"""PowerShell scripts: strings, lists, functions, splatting, sessions, remote blocks, and what can't be followed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.analysis.copying.copylines import CommandReader, parse_command
from auditor.analysis.copying.pslex import string_pieces, tokenize
from tests.unit.copy_cases import end, ends, line, script


def ps(*lines: str, **scripts: str) -> list[tuple[str, str]]:
    return script("powershell", "\n".join(lines), **scripts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"Copy-Item -Path C:\a.txt -Destination \\b1\c -Force", (r"local:C:\a.txt", r"\\b1\c")),
        (r"cp 'C:\a b.txt' \\b1\c", (r"local:C:\a b.txt", r"\\b1\c")),
        (r"Copy-Item \\b1\c$\x`y\* -Dest:D:\z -Rec -EA SilentlyContinue", (r"\\b1\c$\xy\*", r"local:D:\z")),
        ('Copy-Item "\\\\$env:COMPUTERNAME\\c$\\a" D:\\', (r"local:c$\a", "local:D:\\")),
        (r"$s = 'b1'; Copy-Item C:\a.txt \\$s\c$\d", (r"local:C:\a.txt", r"\\b1\c$\d")),
        (r'$s = "b1"; Copy-Item C:\a.txt "\\${s}\c`$\d"', (r"local:C:\a.txt", r"\\b1\c$\d")),
        (r"$d = Join-Path '\\b1\c' 'e'; Copy-Item C:\a.txt $d", (r"local:C:\a.txt", r"\\b1\c\e")),
        (r"Copy-Item C:\a.txt ('\\b1\' + 'c' + '\d')", (r"local:C:\a.txt", r"\\b1\c\d")),
        (r"Copy-Item C:\a.txt ('\\{0}\{1}' -f 'b1','c')", (r"local:C:\a.txt", r"\\b1\c")),
        (r"Copy-Item C:\a.txt ([IO.Path]::Combine('\\b1\c','d'))", (r"local:C:\a.txt", r"\\b1\c\d")),
        (r"Copy-Item C:\a.txt ('xx'.Replace('xx','\\b1\c'))", (r"local:C:\a.txt", r"\\b1\c")),
        (r"Copy-Item C:\a.txt ('\\old\c' -replace 'old','b1')", (r"local:C:\a.txt", r"\\b1\c")),
        ("Copy-Item `\n  -Path C:\\a.txt `\n  -Destination \\\\b1\\c", (r"local:C:\a.txt", r"\\b1\c")),
        ("$p = @{\n Path = 'C:\\a.txt'\n Destination = '\\\\b1\\c'; Force = $true }\nCopy-Item @p", (r"local:C:\a.txt", r"\\b1\c")),
        (r"gci C:\logs -Filter *.log | Move-Item -Destination \\b1\c", (r"local:C:\logs\*.log", r"\\b1\c")),
        (r"Get-ChildItem C:\l -Recurse | ? { $_.Length -gt 1 } | % { Copy-Item $_.FullName \\b1\c }", (r"local:C:\l\*", r"\\b1\c")),
        (r"robocopy C:\a \\b1\c /MIR", (r"local:C:\a", r"\\b1\c")),
        (r"& 'C:\w\robocopy.exe' @('C:\a','\\b1\c') /E", (r"local:C:\a", r"\\b1\c")),
        (r"Start-Process robocopy -ArgumentList 'C:\a','\\b1\c','/E' -Wait", (r"local:C:\a", r"\\b1\c")),
        (r"Invoke-Expression 'robocopy C:\a \\b1\c'", (r"local:C:\a", r"\\b1\c")),
        (r"cmd /c 'xcopy C:\a \\b1\c /e'", (r"local:C:\a", r"\\b1\c")),
        (r"New-PSDrive -Name Z -PSProvider FileSystem -Root \\b1\c; Copy-Item C:\a Z:\d", (r"local:C:\a", r"\\b1\c\d")),
        (r"New-PSDrive bk FileSystem \\b1\c; Copy-Item C:\a bk:\d", (r"local:C:\a", r"\\b1\c\d")),
        (r"net use Y: \\b1\c; Copy-Item C:\a Y:\d", (r"local:C:\a", r"\\b1\c\d")),
        (r"Set-Location \\b1\c; Copy-Item d.txt C:\a", (r"\\b1\c\d.txt", r"local:C:\a")),
        (r"$s = New-PSSession -ComputerName b1; Copy-Item C:\a D:\d -ToSession $s", (r"local:C:\a", r"\\b1\D:\d")),
        (r"Copy-Item C:\a D:\d -FromSession (New-PSSession b1)", (r"\\b1\C:\a", r"local:D:\d")),
        (r"Invoke-Command -ComputerName b1 -ScriptBlock { Copy-Item C:\a \\b2\c }", (r"\\b1\C:\a", r"\\b2\c")),
        (r"[System.IO.File]::Copy('C:\a','\\b1\c\a',$true)", (r"local:C:\a", r"\\b1\c\a")),
        (r"(New-Object Net.WebClient).DownloadFile('http://up.example.com/x','C:\x')", (r"\\up.example.com\x", r"local:C:\x")),
        (r"Start-BitsTransfer -Source \\b1\c\a.msi -Destination C:\t", (r"\\b1\c\a.msi", r"local:C:\t")),
        (r"Copy-Item C:\a \\$(hostname)\c", (r"local:C:\a", r"local:c")),
        (r"Copy-Item $src \\b1\c", (r"?$src", r"\\b1\c")),
        (r"foreach ($s in Get-Content list.txt) { Copy-Item C:\a \\$s\c }", (r"local:C:\a", r"?\\content of list.txt\c")),
    ],
)  # fmt: skip
def test_one_copy(text: str, expected: tuple[str, str]) -> None:
    assert ps(text) == [expected]


def test_lists_give_a_copy_each() -> None:
    expected = [("local:C:\\a", rf"\\{h}\c") for h in ("A1", "B1", "C1")]
    assert ps("$all = @('A1','B1')", "$all += 'C1'", "foreach ($h in $all) {", "  Copy-Item C:\\a \\\\$h\\c", "}") == expected
    assert ps("'A1','B1','C1' | ForEach-Object { Copy-Item C:\\a \\\\$_\\c }") == expected
    assert ps("foreach ($e in @{x='A1';y='B1';z='C1'}.GetEnumerator()) { Copy-Item C:\\a \\\\$($e.Value)\\c }") == expected


def test_branches_leave_both_values_but_never_mix_the_words_of_a_program() -> None:
    lines = ["if ($x) { $d = '\\\\b1\\c' } else { $d = '\\\\b2\\c' }", "robocopy C:\\a $d /MIR"]
    assert ps(*lines) == [(r"local:C:\a", r"\\b1\c"), (r"local:C:\a", r"\\b2\c")]
    assert ps("switch ($x) { 1 { $d='\\\\b1\\c' } default { $d='\\\\b2\\c' } }", "robocopy C:\\a $d") == [
        (r"local:C:\a", r"\\b1\c"),
        (r"local:C:\a", r"\\b2\c"),
    ]


def test_functions_bind_by_name_and_by_place() -> None:
    body = "function Send($from, [string]$to = '\\\\d1\\c') { robocopy $from $to }"
    assert ps(body, "Send C:\\a \\\\b1\\c", "Send -to \\\\b2\\c -from C:\\b", "Send C:\\d") == [
        (r"local:C:\a", r"\\b1\c"),
        (r"local:C:\b", r"\\b2\c"),
        (r"local:C:\d", r"\\d1\c"),
    ]


def test_a_script_binds_the_words_of_its_caller() -> None:
    scripts = {r"C:\s\x.ps1": "param([Parameter(Mandatory)]$Target, [switch]$Now, $From = 'C:\\f')\nCopy-Item $From $Target"}
    assert line(r"powershell.exe -NoProfile -EP Bypass -File C:\s\x.ps1 -Target \\b1\c -Now", scripts=scripts) == [
        (r"local:C:\f", r"\\b1\c")
    ]
    assert line(r'powershell -Command "& C:\s\x.ps1 -From C:\g \\b1\c"', scripts=scripts) == [(r"local:C:\g", r"\\b1\c")]
    assert line(r"powershell C:\s\x.ps1 \\b1\c", scripts=scripts) == [(r"local:C:\f", r"\\b1\c")]


def test_commands_in_several_wrappings() -> None:
    import base64

    inner = r"Copy-Item C:\a \\b1\c"
    encoded = base64.b64encode(inner.encode("utf-16-le")).decode()
    for text in (
        f'powershell -c "{inner}"',
        f'powershell -Command "& {{{inner}}}"',
        f"powershell.exe -enc {encoded}",
        f"pwsh -nop -command {inner}",
    ):
        assert line(text) == [(r"local:C:\a", r"\\b1\c")]


def test_the_scripts_own_folder() -> None:
    jobs = CommandReader().read_script(
        "powershell", 'Copy-Item "$PSScriptRoot\\a" D:\\\ncp (Split-Path $MyInvocation.MyCommand.Path) E:\\', r"\\b1\s\x.ps1"
    )
    assert ends(jobs) == [(r"\\b1\s\a", "local:D:\\"), (r"\\b1\s", "local:E:\\")]


def test_what_copies_nothing() -> None:
    assert (
        ps(
            "Copy-Item a \\\\b1\\c -WhatIf",
            "# Copy-Item a \\\\b1\\c",
            "<# cp a \\\\b1\\c #>",
            'Write-Host "Copy-Item a \\\\b1\\c"',
            "'cp a b'",
        )
        == []
    )


def test_properties_of_copies() -> None:
    jobs = CommandReader().read_script(
        "powershell", "Move-Item \\\\b1\\c\\*.csv D:\\\nCopy-Item C:\\d \\\\b1\\c -Recurse -Exclude *.exe\nCopy-Item C:\\d \\\\b1\\c"
    )
    assert [(j.tool, j.destructive, j.writes_executables) for j in jobs] == [
        ("Move-Item", True, False),
        ("Copy-Item", False, True),
        ("Copy-Item", False, None),
    ]
    assert [s.field for s in jobs[1].steps] == ["line 2"]


def test_tokens_know_strings_variables_and_partners() -> None:
    tokens = tokenize("cp '$no' \"$yes\" @'\n$here\n'@ # no\n{(x)}")
    assert [(t.kind, t.value) for t in tokens.items if t.kind in ("single", "double")] == [
        ("single", "$no"),
        ("double", "$yes"),
        ("single", "$here"),
    ]
    assert len(tokens.partner) == 2
    assert string_pieces(r"\\s\c$\$($a.b)`$x") == [("text", r"\\s\c$" + "\\"), ("code", "$a.b"), ("text", "$"), ("text", "x")]


@pytest.mark.parametrize(
    "text",
    ["(" * 50_000, "$(" * 50_000, '"$(' * 20_000, "{" * 50_000, "a|" * 30_000, "$a=" + "+".join(["'x'"] * 20_000), "if($a){" * 3000,
     "function f(){ f; f; f }\nf", "foreach($a in 1..9,2,3,4,5,6,7){" * 8 + "cp a \\\\$a\\b" + "}" * 8, "$a='x'\n" + "$a=\"$a$a\"\n" * 3000,
     "'" * 50_001, "@{a=1;b=" * 3000, "[a]" * 30_000, "$a" + ".b()" * 20_000, "iex 'iex ''iex a'''\n" * 3000],
)  # fmt: skip
def test_nothing_runs_without_end(text: str) -> None:
    assert len(CommandReader().read_script("powershell", text, "a.ps1")) <= 1010


@settings(max_examples=200)
@given(st.text(alphabet=st.sampled_from("cpif$ab(){}[]@'\"`|;,.-=+\\ \n1&#<>"), max_size=250))
def test_any_text_ends(text: str) -> None:
    for job in CommandReader().read_script("powershell", text):
        assert (job.source.host is not None) == (job.source.kind == "remote")


@given(st.text(max_size=80))
def test_a_quoted_text_reaches_the_end_unchanged(text: str) -> None:
    plain = "".join(c for c in text if c.isalnum() and c.isascii()) or "x"
    (job,) = parse_command(f"powershell -c \"Copy-Item C:\\{plain} '\\\\b1\\{plain}'\"")
    assert end(job.destination) == rf"\\b1\{plain}"
