"""VBScript: constants, concatenation, loops, subs, file objects, mapped drives and commands that it runs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.analysis.copying.copylines import CommandReader
from auditor.analysis.copying.vbscript import split_statements
from tests.unit.copy_cases import line, script


def vb(*lines: str) -> list[tuple[str, str]]:
    return script("vbscript", "\r\n".join(lines))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('fso.CopyFile "C:\\a.txt", "\\\\b1\\c\\", True', (r"local:C:\a.txt", r"\\b1\c")),
        ('Call fso.MoveFile("C:\\a.txt", "\\\\b1\\c\\")', (r"local:C:\a.txt", r"\\b1\c")),
        ('Const T = "\\\\b1\\c" : fso.CopyFolder "C:\\d", T & "\\e"', (r"local:C:\d", r"\\b1\c\e")),
        ('h = "b1" : fso.CopyFile "C:\\a", "\\\\" & h & "\\c$\\"', (r"local:C:\a", r"\\b1\c$")),
        ('fso.GetFile("C:\\a b.dll").Copy "\\\\b1\\c\\"', (r"local:C:\a b.dll", r"\\b1\c")),
        ('Set f = fso.GetFile("C:\\a.dll") : f.Copy "\\\\b1\\c\\"', (r"local:C:\a.dll", r"\\b1\c")),
        ('sh.Run "robocopy ""C:\\a b"" \\\\b1\\c /MIR", 0, True', (r"local:C:\a b", r"\\b1\c")),
        ('Set e = sh.Exec("cmd /c xcopy C:\\a \\\\b1\\c")', (r"local:C:\a", r"\\b1\c")),
        ('r = sh.Run("xcopy C:\\a " & _\r\n  "\\\\b1\\c", 0)', (r"local:C:\a", r"\\b1\c")),
        ('net.MapNetworkDrive "Z:", "\\\\b1\\c", False, "u", "p" : fso.CopyFile "Z:\\a", "C:\\b"', (r"\\b1\c\a", r"local:C:\b")),
        ('fso.CopyFile fso.BuildPath("\\\\b1\\c", "a"), "C:\\b"', (r"\\b1\c\a", r"local:C:\b")),
        ('fso.CopyFile "\\\\" & net.ComputerName & "\\c$\\a", "C:\\b"', (r"local:c$\a", r"local:C:\b")),
        ('fso.CopyFile src, "\\\\b1\\c"', ("?src", r"\\b1\c")),
    ],
)
def test_one_copy(text: str, expected: tuple[str, str]) -> None:
    assert vb(text) == [expected]


def test_loops_branches_and_subs() -> None:
    hosts = [("local:C:\\a", rf"\\{h}\c") for h in ("A1", "B1")]
    assert vb('For Each h In Array("A1","B1")', '  fso.CopyFile "C:\\a", "\\\\" & h & "\\c"', "Next") == hosts
    assert vb("If x Then", '  d = "\\\\A1\\c"', "Else", '  d = "\\\\B1\\c"', "End If", 'fso.CopyFile "C:\\a", d') == hosts
    assert vb("Sub Send(ByVal d)", '  fso.CopyFile "C:\\a", d', "End Sub", 'Send "\\\\A1\\c"', 'Call Send("\\\\B1\\c")') == hosts


def test_arguments_of_the_caller() -> None:
    scripts = {r"C:\s\x.vbs": "fso.CopyFile WScript.Arguments(0), WScript.Arguments.Item(1)"}
    assert line(r"cscript //nologo C:\s\x.vbs C:\a \\b1\c", scripts=scripts) == [(r"local:C:\a", r"\\b1\c")]


def test_remarks_and_colons_in_texts() -> None:
    assert split_statements("a = \"x:y'z\" : b = 1 ' c : d\nRem e : f\n") == [(1, 'a = "x:y\'z"'), (1, "b = 1")]
    assert vb('\' fso.CopyFile "a", "b"') == []


def test_tools_and_switches() -> None:
    (job,) = CommandReader().read_script("vbscript", 'fso.MoveFolder "C:\\a", "\\\\b1\\c"')
    assert (job.tool, job.destructive, job.writes_executables, job.steps[0].field) == ("MoveFolder", True, True, "line 1")


@pytest.mark.parametrize(
    "text",
    ["a=" + "(" * 50_000, 'a="x"\n' + "a=a&a\n" * 3000, "if x then\n" * 4000, "sub f()\nf\nf\nf\nend sub\nf", ":" * 100_000, "a." * 50_000],
)
def test_nothing_runs_without_end(text: str) -> None:
    assert len(CommandReader().read_script("vbscript", text)) <= 1010


@settings(max_examples=150)
@given(st.text(alphabet=st.sampled_from("sfo.CopyFile\"\\,&()=:\n 'ifthenelsdxt_"), max_size=250))
def test_any_text_ends(text: str) -> None:
    CommandReader().read_script("vbscript", text)
