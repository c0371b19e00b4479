"""set_exclusions on simulated servers: both directions, taken back to the letter, what is too wide, what a policy keeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.play_bench import Bench, bench, outcomes

pytestmark = [pytest.mark.lab, pytest.mark.slow]
PLAY = "set_exclusions"
OWN = "HKLM\\SOFTWARE\\Microsoft\\Windows Defender\\Exclusions\\Paths"
POLICY = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows Defender"
HAS = f"registry: {{'{OWN}': {{'C:\\': 0, 'D:\\Data': 0}}}}"
FACTS = {
    "plain": (HAS, "defender: {paths: ['C:\\', 'D:\\Data'], extensions: [log]}"),
    "merged": (f"registry: {{'{POLICY}': {{DisableLocalAdminMerge: 1}}}}",),
    "policy": (f"registry: {{'{POLICY}\\Exclusions\\Paths': {{'C:\\': '0'}}}}", "defender: {paths: ['C:\\']}"),
    "held": ("held: {manager: {defender: true}}",),
    "hidden": ("defender: {hidden: true}",),
    "bare": ("defender: null",),
    "passive": ("defender: {mode: Passive Mode, enabled: false, real_time: false}",),
}
FLEET = "title: servers with exclusions\nhosts:\n" + "".join(
    f"  {name}:\n    base: windows-2019\n    network: {{computer_name: {name.upper()}}}\n" + "".join(f"    {line}\n" for line in lines)
    for name, lines in FACTS.items()
)
WANTED = {
    "add_exclusions": ["path E:\\Sql Data", "extension mdf", "process E:\\Sql\\sqlservr.exe", "path d:\\data"],
    "remove_exclusions": ["path c:\\", "extension tmp"],
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Servers whose Defender keeps exclusions in several ways."""
    with bench(tmp_path_factory.mktemp("exclusions"), FLEET) as running:
        yield running


def _without_empty_keys(changes: dict[str, list[str]]) -> dict[str, list[str]]:
    """A key of a list that was made for the first exclusion stays, empty."""
    kept = {
        host: [line for line in lines if not line.startswith("key HKLM\\SOFTWARE\\Microsoft\\Windows Defender\\Exclusions")]
        for host, lines in changes.items()
    }
    return {host: lines for host, lines in kept.items() if lines}


def test_set_and_taken_back_to_the_letter(servers: Bench) -> None:
    host = "plain"
    before = servers.states()
    checked = servers.run(PLAY, {host: WANTED}, check=True)
    assert outcomes(checked) == {host: "would_change"}, checked.failed
    assert servers.changes(before) == {}, "check mode changed a host"
    (shown,) = [event.difference for event in servers.events if "mdf" in event.difference]
    assert "+ path E:\\Sql Data" in shown

    done = servers.run(PLAY, {host: WANTED})
    assert outcomes(done) == {host: "done"}, done.failed
    facts = servers.machine(host).defender
    assert facts is not None
    assert (facts.paths, facts.extensions, facts.processes) == (
        ("D:\\Data", "E:\\Sql Data"),
        ("log", "mdf"),
        ("E:\\Sql\\sqlservr.exe",),
    )
    assert done.reports[host].before == {
        "added": ["path E:\\Sql Data", "extension mdf", "process E:\\Sql\\sqlservr.exe"],
        "removed": ["path C:\\"],
    }, "what was there already is none of what it added"

    after = servers.states()
    again = servers.run(PLAY, {host: WANTED})
    assert (outcomes(again), again.changed) == ({host: "nothing_to_do"}, {})
    assert servers.changes(after) == {}

    back = servers.take_back(PLAY, {host: WANTED}, done)
    assert outcomes(back) == {host: "done"}, back.failed
    facts = servers.machine(host).defender
    assert facts is not None
    assert (set(facts.paths), facts.extensions, facts.processes) == ({"C:\\", "D:\\Data"}, ("log",), ())
    left = _without_empty_keys(servers.changes(before))
    assert {line.partition(":")[0] for lines in left.values() for line in lines} <= {"defender"}, "only their order may differ"


def test_what_is_kept_elsewhere_is_told_and_nothing_changes(servers: Bench) -> None:
    before = servers.states()
    add = {"add_exclusions": ["path E:\\Data"]}
    values = {"merged": add, "policy": {"remove_exclusions": ["path C:\\"]}, "held": add, "hidden": add, "bare": add, "passive": add}
    result = servers.run(PLAY, values)
    assert outcomes(result) == {
        "merged": "managed_elsewhere",
        "policy": "managed_elsewhere",
        "held": "managed_elsewhere",
        "hidden": "refused",
        "bare": "refused",
        "passive": "refused",
    }, result.failed
    assert servers.changes(before) == {}


WIDE = (
    ("path C:\\", "path %SystemRoot%", "path c:\\windows\\system32\\*", "path C:\\Users\\jdoe"),
    ("extension exe", "extension DLL", "extension ps1"),
    ("process svchost.exe", "process C:\\Windows\\System32\\cmd.exe", "process C:\\App\\*.exe"),
    ("path relative\\folder",),
    ("path E:\\a\r\nb", "extension .mdf"),
    (),
    ("path \\\\server\\share",),
)


def test_what_is_too_wide_or_no_exclusion_is_refused(servers: Bench) -> None:
    before = servers.states()
    result = servers.run(PLAY, {host: {"add_exclusions": list(texts)} for host, texts in zip(FACTS, WIDE, strict=True)}, check=True)
    assert set(outcomes(result).values()) == {"refused"}, result.failed
    for host, texts in zip(FACTS, WIDE[:3], strict=False):
        for text in texts:
            assert text in result.failed[host], f"{text} is not named as too wide"
    assert servers.changes(before) == {}


def test_narrow_ones_of_windows_own_folders_are_none_of_the_wide_and_somebody_may_answer_for_the_others(servers: Bench) -> None:
    narrow = {"add_exclusions": ["path %SystemRoot%\\System32\\dhcp", "path C:\\Windows\\NTDS", "process %SystemRoot%\\System32\\vmms.exe"]}
    values: dict[str, dict[str, object]] = {"plain": dict(narrow), "merged": {"add_exclusions": ["path F:\\"], "accept_wide": True}}
    result = servers.run(PLAY, values, check=True)
    assert outcomes(result) == {"plain": "would_change", "merged": "managed_elsewhere"}, result.failed
