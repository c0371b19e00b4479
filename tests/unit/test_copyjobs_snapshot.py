"""Copy jobs of a host: from its tasks over the scripts they call to the line that copies."""

from __future__ import annotations

from auditor.analysis.copying.copyjobs import copy_jobs, own_names
from auditor.model.host import (
    Adapter,
    JobRecord,
    MemoryRecord,
    NetworkRecord,
    ScriptRecord,
    Section,
    Sections,
    Snapshot,
    SystemRecord,
    TaskReading,
    TaskRecord,
)
from tests.unit.copy_cases import ends


def task(
    path: str, command: str, arguments: str = "", *, start: str = "2024-01-01T19:00:00", enabled: str = "true", folder: str = ""
) -> TaskRecord:
    text = (
        f"<Task><Triggers><CalendarTrigger><StartBoundary>{start}</StartBoundary><ScheduleByDay/></CalendarTrigger></Triggers>"
        f"<Settings><Enabled>{enabled}</Enabled></Settings><Actions><Exec><Command>{command}</Command><Arguments>{arguments}</Arguments>"
        f"<WorkingDirectory>{folder}</WorkingDirectory></Exec></Actions></Task>"
    )
    return TaskRecord(path=path, source_format="xml", text=text)


def snapshot(
    *tasks: TaskRecord,
    scripts: tuple[ScriptRecord, ...] = (),
    jobs: tuple[JobRecord, ...] = (),
    volumes: tuple[str, ...] = (),
    readings: tuple[TaskReading, ...] = (),
) -> Snapshot:
    network = NetworkRecord(computer_name="SRVX", host_name="srvx", domain="corp.example", adapters=(Adapter(addresses=("10.0.0.9",)),))
    sections = Sections(
        system=Section(status="ok", records=(SystemRecord(windows_directory="D:\\WINNT"),)),
        network=Section(status="ok", records=(network,)),
        memory=Section(status="ok", records=tuple(MemoryRecord(kind="volume", name=v, drive_type="fixed") for v in volumes)),
        tasks=Section(status="ok", records=tasks, readings=readings),
        scripts=Section(status="ok", records=scripts),
        jobs=Section(status="ok", records=jobs),
    )
    return Snapshot(host="x", collected_at="2026-01-01T00:00:00Z", collector="t", transport="t", sections=sections)


def test_the_chain_from_task_to_line() -> None:
    scripts = (
        ScriptRecord(path=r"D:\jobs\Night.cmd", called_by=("\\Night",), text="set S=\\\\SRVB\\data$\r\ncall each.bat %S% D:\\in\r\n"),
        ScriptRecord(path=r"D:\jobs\each.bat", called_by=(r"D:\jobs\Night.cmd",), text="@robocopy %1 %2 /MIR\r\n"),
    )
    (job,) = copy_jobs(snapshot(task("\\Night", r"d:\JOBS\night.cmd"), scripts=scripts))
    assert ends([job]) == [(r"\\SRVB\data$", r"local:D:\in")]
    assert (job.host, job.tool, job.destructive, job.writes_executables, job.hours, job.enabled) == (
        "x",
        "robocopy",
        True,
        True,
        (19,),
        True,
    )
    assert [(s.section, s.record, s.field) for s in job.steps] == [
        ("tasks", "\\Night", "actions"),
        ("scripts", r"D:\jobs\Night.cmd", "line 2"),
        ("scripts", r"D:\jobs\each.bat", "line 1"),
    ]


def test_a_disabled_task_copies_nothing_unless_asked_for() -> None:
    host = snapshot(task("\\Off", "xcopy", r"C:\a \\SRVB\c", enabled="false"))
    assert copy_jobs(host) == ()
    assert [j.enabled for j in copy_jobs(host, include_disabled=True)] == [False]


def test_the_machines_own_names_are_local() -> None:
    host = snapshot(
        *(task(f"\\{n}", "xcopy", rf"C:\a \\{n}\c$") for n in ("srvx", "SRVX.corp.example", "10.0.0.9", "%COMPUTERNAME%", "other"))
    )
    assert own_names(host) == {"srvx", "srvx.corp.example", "10.0.0.9"}
    assert [j.destination.kind for j in copy_jobs(host)] == ["local", "local", "local", "local", "remote"]


