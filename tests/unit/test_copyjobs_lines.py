"""Single command lines: tools, ends, switches, nesting, credentials, and what is no copy between servers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.copying.copylines import CommandReader, parse_command
from tests.unit.copy_cases import end, line, one


@pytest.mark.parametrize(
    ("text", "source", "destination", "tool", "destructive", "executables"),
    [
        (r'robocopy "\\alpha\in box\a" D:\out /mir', r"\\alpha\in box\a", r"local:D:\out", "robocopy", True, True),
        (r'robocopy "C:\dir\" "\\alpha\s\" *.bak *.trn', "local:C:\\dir\\", r"\\alpha\s", "robocopy", False, False),
        (r"robocopy a \\b\c$ /PURGE /XX", "local:a", r"\\b\c$", "robocopy", False, True),
        (r"robocopy a \\b\c /MOVE /XF *.exe *.dll *.sys", "local:a", r"\\b\c", "robocopy", True, False),
        (r"D:\tools\Robocopy.exe a \\10.1.2.3\c setup.msi", "local:a", r"\\10.1.2.3\c", "robocopy", False, True),
        (r"xcopy/e/y \\alpha\s\* .", r"\\alpha\s\*", "local:.", "xcopy", False, True),
        (r"xcopy \\alpha\s\readme.txt", r"\\alpha\s\readme.txt", "local:.", "xcopy", False, False),
        (r"copy /y C:\x\tool.ex_ \\b\c\tool.exe", r"local:C:\x\tool.ex_", r"\\b\c\tool.exe", "copy", False, False),
        (r"move \\alpha\s\a.dll E:\b", r"\\alpha\s\a.dll", r"local:E:\b", "move", True, True),
        (r"esentutl /y \\a1\s\big.edb /d D:\big.edb", r"\\a1\s\big.edb", r"local:D:\big.edb", "esentutl", False, False),
        (r"xxcopy \\nas7\a\ D:\a\ /CLONE", "\\\\nas7\\a", "local:D:\\a\\", "xcopy", True, True),
        (r"fastcopy /cmd=sync C:\a /to=\\b\c", r"local:C:\a", r"\\b\c", "fastcopy", True, True),
        (r"scp -P 22 -i key.pem C:\a.zip svc@nas7:/vol/x", r"local:C:\a.zip", r"\\nas7\/vol/x", "scp", False, False),
        (r"pscp -pw hunter2 -r root@box.example.com:/etc D:\etc", r"\\box.example.com\/etc", r"local:D:\etc", "pscp", False, True),
        (r"rsync -az --delete /cygdrive/d/data/ bk@nas7::mod/sub", "local:/cygdrive/d/data/", r"\\nas7\mod\sub", "rsync", True, True),
        (r"bitsadmin /transfer j /download /priority high http://dist.example.com/a.cab C:\a.cab", r"\\dist.example.com\a.cab",
         r"local:C:\a.cab", "bitsadmin", False, False),
        (r"curl -T C:\r.csv ftp://ftp.example.com/in/", r"local:C:\r.csv", r"\\ftp.example.com\in/", "curl", False, False),
        (r"wbadmin start backup -backupTarget:\\vault\bk -include:C: -quiet", "local:C:", r"\\vault\bk", "wbadmin", False, False),
        (r'ntbackup backup "C:\data" /J x /F "\\vault\bk\a.bkf"', r"local:C:\data", r"\\vault\bk\a.bkf", "ntbackup", False, False),
        (r"type C:\a.log >> \\b\c\all.log", r"local:C:\a.log", r"\\b\c\all.log", "type", False, None),
        (r"\\?\UNC\x", "", "", "", None, None),
    ],
)  # fmt: skip
def test_tools(text: str, source: str, destination: str, tool: str, destructive: bool | None, executables: bool | None) -> None:
    jobs = parse_command(text)
    if not tool:
        assert jobs == []
        return
    (job,) = jobs
    assert (end(job.source), end(job.destination)) == (source, destination)
    assert (job.tool, job.destructive, job.writes_executables) == (tool, destructive, executables)


@pytest.mark.parametrize(
    "text",
    [
        r"robocopy a \\b\c /L",
        r"xcopy a \\b\c /L",
        "rsync -avn a b::c",
        "dir \\\\a\\b",
        "defrag.exe c:",
        "echo copy a \\\\b\\c",
        "rem xcopy a \\\\b\\c",
        "",
        '"',
        "(((",
    ],
)
def test_what_copies_nothing(text: str) -> None:
    assert line(text) == []


@pytest.mark.parametrize(
    ("text", "source", "destination"),
    [
        (r"robocopy \\tsclient\C\in C:\in", r"local:C\in", r"local:C:\in"),
        (r"xcopy \\VBOXSVR\pub\* D:\in\ /E", r"local:pub\*", "local:D:\\in\\"),
        (r"copy \\localhost\c$\a.txt \\127.0.0.1\d$", r"local:c$\a.txt", "local:d$"),
        (r"copy \\\localhost\c$\a \\srv9\x", r"local:c$\a", r"\\srv9\x"),
        (r"copy \\%COMPUTERNAME%\c$\a D:\b", r"local:c$\a", r"local:D:\b"),
        (r"robocopy \\<SourceServer>\<Share> D:\b /E", r"?\\<SourceServer>\<Share>", r"local:D:\b"),
        (r"copy \\SERVERNAME\share\a.txt D:", r"?share\a.txt", "local:D:"),
        (r"copy \\source_IP\D$\a.txt D:", r"?D$\a.txt", "local:D:"),
        (r"copy \\192.168.x.x\d\a.txt D:", r"?d\a.txt", "local:D:"),
        (r"copy \\server\share\a.txt D:", r"?share\a.txt", "local:D:"),
        (r"copy \\server\Programs\a.txt D:", r"\\server\Programs\a.txt", "local:D:"),
        (r"copy %SystemRoot%\a.dll %TEMP%\b", r"local:%SystemRoot%\a.dll", r"local:%TEMP%\b"),
        (r"copy %SOURCE%\a.dll %DEST%\b", r"?%SOURCE%\a.dll", r"?%DEST%\b"),
        (r"copy \\%HOST%\c$\a D:\b", r"?\\%HOST%\c$\a", r"local:D:\b"),
        (r"copy \\alpha\%SHARE%\a D:\%DATE%", r"\\alpha\%SHARE%\a", r"local:D:\%DATE%"),
        (r"copy \\alpha\logs\%DATE%\a.log D:", r"\\alpha\logs\%DATE%\a.log", "local:D:"),
        (r"xcopy \\$pc\c$\a $dst\b", r"?c$\a", r"?$dst\b"),
        (r"copy \\RemoteServer\Backup\a D:", r"?Backup\a", "local:D:"),
        (r"copy \\path\to\a D:", r"?to\a", "local:D:"),
        (r"copy \\wsl$\Ubuntu\a D:\$Recycle.Bin", r"local:Ubuntu\a", r"local:D:\$Recycle.Bin"),
        (r"copy \\\\alpha\\s\\a D:", r"\\alpha\s\a", "local:D:"),
        (r"robocopy \\<DC ip or host>\sysvol <destination path>", r"?\\<DC ip or host>\sysvol", "?<destination path>"),
        (r"copy a.txt \\b1\c <in.txt> out.txt", "local:a.txt", r"\\b1\c"),
        (r"Copy-Item \\alpha\s\a.txt -Destination $dst", r"\\alpha\s\a.txt", "?$dst"),
        (r"copy \\host@SSL@8443\DavWWWRoot\a D:", r"\\host\DavWWWRoot\a", "local:D:"),
        (r"copy \\?\UNC\alpha\s\a \\?\C:\b", r"\\alpha\s\a", r"local:C:\b"),
    ],
)  # fmt: skip
def test_ends(text: str, source: str, destination: str) -> None:
    assert line(text) == [(source, destination)]


def test_an_end_that_is_not_known_says_why() -> None:
    job = one(r"copy \\%HOST%\c$\a %DEST%")
    assert "%HOST%" in job.reason
    assert (job.crosses, job.source.host, job.destination.host) == (False, None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'cmd /c "copy /y \\a1\b\c.exe d:\x && xcopy /e q \\w1\z"', [(r"\\a1\b\c.exe", r"local:d:\x"), ("local:q", r"\\w1\z")]),
        (r'start "title" /min /wait "C:\w s\robocopy.exe" a \\b1\c', [("local:a", r"\\b1\c")]),
        (r"start /min cmd.exe /c xcopy a \\b1\c", [("local:a", r"\\b1\c")]),
        (r"%comspec% /c xcopy a \\b1\c", [("local:a", r"\\b1\c")]),
        (r"cmd /s /v:on /c xcopy a \\b1\c", [("local:a", r"\\b1\c")]),
        (r"echo F | xcopy a \\b1\c", [("local:a", r"\\b1\c")]),
        (r"(xcopy a \\b1\c) & (copy d \\e1\f)", [("local:a", r"\\b1\c"), ("local:d", r"\\e1\f")]),
        (r"if exist \\b1\c (robocopy a \\b1\c) else robocopy a \\d1\e", [("local:a", r"\\b1\c"), ("local:a", r"\\d1\e")]),
        (r"net use Z: \\b1\c pw /user:x & copy z:\k.txt .", [(r"\\b1\c\k.txt", "local:.")]),
        (r"net use Z: \\b1\c & net use Z: /delete & copy z:\k.txt .", [(r"local:z:\k.txt", "local:.")]),
        (r"subst X: \\b1\c && copy x:\k.txt .", [(r"\\b1\c\k.txt", "local:.")]),
        (r"pushd \\b1\c\d && copy ..\k.txt C:\ && popd && copy k C:\ ", [(r"\\b1\c\k.txt", "local:C:\\"), ("local:k", "local:C:\\")]),
        (r"for %s in (A1 B1) do @copy x.exe \\%s\c$", [("local:x.exe", r"\\A1\c$"), ("local:x.exe", r"\\B1\c$")]),
        (r"for %%s in (A1,B1;C1) do @copy x.exe \\%%s\c$", [("local:x.exe", rf"\\{h}\c$") for h in ("A1", "B1", "C1")]),
        (r"copy a.txt+b.txt + c.txt \\b1\c", [(f"local:{x}.txt", r"\\b1\c") for x in "abc"]),
        (r'psexec \\h1,h2 -u x -p y cmd /c copy C:\a.txt \\b1\c', [(r"\\h1\C:\a.txt", r"\\b1\c"), (r"\\h2\C:\a.txt", r"\\b1\c")]),
        (r"cp \\h1\c\a D:\b", [(r"\\h1\c\a", r"local:D:\b")]),
        (r"gci \\h1\c | Copy-Item -Destination D:\b", [(r"\\h1\c\*", r"local:D:\b")]),
        (r"rsync -avz -e 'ssh -i key' u@h1x:/a/ /cygdrive/d/b", [(r"\\h1x\/a/", "local:/cygdrive/d/b")]),
        (r"robocopy \\h1.corp.example.\c D:\b", [(r"\\h1.corp.example\c", r"local:D:\b")]),
        (r"robocopy \\fe80--1s4.ipv6-literal.net\c D:\b", [(r"\\fe80::1\c", r"local:D:\b")]),
        (r"winrs -r:https://h1:5986 -u:x -p:y xcopy C:\a \\b1\c", [(r"\\h1\C:\a", r"\\b1\c")]),
        (r"psexec \\h1 -c tool.exe", [("local:tool.exe", r"\\h1\ADMIN$")]),
        (r'wmic /node:h1 process call create "cmd /c copy C:\a \\b1\c"', [(r"\\h1\C:\a", r"\\b1\c")]),
        (r'schtasks /create /tn x /tr "robocopy C:\a \\b1\c" /sc daily', [(r"local:C:\a", r"\\b1\c")]),
        (r"at \\h1 19:00 cmd /c copy \\b1\c\a C:\ ", [(r"\\b1\c\a", "\\\\h1\\C:\\")]),
        (r'schtasks /create /s h1 /tn x /tr "xcopy C:\a \\b1\c"', [(r"\\h1\C:\a", r"\\b1\c")]),
        (r"psexec @hosts.txt cmd /c copy \\b1\c\a C:\d", [(r"\\b1\c\a", r"?C:\d")]),
        (r"cwrsync -a /cygdrive/d/x rsync://h1/mod/sub", [("local:/cygdrive/d/x", r"\\h1\mod\sub")]),
        (r"curl -O https://x.example.com/a.exe", [(r"\\x.example.com\a.exe", "local:.")]),
        (r"at 19:00 /every:M,T robocopy C:\a \\b1\c", [(r"local:C:\a", r"\\b1\c")]),
        (r'forfiles /p D:\b /m *.bak /c "cmd /c copy @path \\b1\c"', [(r"local:D:\b\*.bak", r"\\b1\c")]),
        (r'runas /user:x /savecred "copy C:\a \\b1\c"', [(r"local:C:\a", r"\\b1\c")]),
        (r"""sqlcmd -S . -Q "BACKUP DATABASE [erp] TO DISK = N'\\b1\c\erp.bak'" """, [("?database:erp", r"\\b1\c\erp.bak")]),
        (r"mklink /D C:\far \\b1\c && copy C:\far\x.txt D:\ ", [(r"\\b1\c\x.txt", "local:D:\\")]),
        (r"copy \\a1\b\R^&D\x.txt C:\ ", [(r"\\a1\b\R&D\x.txt", "local:C:\\")]),
        (r'copy "\\a1\b\R&D\x.txt" C:\ 2>nul >>log.txt', [(r"\\a1\b\R&D\x.txt", "local:C:\\")]),
    ],
)  # fmt: skip
def test_lines_inside_lines(text: str, expected: list[tuple[str, str]]) -> None:
    found = line(text)
    assert [(s.replace("local:database:", "?database:"), d) for s, d in found] == expected


def test_run_hours() -> None:
    assert one(r"robocopy a \\b1\c /RH:2200-0200").hours == (0, 1, 22, 23)
    assert one(r"robocopy a \\b1\c /RH:0800-1730").hours == tuple(range(8, 18))
    assert one(r"robocopy a \\b1\c").hours is None


def test_credentials_of_the_line_are_gone() -> None:
    for text in (
        r"net use Z: \\b1\c Geheim-77 /user:d\u & copy Z:\a .",
        r"pscp -pw Geheim-77 a u@b1:/c",
        r"curl -T a ftp://u:Geheim-77@b1/c",
    ):
        for job in parse_command(text):
            assert "Geheim-77" not in repr(job)


def test_winscp_and_ftp_scripts() -> None:
    scripts = {
        r"C:\s\up.txt": "open ftp.example.com\nuser x y\nlcd C:\\out\ncd in\nput a.exe\nmget *.csv\nbye",
        r"C:\s\w.txt": 'open sftp://u:p@h9.example.com/\nlcd "D:\\x"\nput *.zip /in/\nsynchronize remote D:\\y /y -delete\n',
    }
    assert line(r"ftp -n -s:C:\s\up.txt", scripts=scripts) == [
        (r"local:C:\out\a.exe", r"\\ftp.example.com\in/a.exe"),
        (r"\\ftp.example.com\in/*.csv", r"local:C:\out\*.csv"),
    ]
    assert line(r"winscp.com /ini=nul /script=C:\s\w.txt", scripts=scripts) == [
        (r"local:D:\x\*.zip", r"\\h9.example.com\in/"),
        (r"local:D:\y", r"\\h9.example.com\y"),
    ]
    assert line(r"ftp -s:C:\s\none.txt b1") == [(r"?files in C:\s\none.txt", r"\\b1")]


def test_robocopy_job_files() -> None:
    job = ":: Robocopy Job\n/SD:\\\\a1\\b\\ :: Source\n/DD:D:\\in\\ :: Destination\n/IF\n\t*.bak :: Names\n/MIR :: Mirror\n"
    (found,) = parse_command(r"robocopy /job:night", scripts={r"C:\j\night.rcj": job})
    assert (end(found.source), end(found.destination)) == (r"\\a1\b", "local:D:\\in\\")
    assert (found.destructive, found.writes_executables) == (True, False)
    (missing,) = parse_command(r"robocopy /job:other")
    assert (missing.source.kind, missing.destination.kind, missing.destructive) == ("unresolved", "unresolved", None)


def test_scripts_with_arguments() -> None:
    scripts = {r"E:\t\mirror.bat": "@echo off\nset log=%~2\\%3.log\nrobocopy \\\\hub\\pub %1 %~4 /LOG:%log%\n"}
    (job,) = parse_command(r'start /min CMD /c E:\T\mirror.bat \\edge7\gis %logs% LA "/MIR /RH:1800-0600"', scripts=scripts)
    assert (end(job.source), end(job.destination), job.destructive) == (r"\\hub\pub", r"\\edge7\gis", True)
    assert job.hours == (0, 1, 2, 3, 4, 5, *range(18, 24))


def test_a_script_that_is_not_at_hand_is_unresolved_where_its_arguments_speak_of_a_copy() -> None:
    (job,) = parse_command(r'cmd /c E:\t\mirror.bat E:\x "/MIR /Z"')
    assert (job.source.kind, job.destination.kind, job.tool) == ("unresolved", "unresolved", "script")
    assert "mirror.bat" in job.reason
    assert parse_command(r"cmd /c E:\t\clean.bat") == []


@given(st.text(alphabet=st.sampled_from('copyrob \\"^&|<>()%!:/*=,;~$0aA\n'), max_size=200))
def test_any_line_gives_jobs(text: str) -> None:
    for job in parse_command(text):
        assert (job.source.host is not None) == (job.source.kind == "remote")
        assert (job.destination.host is not None) == (job.destination.kind == "remote")


@given(st.text(max_size=120))
def test_a_host_is_never_invented(text: str) -> None:
    for job in parse_command(f"copy {text} D:\\x"):
        for side in (job.source, job.destination):
            assert side.host is None or side.host.casefold() in text.casefold()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('cmd /c "for %i in (A1 B1) do copy \\\\%i\\x \\\\%i\\c$\\y"', ["\\\\A1\\c$\\y", "\\\\B1\\c$\\y"]),
        ("cmd /c for /l %n in (1,1,2) do copy c:\\x \\\\srv%n\\s", ["\\\\srv1\\s", "\\\\srv2\\s"]),
        ('cmd /v:on /c "set H=A1&& copy c:\\x \\\\!H!\\s"', ["\\\\A1\\s"]),
        ('cmd /c "set H=A1&& copy c:\\x \\\\!H!\\s"', ["?s"]),
        ("net use X: https://dav.acme.org/docs && copy c:\\x X:\\y", ["\\\\dav.acme.org\\docs\\y"]),
        ('[IO.File]::Copy("D:\\a", "\\\\A1\\s\\a", $true)', ["\\\\A1\\s\\a"]),
        ("tar -cf \\\\A1\\s\\a.tar c:\\data", ["\\\\A1\\s\\a.tar"]),
        ("tar xf \\\\A1\\s\\a.tar -C c:\\data", ["local:c:\\data"]),
        ("tar -tf \\\\A1\\s\\a.tar", []),
    ],
)
def test_loops_and_variables_of_one_line_and_rarer_tools(text: str, found: list[str]) -> None:
    assert [destination for _, destination in line(text)] == found


def test_a_script_that_is_named_as_a_tool_is_no_tool() -> None:
    for text in ("copy.cmd A1 B1", 'cmd /c ""C:\\jobs\\copy.bat" A1"', "call robocopy.cmd c:\\a c:\\b"):
        assert line(text) == []


def test_each_line_of_a_list_has_its_own_copies() -> None:
    same = "robocopy c:\\a \\\\A1\\b"
    assert [len(jobs) for jobs in CommandReader().read_lines([same, "dir", same])] == [1, 0, 1]


def test_an_ftp_script_that_is_not_at_hand_gives_no_host_for_its_files() -> None:
    (job,) = parse_command("ftp -s:c:\\x.ftp ftp.acme.org")
    assert (job.source.kind, job.source.path, job.destination.host) == ("unresolved", "files in c:\\x.ftp", "ftp.acme.org")
    assert job.reason == "the path starts with a value that is not known"
