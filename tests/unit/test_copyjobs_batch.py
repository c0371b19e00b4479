"""Batch files: variables, branches, loops, subroutines, drives and folders, and the limits on all of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.analysis.copying.batchparse import parse_batch
from auditor.analysis.copying.copylines import CommandReader
from tests.unit.copy_cases import ends, script


def batch(*lines: str, **scripts: str) -> list[tuple[str, str]]:
    return script("batch", "\r\n".join(lines), **scripts)


def targets(*lines: str) -> list[str]:
    return [destination for _, destination in batch(*lines)]


def test_variables_hold_for_the_lines_below() -> None:
    assert batch("set SRC=172.20.4.9", r"set FROM=\\%SRC%\g$\db", "set tag=day", "set tag=min", r"robocopy %FROM% E:\bk\%TAG%") == [
        (r"\\172.20.4.9\g$\db", r"local:E:\bk\min")
    ]


def test_quotes_and_parts_of_values() -> None:
    assert targets(r'set "D=\\b1\c d"', r'copy a "%D%\e"') == [r"\\b1\c d\e"]
    assert targets("set H=XXsrv7YY", r"copy a \\%H:~2,4%\c") == [r"\\srv7\c"]
    assert targets("set H=old7", r"copy a \\%H:OLD=new%\c") == [r"\\new7\c"]


def test_a_block_sees_percent_values_from_before_it() -> None:
    lines = ["setlocal enabledelayedexpansion", r"set T=\\first\x", "if 1==1 (", r"  set T=\\second\x", "  copy a %T%", "  copy b !T!", ")"]
    assert batch(*lines) == [("local:a", r"\\first\x"), ("local:b", r"\\second\x")]


def test_a_condition_that_the_text_decides_is_followed() -> None:
    assert targets("set M=fast", "if /i %M%==FAST (copy a \\\\b1\\c) else copy a \\\\b2\\c") == [r"\\b1\c"]
    assert targets("set N=5", "if %N% gtr 3 copy a \\\\b1\\c", "if %N% lss 3 copy a \\\\b2\\c", "if not %N% equ 4 copy a \\\\b3\\c") == [
        r"\\b1\c",
        r"\\b3\c",
    ]


def test_any_other_condition_is_taken_both_ways() -> None:
    assert targets("if exist D: (set T=\\\\b1\\c) else (set T=\\\\b2\\c)", "copy a %T%") == [r"\\b1\c", r"\\b2\c"]
    assert targets("if errorlevel 1 goto bad", "copy a \\\\b1\\c", "goto :eof", ":bad", "copy a \\\\b2\\c") == [r"\\b1\c", r"\\b2\c"]


def test_a_value_that_only_one_way_sets_is_also_unknown() -> None:
    assert targets("if exist D: set T=\\\\b1\\c", "copy a %T%") == [r"\\b1\c", "?%t%"]


def test_loops_over_lists_and_texts() -> None:
    assert targets('for %%s in (A1, B1 "C1") do copy a \\\\%%~s\\x') == [rf"\\{h}\x" for h in ("A1", "B1", "C1")]
    assert targets('for /f "tokens=1,3 delims=;" %%a in ("h1;x;s1") do copy a \\\\%%a\\%%b') == [r"\\h1\s1"]
    assert targets("for /l %%n in (1,1,3) do copy a \\\\node%%n\\x") == [rf"\\node{n}\x" for n in (1, 2, 3)]
    assert targets("for /f %%s in (servers.txt) do copy a \\\\%%s\\x")[0].startswith("?")
    assert batch(r"for %%f in (\\b1\c\*.dll) do copy %%f D:\%%~nxf") == [(r"\\b1\c\*.dll", r"local:D:\*.dll")]
    assert batch(r"for /f %%f in ('dir /b \\b1\c\*.bak') do copy \\b1\c\%%f D:") == [(r"\\b1\c\*.bak", "local:D:")]
    assert targets("for /f %%h in ('hostname') do copy a \\\\%%h\\x") == ["local:x"]


def test_subroutines_have_their_own_arguments() -> None:
    lines = ["call :send S1 D:\\a", 'call :send S2 "D:\\b c"', "exit /b", ":send", "robocopy %2 \\\\%1\\in", "goto :eof"]
    assert batch(*lines) == [(r"local:D:\a", r"\\S1\in"), (r"local:D:\b c", r"\\S2\in")]


def test_shift_goes_through_the_arguments() -> None:
    inner = ':next\r\nif "%1"=="" goto :eof\r\ncopy a \\\\%1\\x\r\nshift\r\ngoto next\r\n'
    assert batch("call each.cmd A1 B1 C1", **{r"C:\t\each.cmd": inner}) == [("local:a", rf"\\{h}\x") for h in ("A1", "B1", "C1")]


def test_setlocal_ends_with_the_script() -> None:
    inner = "setlocal\r\nset T=\\\\in\\x\r\ncopy a %T%\r\n"
    assert batch("set T=\\\\out\\x", "call i.bat", "copy b %T%", **{"i.bat": inner}) == [("local:a", r"\\in\x"), ("local:b", r"\\out\x")]


def test_a_script_without_call_does_not_come_back() -> None:
    assert batch("i.bat", "copy b \\\\b2\\c", **{"i.bat": "copy a \\\\b1\\c"}) == [("local:a", r"\\b1\c")]


def test_folders_drives_and_own_place() -> None:
    assert batch(r"pushd \\b1\c\d", "copy e.txt ..\\f.txt", "popd", "copy e.txt f.txt") == [
        (r"\\b1\c\d\e.txt", r"\\b1\c\f.txt"),
        ("local:e.txt", "local:f.txt"),
    ]
    assert batch(r"net use w: \\b1\c", "w:", "copy e.txt C:\\") == [(r"\\b1\c\e.txt", "local:C:\\")]
    assert batch(r"if not exist Q: net use Q: \\b1\c", r"copy Q:\e.txt .") == [(r"\\b1\c\e.txt", "local:.")]
    jobs = CommandReader().read_script("batch", 'copy "%~dp0tool.exe" D:\\', r"\\b1\scripts\x\go.bat")
    assert ends(jobs) == [(r"\\b1\scripts\x\tool.exe", "local:D:\\")]


def test_arguments_of_a_script_that_nobody_calls_are_unknown() -> None:
    assert batch("robocopy %1 \\\\%2\\c") == [("?%1", r"?\\%2\c")]


def test_a_script_may_write_the_script_that_it_runs() -> None:
    lines = ["echo open ftp.example.com>s.txt", "echo put r.csv>>s.txt", "echo bye>>s.txt", "ftp -s:s.txt"]
    assert batch(*lines) == [("local:r.csv", r"\\ftp.example.com\r.csv")]


def test_a_block_may_print_the_script_that_is_run() -> None:
    block = ("echo bye > f.txt", "(", "echo open srvb", "echo user svc x", "echo get tool.exe", ") > f.txt", "ftp -n -s:f.txt")
    assert batch(*block) == [(r"\\srvb\tool.exe", "local:tool.exe")]
    assert batch(*block[:5], ") >> f.txt 2>nul", "ftp -n -s:f.txt") == [(r"\\srvb\tool.exe", "local:tool.exe")]
    assert batch("(echo open srvb", "echo get a.exe) > %TEMP%\\f.txt", "ftp -s:%TEMP%\\f.txt") == [(r"\\srvb\a.exe", "local:a.exe")]


def test_continued_lines_remarks_and_labels() -> None:
    assert batch("rem copy a \\\\b1\\c", ":: copy a \\\\b1\\c", "@xcopy a ^", "  \\\\b2\\c", "::") == [("local:a", r"\\b2\c")]


def test_the_line_of_a_copy_is_in_its_evidence() -> None:
    (job,) = CommandReader({"in.bat": "@echo off\n\ncopy a \\\\b1\\c"}).read_script("batch", "rem\ncall in.bat", "out.bat")
    assert [(s.record, s.field) for s in job.steps] == [("out.bat", "line 2"), ("in.bat", "line 3")]


@pytest.mark.parametrize(
    "text",
    [
        "set a=x\n" + "set a=%a%%a%\n" * 40 + "copy %a% \\\\b1\\c",
        ":l\nset a=%a%x\ngoto l",
        ":l\nset /a i+=1\nif not %i%==999999 goto l",
        "call a.bat\n" * 4,
        ":x\ncall :x\ncall :x\ncall :x",
        "for %%a in (1 2 3 4 5 6 7 8 9 10) do " * 8 + "copy \\\\%%a\\x y",
        "\n".join(f"if exist f{i} goto l{i % 50}\nset v{i}=%v{i - 1}%x" for i in range(2000))
        + "\n"
        + "\n".join(f":l{i}\ncopy a{i} \\\\s{i}\\x" for i in range(50)),
        "copy " + "a+" * 100_000 + "b \\\\b1\\c",
        "(" * 100_000,
        '"' * 100_000,
        "%" * 100_000,
        "a&" * 50_000,
        "\n".join(f"copy a{i} \\\\s{i}\\x" for i in range(5000)),
    ],
    ids=[
        "double",
        "grow",
        "count",
        "recursion",
        "labels",
        "nested",
        "forks",
        "joined",
        "parentheses",
        "quotes",
        "percents",
        "chain",
        "edges",
    ],
)
def test_nothing_runs_without_end(text: str) -> None:
    jobs = CommandReader({"a.bat": text}).read_script("batch", text, "a.bat")
    assert len(jobs) <= 1010


def test_over_the_cap_is_unresolved_with_the_reason() -> None:
    text = "set a=x\n" + "set a=%a%%a%\n" * 40 + "copy %a%\\y \\\\b1\\c\n" + "\n".join(f"copy a{i} \\\\s{i}\\x" for i in range(1200))
    jobs = CommandReader().read_script("batch", text, "a.bat")
    assert jobs[0].source.kind == "unresolved"
    assert jobs[-1].source.kind == jobs[-1].destination.kind == "unresolved"
    assert "1000" in jobs[-1].reason


@settings(max_examples=200)
@given(st.text(alphabet=st.sampled_from('copysetifrgdl \\"^&|()%!:=1a\n'), max_size=300))
def test_any_text_ends(text: str) -> None:
    parse_batch(text)
    script("batch", text)
