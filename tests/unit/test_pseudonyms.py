"""Names replaced everywhere, the same way, and nothing else."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.pseudonyms import Pseudonyms
from auditor.model.finding import Edge, Evidence
from auditor.model.host import LogonReading, SecurityRecord, ServiceRecord, Snapshot, TaskRecord
from tests.unit.small_drift import state
from tests.unit.small_fleet import target


def host(name: str = "SRVA", **sections: Any) -> Snapshot:
    network = {
        "computer_name": name,
        "domain": "corp.example",
        "part_of_domain": True,
        "adapters": [{"addresses": ["192.168.7.9", "fd12::7"]}],
    }
    return state(name, **({"network": [network]} | sections))


def names(**sections: Any) -> Pseudonyms:
    found = Pseudonyms()
    found.learn(target("srv-a", "10.1.2.3", user="CORP\\svc-audit", aliases=("backup-old",)), host(**sections))
    found.learn(target("srv-b"), host("SRVB"))
    return found


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("srv-a", "host-1"),
        ("SRVA and srvb.corp.example", "host-1 and host-2.domain-1.example"),
        ("\\\\SRVB\\backup$\\srva", "\\\\host-2\\backup$\\host-1"),
        ("\\\\unknown9\\share", "\\\\server-1\\share"),
        ("CORP\\svc-audit", "domain-1\\user-1"),
        ("CORP\\zhangwei", "domain-1\\user-2"),
        ("NT AUTHORITY\\LocalService", "NT AUTHORITY\\LocalService"),
        ("host:srv-a", "host:host-1"),
        ("D:\\Scripts\\backup-to-srvb.cmd", "D:\\Scripts\\backup-to-host-2.cmd"),
        ("C:\\Users\\anna\\x.txt", "C:\\Users\\user-2\\x.txt"),
        ("C:\\Users\\Public\\x.txt", "C:\\Users\\Public\\x.txt"),
        ("anna@corp.example", "user-2@domain-1.example"),
        ("at 192.168.7.9, 10.1.2.3, fd12::7", "at 10.0.0.2, 10.0.0.1, fd00::3"),
        ("via 172.16.9.9", "via 10.0.0.4"),
        ("version 9.2.1.14", "version 9.2.1.14"),
        ("S-1-5-21-11-22-33-1001", "S-1-5-21-1-1-1-1001"),
        ("00:0B:CD:4E:11:A1", "02:00:00:00:00:01"),
        ("other.corp.example", "host-3.domain-1.example"),
        ("\\Microsoft\\Windows\\Defrag", "\\Microsoft\\Windows\\Defrag"),
        ("%SystemRoot%\\System32\\svchost.exe -k netsvcs", "%SystemRoot%\\System32\\svchost.exe -k netsvcs"),
        ("\\\\?\\C:\\x", "\\\\?\\C:\\x"),
    ],
)
def test_texts(text: str, clean: str) -> None:
    assert names().text(text) == clean


def test_the_same_name_is_the_same_everywhere() -> None:
    found = names()
    assert found.text("\\\\fileserver7\\a") == found.text("\\\\FILESERVER7\\a")
    assert found.text("10.77.1.2") == found.text("10.77.1.2")
    assert found.text("10.77.1.3") != found.text("10.77.1.2")


def test_fixed_words_versions_and_our_own_words_stay() -> None:
    found = Pseudonyms()
    found.learn(target("file"), state("file", network=[{"computer_name": "KERNEL"}]))
    record = SecurityRecord(kind="file", path="C:\\kernel.sys", file_version="10.1.2.3")
    assert found.rewrite(record) == SecurityRecord(kind="file", path="C:\\host-1.sys", file_version="10.1.2.3")
    version = SecurityRecord(kind="registry", path="HKLM\\X", name="ProductVersion", data="10.1.2.3")
    assert found.rewrite(version) == version
    evidence = Evidence(host="file", section="drivers", record="x", source="https://kernel.example/file", value="file")
    assert found.rewrite(evidence) == Evidence(
        host="host-1", section="drivers", record="x", source="https://kernel.example/file", value="host-1"
    )
    edge = Edge(kind="copies-to", source="host:file", target="host:other", claimant="file")
    assert found.rewrite(edge).source == "host:host-1"


def test_people_who_were_seen_have_no_names() -> None:
    found = names(
        logons=[
            {"time": "2026-01-01T00:00:00Z", "account": "zhangwei", "domain": "CORP", "workstation": "PC-0417", "address": "192.168.10.117"}
        ],
        services=[{"name": "x", "account": "SALES\\peter"}],
    )
    logon = LogonReading(time="t", account="zhangwei", domain="CORP", workstation="PC-0417", address="192.168.10.117")
    clean = found.rewrite(logon)
    assert not {"zhangwei", "CORP", "PC-0417", "192.168.10.117"} & {clean.account, clean.domain, clean.workstation, clean.address}
    assert "peter" not in repr(found.rewrite(ServiceRecord(name="x", account="SALES\\peter", description="run by Peter")).description)


@pytest.mark.parametrize("odd", [0, 1])
def test_names_inside_bytes_are_overwritten_in_place(odd: int) -> None:
    data = b"\1" * odd + "run on SRVA as corp\\svc-audit".encode("utf-16-le") + b"\xff\xfe"
    task = TaskRecord(path="x.job", source_format="job", data=base64.b64encode(data).decode())
    clean = base64.b64decode(names().rewrite(task).data)
    assert len(clean) == len(data)
    assert clean[odd : odd + 14] == "run on ".encode("utf-16-le")
    assert not [word for word in ("SRVA", "corp", "svc-audit") if word.encode("utf-16-le") in clean]
    value = SecurityRecord(kind="registry", path="HKLM\\X", name="b", type="REG_BINARY", data="SRVB".encode("utf-16-le").hex())
    assert names().rewrite(value).data == ("x\0" * 4).encode().hex()


def test_bytes_that_cannot_be_read_are_left_out() -> None:
    assert names().rewrite(TaskRecord(path="x.job", source_format="job", data="no base64!")).data is None


@given(st.text(max_size=80), st.sampled_from(["SRVA", "srv-a", "svc-audit", "corp.example", "10.1.2.3"]), st.text(max_size=80))
def test_no_learned_name_is_left_as_a_word(before: str, name: str, after: str) -> None:
    clean = names().text(f"{before} {name} {after}")
    assert f" {name} " not in clean
