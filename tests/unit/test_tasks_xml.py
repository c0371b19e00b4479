"""Task Scheduler XML and Group Policy Preferences: what is stated is read, what is broken is a fault in its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.probes.recorded.encoding import decode_text
from auditor.probes.tasks.xml import looks_like_task_xml, read_xml

NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
TASK = rf"""<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.3" xmlns="{NAMESPACE}">
  <RegistrationInfo><Author>CORP\jörg</Author><URI>\Ops\Mirror ledger</URI></RegistrationInfo>
  <Triggers>
    <CalendarTrigger>
      <Repetition><Interval>PT15M</Interval><Duration>PT4H</Duration><StopAtDurationEnd>true</StopAtDurationEnd></Repetition>
      <StartBoundary>2024-02-03T18:30:00</StartBoundary><Enabled>false</Enabled>
      <ScheduleByWeek><WeeksInterval>2</WeeksInterval><DaysOfWeek><Friday /><Monday /></DaysOfWeek></ScheduleByWeek>
    </CalendarTrigger>
    <BootTrigger><Delay>PT5M</Delay></BootTrigger>
  </Triggers>
  <Principals>
    <Principal id="Other"><UserId>S-1-5-19</UserId></Principal>
    <Principal id="Main"><GroupId>S-1-5-32-544</GroupId><RunLevel>HighestAvailable</RunLevel></Principal>
  </Principals>
  <Settings><Enabled>false</Enabled><Hidden>true</Hidden><Priority>7</Priority></Settings>
  <Actions Context="Main">
    <Exec><Command>C:\ops\ledger.cmd</Command><Arguments>a "b c"</Arguments><WorkingDirectory>C:\ops</WorkingDirectory></Exec>
    <ComHandler><ClassId>{{0358B920-0AC7-461F-98F4-58E32CD89148}}</ClassId></ComHandler>
  </Actions>
</Task>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_declaration_is_never_believed(encoding: str) -> None:
    text, _ = decode_text(TASK.encode(encoding))
    (task,) = read_xml(text).records
    assert (task.name, task.path, task.author) == ("Mirror ledger", r"\Ops\Mirror ledger", "CORP\\jörg")


def test_everything_that_is_stated_is_read() -> None:
    (task,) = read_xml(TASK).records
    assert (task.enabled, task.hidden, task.version, task.source_format) == (False, True, "1.3", "xml")
    assert task.triggers is not None
    weekly, boot = task.triggers
    assert (weekly.type, weekly.schedule, weekly.weeks_interval, weekly.days_of_week) == (
        "CalendarTrigger",
        "ScheduleByWeek",
        2,
        ("Monday", "Friday"),
    )
    assert weekly.repetition is not None
    assert (weekly.repetition.interval, weekly.repetition.duration, weekly.repetition.stop_at_duration_end) == ("PT15M", "PT4H", True)
    assert (weekly.enabled, weekly.start, boot.type, boot.delay, boot.start) == (False, "2024-02-03T18:30:00", "BootTrigger", "PT5M", None)
    assert task.principal is not None
    assert (task.principal.group_id, task.principal.user_id, task.principal.run_level) == ("S-1-5-32-544", None, "HighestAvailable")
    assert task.actions is not None
    exec_, com = task.actions
    assert (exec_.command, exec_.arguments, exec_.working_directory) == (r"C:\ops\ledger.cmd", 'a "b c"', r"C:\ops")
    assert (com.kind, com.class_id) == ("com", "{0358B920-0AC7-461F-98F4-58E32CD89148}")


def test_a_name_that_is_not_stated_is_unknown() -> None:
    (task,) = read_xml("<Task><Actions><Exec><Command>x</Command></Exec></Actions></Task>").records
    assert (task.name, task.path, task.principal, task.author) == (None, None, None, None)
    assert task.enabled is True  # the schema's default


def test_a_broken_task_is_a_fault_with_its_line_and_column() -> None:
    broken = "<Task>\n  <RegistrationInfo>\n    <Author>x</Autor>\n  </RegistrationInfo>\n</Task>"
    outcome = read_xml('<?xml version="1.0"?>\n' + broken)
    assert not outcome.records
    assert (outcome.faults[0].place, outcome.faults[0].message) == ("line 4, column 15", "mismatched tag")


