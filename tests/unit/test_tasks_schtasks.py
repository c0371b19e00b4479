"""Listings of schtasks in several languages, formats and generations. The texts are made here in the shapes of real ones."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.task import ScheduledTask
from auditor.probes.tasks.at import looks_like_at, read_at
from auditor.probes.tasks.rows import split_program
from auditor.probes.tasks.schtasks import read_schtasks
from auditor.probes.tasks.taskjson import read_task_json

GERMAN = (
    "Hostname", "Aufgabenname", "Nächste Laufzeit", "Status", "Anmeldemodus", "Letzte Laufzeit", "Letztes Ergebnis", "Autor",
    "Auszuführender Task", "Starten in", "Kommentar", "Status der geplanten Aufgabe", "Leerlaufzeit", "Energieverwaltung",
    "Als Benutzer ausführen", "Aufgabe löschen, falls nicht neu geplant", "Stoppen", "Zeitplan", "Zeitplantyp", "Startzeit",
    "Startdatum", "Enddatum", "Tage", "Monate", "Wiederholen: Jede", "Wiederholen: Bis: Uhrzeit", "Wiederholen: Bis: Dauer",
    "Wiederholen: Beenden, falls noch ausgeführt",
)  # fmt: skip


def german_row(name: str = r"\Sicherung", *, state: str = "Aktiviert", date: str = "13.09.2024", result: str = "0") -> list[str]:
    return [
        "FS-NORD", name, f"{date} 21:05:00", "Bereit", "Nur Hintergrund", "12.09.2024 21:05:00", result, "NORD\\adm",
        r"D:\jobs\kopie.cmd -v", "N/V", "N/V", state, "Deaktiviert", "",
        "NORD\\svc", "Deaktiviert", "72:00:00", "Nicht verfügbar", "Täglich", "21:05:00",
        date, "N/V", "Alle 1 Tag(e)", "N/V", "1 Stunde(n), 30 Minute(n)", "Keine", "24 Stunde(n), 0 Minute(n)", "Deaktiviert",
    ]  # fmt: skip


def as_csv(*rows: tuple[str, ...] | list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def only(text: str) -> ScheduledTask:
    outcome = read_schtasks(text)
    assert not outcome.faults
    (task,) = outcome.records
    return task


def test_a_verbose_listing_in_another_language_is_told_by_its_columns() -> None:
    task = only(as_csv(GERMAN, german_row()))
    assert (task.name, task.path, task.host, task.enabled, task.author) == ("Sicherung", r"\Sicherung", "FS-NORD", True, "NORD\\adm")
    assert task.actions is not None
    assert task.principal is not None
    assert task.triggers is not None
    assert (task.actions[0].command, task.actions[0].arguments, task.actions[0].working_directory) == (r"D:\jobs\kopie.cmd", "-v", None)
    assert (task.principal.user_id, task.triggers[0].start, task.triggers[0].type) == (
        "NORD\\svc",
        "2024-09-13T21:05:00",
        "CalendarTrigger",
    )
    assert (task.triggers[0].schedule, task.triggers[0].days_interval, task.triggers[0].text) == ("ScheduleByDay", 1, "Täglich")
    assert task.triggers[0].repetition is not None
    assert (task.triggers[0].repetition.interval, task.triggers[0].repetition.duration) == ("PT1H30M", "PT24H")
    assert (task.runs[0].last_run, task.runs[0].next_run, task.runs[0].last_result) == ("2024-09-12T21:05:00", "2024-09-13T21:05:00", 0)


def test_one_task_printed_once_a_trigger_is_one_task() -> None:
    second = german_row()
    second[18:21] = ["Beim Systemstart", "N/V", "N/V"]
    outcome = read_schtasks(as_csv(GERMAN, german_row(), second, GERMAN, german_row(r"\Andere", state="Deaktiviert")))
    assert (len(outcome.records), outcome.merged, outcome.rows) == (2, 1, 3)
    assert len(outcome.records[0].triggers or ()) == 2
    assert outcome.records[1].enabled is False


def test_the_same_task_at_two_moments_keeps_both_results() -> None:
    outcome = read_schtasks(as_csv(GERMAN, german_row(result="3"), german_row(result="-2147020576")))
    assert [run.last_result for run in outcome.records[0].runs] == [3, -2147020576]
    assert len(outcome.records[0].triggers or ()) == 1


def test_a_row_that_was_cut_is_a_fault_with_its_line() -> None:
    text = as_csv(GERMAN, german_row(), german_row(r"\Halbe"))
    outcome = read_schtasks(text[: len(text) - 120])
    assert len(outcome.records) == 1
    assert [f.place for f in outcome.faults] == ["line 3"]


def test_without_a_head_the_first_row_is_data() -> None:
    assert only(as_csv(german_row())).name == "Sicherung"


def test_columns_that_somebody_left_out_are_unknown_not_guessed() -> None:
    keep = (1, 18, 8)
    task = only(as_csv([GERMAN[i] for i in keep], [german_row()[i] for i in keep]))
    assert task.name == "Sicherung"
    assert (task.actions, task.triggers, task.enabled, task.principal) == (None, None, None, None)


ENGLISH_2003 = (
    "HostName", "TaskName", "Next Run Time", "Status", "Logon Mode", "Last Run Time", "Last Result", "Creator", "Schedule", "Task To Run",
    "Start In", "Comment", "Scheduled Task State", "Scheduled Type", "Start Time", "Start Date", "End Date", "Days", "Months",
    "Run As User",
    "Delete Task If Not Rescheduled",
    "Stop Task If Runs X Hours and X Mins", "Repeat: Every", "Repeat: Until: Time",
    "Repeat: Until: Duration", "Repeat: Stop If Still Running", "Idle Time", "Power Management",
)  # fmt: skip
ROW_2003 = [
    "OLDBOX", "Copy logs", "Disabled", "", "Background only", "Never", "0", "SYSTEM",
    "Every 2 hour(s) from 19:00 for 8 hour(s) every day",
    r"c:\program files\tools\copy it.cmd now", "N/A", "N/A", "Disabled", "Hourly ", "7:00:00 PM", "3/3/2006", "N/A", "Everyday", "N/A",
    "NT AUTHORITY\\SYSTEM", "Disabled", "72:0", "2 Hour(s)", "None", "8 Hour(s): 0 Minute(s)", "Disabled", "Disabled", "",
]  # fmt: skip


@pytest.mark.parametrize("head", [True, False])
def test_the_2003_order_is_told_by_names_without_folders(head: bool) -> None:
    task = only(as_csv(*([ENGLISH_2003] if head else []), ROW_2003))
    assert (task.name, task.path, task.enabled) == ("Copy logs", None, False)
    assert task.actions is not None
    assert task.triggers is not None
    assert (task.actions[0].command, task.actions[0].arguments) == (r"c:\program files\tools\copy it.cmd", "now")
    assert (task.triggers[0].type, task.triggers[0].start, task.triggers[0].days_interval) == ("CalendarTrigger", "2006-03-03T19:00:00", 1)
    assert task.triggers[0].repetition is not None
    assert (task.triggers[0].repetition.interval, task.triggers[0].repetition.duration) == ("PT2H", "PT8H")
    assert (task.runs[0].last_run, task.runs[0].next_run) == (None, None)


def as_list(labels: tuple[str, ...], row: list[str], width: int) -> str:
    return "\r\n".join(f"{label + ':':<{width}}{value}" for label, value in zip(labels, row, strict=False))


def test_a_list_with_labels_that_hold_colons() -> None:
    text = (
        "Ordner: \\\r\n"
        + as_list(GERMAN, german_row(), 46)
        + "\r\nC:\\>echo x\r\n\r\nOrdner: \\\r\n"
        + as_list(GERMAN, german_row(result="1"), 46)
    )
    outcome = read_schtasks(text)
    assert (len(outcome.records), outcome.merged) == (1, 1)
    assert [r.last_result for r in outcome.records[0].runs] == [0, 1]
    assert outcome.records[0].triggers is not None
    assert outcome.records[0].triggers[0].repetition is not None


def test_a_short_list() -> None:
    task = only("Ordner: \\X\r\n" + as_list(GERMAN[:5], ["FS", r"\X\Lauf", "Nicht zutreffend", "Deaktiviert", "Nur interaktiv"], 22))
    assert (task.name, task.enabled, task.runs[0].status, task.runs[0].next_run) == ("Lauf", False, "Deaktiviert", None)


def test_a_list_that_ends_inside_a_label_keeps_what_was_there() -> None:
    text = as_list(GERMAN, german_row(), 46)
    task = only(text[: text.rindex("Wiederholen: Beenden") + 14])
    assert task.name == "Sicherung"
    assert task.triggers is not None
    assert task.triggers[0].repetition is not None
    assert task.triggers[0].repetition.stop_at_duration_end is None


def table(
    rows: list[tuple[str, str, str]], folder: str = "文件夹: \\运维", head: tuple[str, str, str] = ("任务名", "下次运行时间", "模式")
) -> str:
    from auditor.probes.recorded.layout import cells

    def padded(text: str, width: int) -> str:
        cut = cells(text)[:width].rstrip("\0")
        return cut.replace("\0", "") + " " * (width - len(cells(cut.replace("\0", ""))))

    rule = f"{'=' * 40} {'=' * 22} {'=' * 15}"
    return "\n".join(
        [
            folder,
            *(f"{padded(a, 40)} {padded(b, 22)} {c}" for a, b, c in [head]),
            rule,
            *(f"{padded(a, 40)} {padded(b, 22)} {c}" for a, b, c in rows),
            "",
        ]
    )


def test_a_table_in_wide_characters_is_cut_by_cells() -> None:
    outcome = read_schtasks(table([("夜间备份", "2024/5/16 11:00:00", "就绪"), ("清理日志", "N/A", "已禁用")]))
    assert [(t.path, t.enabled) for t in outcome.records] == [("\\运维\\夜间备份", True), ("\\运维\\清理日志", False)]
    assert outcome.records[0].runs[0].next_run == "2024-05-16T11:00:00"


def test_names_that_the_table_cut_are_no_identity() -> None:
    long = "A name that is longer than forty characters, first"
    outcome = read_schtasks(table([(long, "N/A", "Ready"), (long, "Disabled", "")], "Folder: \\", ("TaskName", "Next Run Time", "Status")))
    assert [(t.name_truncated, t.path, t.enabled) for t in outcome.records] == [(True, None, True), (True, None, False)]
    assert outcome.merged == 0


def test_a_message_in_an_empty_folder_is_no_task() -> None:
    text = table([("INFO: There are no scheduled tasks presently available at your access level.", "", "")], "Folder: \\A")
    assert read_schtasks(text.replace(" " * 22, "")).rows == 0


@pytest.mark.parametrize("line", ["ERROR: Access is denied.", "FEHLER: Zugriff verweigert", "ОШИБКА: Отказано в доступе."])
def test_the_tools_own_failure_is_a_fault_not_nothing(line: str) -> None:
    outcome = read_schtasks(line + "\r\n")
    assert [f.message for f in outcome.faults] == [line]


@pytest.mark.parametrize(
    ("line", "program", "arguments"),
    [
        (r'"C:\a b\c.exe" -x "y z"', r"C:\a b\c.exe", '-x "y z"'),
        (r"C:\a b\c.exe -x", r"C:\a b\c.exe", "-x"),
        (r"%windir%\system32\rundll32.exe a.dll,b", r"%windir%\system32\rundll32.exe", "a.dll,b"),
        ("cmd /c copy a.exe b", "cmd", "/c copy a.exe b"),
        ("tool", "tool", None),
    ],
)
def test_program_and_arguments(line: str, program: str, arguments: str | None) -> None:
    assert split_program(line) == (program, arguments)


def test_dates_that_can_be_read_in_two_ways_stay_text() -> None:
    row = german_row(date="13.09.2024")
    row[2], row[5] = "4/5/2024 9:00:00 PM", "3/5/2024 9:00:00 PM"
    task = only(as_csv(GERMAN, row))
    assert (task.runs[0].next_run, task.runs[0].last_run) == ("4/5/2024 9:00:00 PM", "3/5/2024 9:00:00 PM")
    row[5] = "3/25/2024 9:00:00 PM"
    assert only(as_csv(GERMAN, row)).runs[0].next_run == "2024-04-05T21:00:00"


def test_at_jobs() -> None:
    text = (
        "Status ID   Day                     Time          Command Line\r\n"
        + "-" * 79
        + "\r\n        1   Each M T W Th F         7:00 PM       robocopy C:\\a \\\\b\\c /MIR\r\n"
        + "ERROR   2   Tomorrow                11:30 PM      cmd /c x.bat\r\n"
    )
    assert looks_like_at(text)
    first, second = read_at(text).records
    assert (first.name, first.source_format, first.enabled, second.enabled) == ("At1", "at", True, None)
    assert first.actions is not None
    assert first.triggers is not None
    assert (first.actions[0].command, first.actions[0].arguments) == ("robocopy", "C:\\a \\\\b\\c /MIR")
    assert (first.triggers[0].start_time, first.triggers[0].text) == ("19:00:00", "Each M T W Th F 7:00 PM")


def test_json_of_get_scheduledtask() -> None:
    text = """[{"TaskName": "Mirror", "TaskPath": "\\\\Ops\\\\", "State": 1, "Actions": [{"Execute": "robocopy.exe", "Arguments": "a b"}],
      "Principal": {"UserId": "SYSTEM", "RunLevel": 1}, "Triggers": [{"Enabled": true, "StartBoundary": "2024-01-01T04:00:00",
      "CimClass": {"CimClassName": "MSFT_TaskDailyTrigger"}}]}, {"x": 1}]"""
    outcome = read_task_json(text)
    (task,) = outcome.records
    assert (task.path, task.enabled, [f.place for f in outcome.faults]) == ("\\Ops\\Mirror", False, ["item 1"])
    assert task.principal is not None
    assert task.principal.run_level == "HighestAvailable"


@given(st.text(alphabet=st.sampled_from('":,\\=- \nAб任N/0123456789.'), max_size=600))
def test_any_text_gives_rows_that_add_up(text: str) -> None:
    outcome = read_schtasks(text)
    assert outcome.rows == len(outcome.records) + len(outcome.faults) + outcome.merged + outcome.skipped


def test_the_table_of_get_scheduledtask() -> None:
    text = (
        "\nTaskPath                                       TaskName                          State\n"
        "--------                                       --------                          -----\n"
        "\\Ops\\                                          Mirror                            Disabled\n"
        "\\                                              A very long name of a task th...  Ready\n\n"
    )
    first, second = read_schtasks(text).records
    assert (first.path, first.enabled) == ("\\Ops\\Mirror", False)
    assert (second.path, second.name_truncated, second.enabled) == (None, True, True)