def test_variables_of_the_machine_lead_to_scripts() -> None:
    script = ScriptRecord(path=r"D:\WINNT\jobs\x.bat", text="copy a \\\\SRVB\\c")
    (job,) = copy_jobs(snapshot(task("\\T", r"%SystemRoot%\jobs\x.bat"), scripts=(script,)))
    assert job.destination.host == "SRVB"


def test_a_working_folder_finds_a_script_by_its_bare_name() -> None:
    scripts = (ScriptRecord(path=r"E:\a\run.cmd", text="copy a \\\\SRVA\\c"), ScriptRecord(path=r"E:\b\run.cmd", text="copy a \\\\SRVB\\c"))
    jobs = copy_jobs(snapshot(task("\\T", "run.cmd", folder=r"E:\b"), scripts=scripts))
    assert [j.destination.host for j in jobs if len(j.steps) == 2] == ["SRVB"]


def test_a_script_that_no_command_was_seen_to_call_is_read_with_unknown_arguments() -> None:
    script = ScriptRecord(path=r"C:\s\x.cmd", called_by=("\\T",), text="robocopy %1 \\\\SRVB\\c")
    (job,) = copy_jobs(snapshot(task("\\T", "strange.exe", r"-run C:\s\x.cmd"), scripts=(script,)))
    assert (job.source.kind, job.destination.host, job.steps[0].record) == ("unresolved", "SRVB", "\\T")


def test_scripts_of_disabled_tasks_are_left_out_too() -> None:
    script = ScriptRecord(path=r"C:\s\x.cmd", called_by=("\\T",), text="copy a \\\\SRVB\\c")
    assert copy_jobs(snapshot(task("\\T", r"C:\s\x.cmd", enabled="false"), scripts=(script,))) == ()


def test_an_unread_script_invents_nothing() -> None:
    assert copy_jobs(snapshot(task("\\T", r"C:\s\x.cmd"), scripts=(ScriptRecord(path=r"C:\s\x.cmd"),))) == ()


def test_links_of_one_script_hold_for_all() -> None:
    scripts = (
        ScriptRecord(path=r"C:\s\a.cmd", text="robocopy C:\\d E:\\far\\FS7"),
        ScriptRecord(path=r"E:\far\links.cmd", text="mklink /D FS7 \\\\FS7\\pub"),
    )
    jobs = copy_jobs(snapshot(task("\\A", r"C:\s\a.cmd"), task("\\L", r"E:\far\links.cmd"), scripts=scripts))
    assert ends(jobs) == [(r"local:C:\d", r"\\FS7\pub")]


def test_jobs_of_other_schedulers() -> None:
    jobs = (
        JobRecord(scheduler="sqlagent", name="ship", step="1", command=r"xcopy D:\bak \\SRVB\bak /e", enabled=True),
        JobRecord(scheduler="sqlagent", name="off", step="1", command=r"xcopy D:\bak \\SRVC\bak", enabled=False),
        JobRecord(scheduler="sqlagent", name="tsql", step="2", command=r"EXEC xp_cmdshell 'copy D:\a \\SRVD\b'"),
    )
    assert [(j.destination.host, j.steps[0].record) for j in copy_jobs(snapshot(jobs=jobs))] == [
        ("SRVB", "sqlagent\\ship"),
        ("SRVD", "sqlagent\\tsql"),
    ]