def test_a_broken_task_among_several_costs_itself_only() -> None:
    good = r"<Task><RegistrationInfo><URI>\{}</URI></RegistrationInfo></Task>"
    one, three = good.format("One"), good.format("Three")
    text = f"<Tasks>\n<!-- \\One -->\n{one}\n<!-- \\Two -->\n<Task><Settings></Task>\n<!-- \\Three -->\n{three}\n</Tasks>"
    outcome = read_xml(text)
    assert [t.name for t in outcome.records] == ["One", "Three"]
    assert [f.place for f in outcome.faults] == ["line 5, column 18"]


def test_the_comment_above_a_task_is_its_path() -> None:
    tasks = "<Tasks>\n<!-- \\Folder\\First -->\n<Task/>\n<!-- \\Second -->\n<Task/>\n</Tasks>"
    text = f"C:\\>schtasks /query /xml\n<?xml version='1.0'?>\n{tasks}\nC:\\>"
    assert [t.path for t in read_xml(text).records] == ["\\Folder\\First", "\\Second"]


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Task>&b;</Task>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><Task/>',
    ],
)
def test_document_types_never_expand(text: str) -> None:
    outcome = read_xml("<Tasks>" + text + "</Tasks>")
    assert outcome.faults
    assert all(not t.description for t in outcome.records)


PREFERENCES = """<?xml version="1.0" encoding="utf-8"?>
<ScheduledTasks clsid="{CC63F200-7309-4ba0-B154-A71CD118DBCC}">
 <ImmediateTaskV2 clsid="{9756B581-76EC-4169-9AFC-0CA8D43ADB5F}" name="Push" disabled="1">
  <Properties action="C" runAs="CORP\\svc" cpassword="aGlkZGVuLCBhbmQgbm90IGEgc2VjcmV0IGF0IGFsbA=="><Task version="1.2">
   <Actions><Exec><Command>push.exe</Command></Exec></Actions></Task></Properties></ImmediateTaskV2>
 <Task clsid="{2DEECB1C-261F-4e13-9B21-16FB83BC03BD}" name="Old one">
  <Properties action="U" name="Old one" appName="C:\\b.bat" args="-x" startIn="C:\\" enabled="1"><Triggers>
   <Trigger type="DAILY" startHour="6" startMinutes="5" beginYear="2012" beginMonth="3" beginDay="9"/></Triggers></Properties></Task>
</ScheduledTasks>"""


def test_preferences_of_both_kinds_are_read_and_their_passwords_are_not() -> None:
    push, old = read_xml(PREFERENCES).records
    assert (push.name, push.source_format, push.policy["disabled"], push.policy["runAs"]) == ("Push", "gpp_xml", "1", "CORP\\svc")
    assert "cpassword" not in push.policy
    assert old.actions is not None
    assert (old.actions[0].command, old.actions[0].arguments, old.enabled) == ("C:\\b.bat", "-x", True)
    assert old.triggers is not None
    assert (old.triggers[0].type, old.triggers[0].start) == ("CalendarTrigger", "2012-03-09T06:05:00")


def test_what_is_no_task_is_a_fault() -> None:
    assert read_xml("<html><body/></html>").faults[0].message == "no <Task> element"
    assert not looks_like_task_xml("<html><body/></html>")


@given(st.text(alphabet=st.sampled_from("<>/!?TaskTriggers\\&;-= \n\"'x"), max_size=400))
def test_any_text_gives_records_or_faults(text: str) -> None:
    assert read_xml("<Task>" + text).rows >= 1


def test_prefixes_of_namespaces_do_not_matter() -> None:
    text = f'<t:Task xmlns:t="{NAMESPACE}"><t:Actions><t:Exec><t:Command>x</t:Command></t:Exec></t:Actions></t:Task>'
    (task,) = read_xml(text).records
    assert task.actions is not None
    assert task.actions[0].command == "x"
