"""An answer becomes sections: statuses never better than what was shown, every row accounted for, secrets gone, nothing raised."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auditor.model.host import SECTION_NAMES, Gap, LogCoverage, Sections
from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest
from auditor.probes.decode import NEEDS_ELEVATION, Decoded, decode_answer
from auditor.probes.framing import Answer, Hello, SectionAnswer
from auditor.probes.rows import MOST_GAPS, MOST_ROWS, PLANS

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
ADMIN = Hello(powershell="5.1", elevated=True, utc_time="2026-11-26T12:00:05Z")


def _decode(name: str, rows: list[dict[str, Any]], *, hello: Hello | None = ADMIN, **given_answer: Any) -> Any:
    answer = Answer(hello=hello, sections={name: SectionAnswer(rows=rows, **given_answer)}, complete=True)
    return getattr(decode_answer(answer, ProbeRequest(sections=(name,)), now=NOW).sections, name)


def test_a_row_becomes_a_record_and_a_reading() -> None:
    section = _decode("services", [{"name": "DefWatch", "state": "running", "start": "auto", "depends_on": ["RpcSs"], "pid": 1234}])
    assert section.status == "ok"
    assert section.records[0].depends_on == ("RpcSs",)
    assert section.readings[0].pid == 1234


def test_a_reading_that_says_nothing_is_none() -> None:
    assert _decode("services", [{"name": "DefWatch"}]).readings == ()


def test_doubtful_fields_become_gaps_and_the_rest_of_the_row_stays() -> None:
    rows = [{"name": "RapDrv", "size_bytes": "many", "start": "sometimes", "colour": "red", "machine": 332}]
    section = _decode("drivers", rows)
    assert section.status == "partial"
    assert (section.records[0].name, section.records[0].machine, section.records[0].size_bytes) == ("RapDrv", 332, None)
    assert {gap.field for gap in section.gaps} == {"size_bytes", "start", "colour"}


def test_a_row_without_its_name_is_a_gap() -> None:
    section = _decode("shares", [{"path": "C:\\"}, {"name": None}, {"name": 7}, {"name": "data"}])
    assert [record.name for record in section.records] == ["data"]
    assert sum(gap.field == "name" and "left out" in gap.reason for gap in section.gaps) == 3


def test_what_is_stated_twice_counts_once() -> None:
    section = _decode("updates", [{"id": "KB1", "description": "a"}, {"id": "kb1", "description": "b"}])
    assert [record.description for record in section.records] == ["a"]
    assert "twice" in section.gaps[0].reason


def test_one_row_sections_take_one_row() -> None:
    section = _decode("system", [{"version": "5.2.3790"}, {"version": "10.0.17763"}])
    assert [record.version for record in section.records] == ["5.2.3790"]
    assert section.status == "partial"


@pytest.mark.parametrize("hello", [None, Hello(powershell="5.1"), Hello(powershell="5.1", elevated=False)])
def test_listings_that_windows_shortens_are_partial_for_ordinary_accounts(hello: Hello | None) -> None:
    assert _decode("services", [], hello=hello).status == "partial"
    assert NEEDS_ELEVATION["services"] in _decode("services", [], hello=hello).reason
    assert _decode("programs", [], hello=hello).status == "ok"


@pytest.mark.parametrize("status", ["denied", "unsupported", "timed_out", "failed"])
def test_a_bad_status_keeps_the_hosts_words_in_one_line(status: Any) -> None:
    section = _decode("roles", [], status=status, reason="Access\r\ndenied  by\x00policy, net use \\\\a\\b hunter22x /user:c")
    assert section.status == status
    assert "\n" not in section.reason
    assert "hunter22x" not in section.reason


def test_what_did_not_arrive_is_named_with_its_reason() -> None:
    request = ProbeRequest(sections=("system", "services", "drivers"))
    answer = Answer(hello=ADMIN, sections={"system": SectionAnswer()}, broken={"services": "the block's digest does not hold"})
    sections = decode_answer(answer, request, now=NOW).sections
    assert (sections.services.status, sections.drivers.status, sections.tasks.status) == ("failed", "failed", "not_asked")
    assert "digest" in sections.services.reason
    assert decode_answer(answer, request, now=NOW, timed_out=True).sections.drivers.status == "timed_out"
    refused = decode_answer(Answer(refused="ConstrainedLanguage"), request, now=NOW).sections
    assert refused.system.status == "unsupported"
    assert "ConstrainedLanguage" in refused.system.reason
    silent = decode_answer(Answer(), request, now=NOW).sections
    assert silent.system.status == "failed"


def test_sections_that_were_not_asked_stay_unasked_whatever_the_host_sends() -> None:
    answer = Answer(hello=ADMIN, sections={"programs": SectionAnswer(rows=[{"key": "x", "view": "native"}])}, complete=True)
    assert decode_answer(answer, ProbeRequest(sections=("system",)), now=NOW).sections.programs.status == "not_asked"
    assert _decode("system", [], status="not_asked").status == "failed"


def test_the_clock_comes_from_hello_and_the_system_section() -> None:
    answer = Answer(hello=ADMIN, sections={"system": SectionAnswer(rows=[{"utc_offset_minutes": 480}])}, complete=True)
    clock = decode_answer(answer, ProbeRequest(sections=("system",)), now=NOW).clock
    assert (clock.utc_offset_minutes, clock.skew_seconds) == (480, 5.0)
    lying = Answer(
        hello=Hello(powershell="2.0", utc_time="yesterday"), sections={"system": SectionAnswer(rows=[{"utc_offset_minutes": 99999}])}
    )
    clock = decode_answer(lying, ProbeRequest(sections=("system",)), now=NOW).clock
    assert (clock.utc_offset_minutes, clock.skew_seconds) == (None, None)


def test_evidence_dated_in_the_future_is_refused() -> None:
    rows = [
        {"log": "System", "source": "EventLog", "id": 6008, "time": time}
        for time in ("2026-11-26T11:03:00Z", "2027-01-01T00:00:00Z", "soon")
    ]
    section = _decode("events", rows)
    assert [event.time for event in section.readings] == ["2026-11-26T11:03:00Z"]
    assert len(section.gaps) == 2


def test_log_coverage_is_kept_and_times_that_are_none_are_not_known() -> None:
    coverage = [LogCoverage(log="System", oldest="2026-11-01T00:00:00Z", asked_from="x")]
    answer = Answer(hello=ADMIN, sections={"events": SectionAnswer(coverage=coverage)}, complete=True)
    decoded = decode_answer(answer, ProbeRequest(sections=("events",)), now=NOW)
    assert decoded.log_coverage == (LogCoverage(log="System", oldest="2026-11-01T00:00:00Z"),)


def test_secrets_are_gone_from_every_field_before_anything_else_sees_them() -> None:
    values = {"path": "HKLM\\SOFTWARE\\X", "kind": "registry"}
    rows = [
        {**values, "name": "DefaultPassword", "type": "REG_SZ", "data": "hunter22x"},
        {**values, "name": "PasswordRequired", "type": "REG_DWORD", "data": "1"},
        {**values, "name": "Blob", "type": "REG_BINARY", "data": "01000000d08c9ddf0115d1118c7a00c04fc297ebffff"},
    ]
    section = _decode("security", rows, gaps=[Gap(record="net use x: \\\\a\\b hunter22x", field="data", reason="password=hunter22x")])
    assert [record.data for record in section.records] == ["«redacted»", "1", "«redacted»"]
    assert b"hunter22x" not in msgspec.json.encode(section)
    service = _decode("services", [{"name": "x", "image_path": "agent.exe --password hunter22x", "depends_on": ["pwd=hunter22x"]}])
    assert b"hunter22x" not in msgspec.json.encode(service)
    network = _decode("network", [{"adapters": [{"description": "password: hunter22x"}]}])
    assert b"hunter22x" not in msgspec.json.encode(network)


def test_a_job_file_stays_a_job_file() -> None:
    data = base64.b64encode(bytes(range(256))).decode()
    assert len(base64.b64decode(_decode("tasks", [{"path": "a.job", "source_format": "job", "data": data}]).records[0].data)) == 256


def test_monstrous_values_are_cut_off_with_a_gap() -> None:
    section = _decode("scripts", [{"path": "C:\\a.cmd", "text": "x" * 1_100_000, "size_bytes": 2**70, "called_by": [["x"]]}])
    assert section.records[0].text is None
    assert {gap.field for gap in section.gaps} == {"text", "size_bytes", "called_by"}
    many = _decode("updates", [{"id": f"KB{i}"} for i in range(MOST_ROWS + 5)])
    assert len(many.records) == MOST_ROWS
    assert many.status == "partial"
    gaps = _decode("updates", [{"id": f"KB{i}", "x": 1} for i in range(MOST_GAPS + 5)]).gaps
    assert len(gaps) == MOST_GAPS + 1
    assert "5 more" in gaps[-1].reason


def test_control_characters_are_data() -> None:
    text = "a\x00b\x1b[31m\u202ec\r\n\t\x7f"
    assert _decode("scripts", [{"path": "C:\\a.cmd", "text": text}]).records[0].text == text


def test_disk_checks_are_told_with_their_volume() -> None:
    events = [
        {"log": "Application", "source": "Chkdsk", "id": 26214, "time": "2026-11-20T00:00:00Z", "strings": ["Checking C:", "old"]},
        {
            "log": "Application",
            "source": "Microsoft-Windows-Wininit",
            "id": 1001,
            "time": "2026-11-22T00:00:00Z",
            "strings": ["on C: no problems"],
        },
        {"log": "System", "source": "BugCheck", "id": 1001, "time": "2026-11-25T00:00:00Z", "strings": ["0x8e C:"]},
    ]
    volumes = [{"kind": "volume", "name": "C:"}, {"kind": "volume", "name": "D:"}, {"kind": "physical", "name": "physical"}]
    sections = {"memory": SectionAnswer(rows=volumes), "events": SectionAnswer(rows=events)}
    memory = decode_answer(
        Answer(hello=ADMIN, sections=sections, complete=True), ProbeRequest(sections=("memory", "events")), now=NOW
    ).sections.memory
    assert [record.last_chkdsk for record in memory.records] == ["on C: no problems", None, None]


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_fields = sorted({name for plan in PLANS.values() for kind in (plan.record, plan.reading) if kind for name in kind.__struct_fields__})
_rows = st.lists(st.dictionaries(st.sampled_from(_fields) | st.text(max_size=8), _json, max_size=8), max_size=4)
_answers = st.builds(
    Answer,
    hello=st.none()
    | st.builds(Hello, powershell=st.text(max_size=5), elevated=st.none() | st.booleans(), utc_time=st.none() | st.text(max_size=25)),
    refused=st.none() | st.text(max_size=50),
    sections=st.dictionaries(
        st.sampled_from(SECTION_NAMES),
        st.builds(
            SectionAnswer,
            status=st.sampled_from(["ok", "partial", "denied", "unsupported", "timed_out", "failed", "not_asked"]),
            reason=st.text(max_size=30),
            rows=_rows,
            gaps=st.lists(st.builds(Gap, record=st.text(max_size=9), field=st.text(max_size=9), reason=st.text(max_size=9)), max_size=3),
            coverage=st.lists(st.builds(LogCoverage, log=st.text(max_size=9), oldest=st.none() | st.text(max_size=25)), max_size=2),
            seconds=st.floats(),
        ),
        max_size=4,
    ),
    broken=st.dictionaries(st.sampled_from(SECTION_NAMES), st.text(max_size=20), max_size=2),
    complete=st.booleans(),
)


@settings(max_examples=150)
@given(_answers, st.booleans())
@example(Answer(hello=Hello(powershell="", utc_time="9999-12-31T23:59:59Z")), True)
def test_whatever_a_hostile_host_sends_comes_out_as_sections(answer: Answer, timed_out: bool) -> None:
    request = ProbeRequest()
    decoded = decode_answer(answer, request, now=NOW, timed_out=timed_out)
    again = msgspec.json.decode(msgspec.json.encode(decoded.sections), type=Sections)
    assert again == decoded.sections
    for name in SECTION_NAMES:
        section = getattr(decoded.sections, name)
        assert (section.status == "not_asked") == (name not in request.sections)
        if section.status == "ok":
            assert not section.gaps
        assert section.status in ("ok", "not_asked") or section.reason
        if name in answer.sections and name in request.sections:
            rows = len(answer.sections[name].rows)
            kept = len(section.records) if PLANS[name].record else len(section.readings)
            lost = sum(gap.field == "" or "left out" in gap.reason or "refused" in gap.reason for gap in section.gaps)
            assert kept <= rows <= kept + lost


def test_the_whole_way_from_bytes() -> None:
    answer = SectionAnswer(rows=[{"name": "data", "path": "D:\\data"}], seconds=0.5)
    wire = framing.pack_hello(ADMIN) + framing.pack_section("shares", answer) + framing.pack_end(1)
    decoded = decode_answer(framing.read_answer(wire.encode()), ProbeRequest(sections=("shares",)), now=NOW)
    assert isinstance(decoded, Decoded)
    sections, coverage, clock = decoded
    assert (sections.shares.status, coverage, clock.skew_seconds) == ("ok", (), 5.0)
    assert sections.shares.seconds == 0.5