def test_steps_of_sql_agent_say_what_they_are() -> None:
    jobs = (
        JobRecord(
            scheduler="sql_agent X",
            name="a",
            step="1 CmdExec: ship",
            command="cd /d D:\\bak\r\nxcopy D:\\bak \\\\SRVB\\bak /e",
            enabled=True,
        ),
        JobRecord(scheduler="sql_agent X", name="b", step="2 PowerShell: ship", command="Copy-Item D:\\a -Destination \\\\SRVC\\b"),
        JobRecord(
            scheduler="sql_agent X", name="c", step="3 TSQL: ship", command="BACKUP DATABASE x TO DISK = '\\\\SRVD\\b\\x.bak'\r\ncopy a b"
        ),
        JobRecord(scheduler="sql_agent X", name="d", step="4 SSIS: ship", command="/FILE x.dtsx"),
    )
    assert [j.destination.host for j in copy_jobs(snapshot(jobs=jobs))] == ["SRVB", "SRVC", "SRVD"]


def test_one_script_can_not_hide_the_copies_of_the_others() -> None:
    bomb = ScriptRecord(path=r"C:\s\bomb.cmd", text="for %%a in (1 2 3 4 5 6 7 8 9 10) do " * 7 + "echo x")
    jobs = copy_jobs(snapshot(task("\\Bomb", r"C:\s\bomb.cmd"), task("\\Good", "xcopy", r"C:\a \\SRVB\c"), scripts=(bomb,)))
    assert any(j.destination.host == "SRVB" for j in jobs)
    assert any(j.source.kind == "unresolved" and "work" in j.reason for j in jobs)


def test_the_same_snapshot_gives_the_same_jobs() -> None:
    host = snapshot(task("\\T", "cmd", r"/c if exist a (copy a \\A1\b) else copy a \\B1\b"))
    assert copy_jobs(host) == copy_jobs(host)
    assert len(copy_jobs(host)) == 2


def test_a_script_of_the_same_name_elsewhere_is_not_the_one_that_is_called() -> None:
    other = ScriptRecord(path=r"D:\b\run.cmd", called_by=("\\Other",), text="copy a \\\\SRVB\\c")
    jobs = copy_jobs(snapshot(task("\\T", r"C:\a\run.cmd"), scripts=(other,)))
    assert [[s.record for s in j.steps] for j in jobs] == [["\\Other", r"D:\b\run.cmd"]]


def test_a_listed_program_whose_path_has_blanks() -> None:
    text = "HostName:      X\nTaskName:      \\T\nNext Run Time: N/A\nStatus:        Ready\nTask To Run:   C:\\two words\\go it.cmd SRVB\n"
    script = ScriptRecord(path=r"C:\two words\go it.cmd", text="copy a \\\\%1\\c")
    (job,) = copy_jobs(snapshot(TaskRecord(path="\\T", source_format="schtasks", text=text), scripts=(script,)))
    assert (job.destination.host, len(job.steps)) == ("SRVB", 2)


def test_a_letter_that_is_no_volume_was_mapped_by_somebody() -> None:
    tasks = (task("\\T", "xcopy", r"D:\a Q:\b"), task("\\M", "cmd", r"/c net use Q: \\SRVB\c &amp; xcopy D:\a Q:\b"))
    first, second = copy_jobs(snapshot(*tasks, volumes=("C:", "D:")))
    assert (first.source.kind, first.destination.kind, second.destination.host) == ("local", "unresolved", "SRVB")
    assert "Q:" in first.reason
    assert [j.destination.kind for j in copy_jobs(snapshot(tasks[0]))] == ["local"]


def test_a_letter_is_what_the_account_of_the_task_mapped_to_it() -> None:
    tasks = (task("\\Mine", "xcopy", r"D:\a Z:\in"), task("\\Others", "xcopy", r"D:\a Z:\in"), task("\\Away", "xcopy", r"D:\a Z:\in"))
    readings = (
        TaskReading(path="\\Mine", user_drives=(r"z: \\SRVB\data",)),
        TaskReading(path="\\Others", user_drives=(r"z: \\SRVC\data", "y: not a share")),
        TaskReading(path="\\Away", user_drives=()),
    )
    first, second, third = copy_jobs(snapshot(*tasks, volumes=("C:", "D:"), readings=readings))
    assert ends([first, second]) == [(r"local:D:\a", r"\\SRVB\data\in"), (r"local:D:\a", r"\\SRVC\data\in")]
    assert third.destination.kind == "unresolved"
