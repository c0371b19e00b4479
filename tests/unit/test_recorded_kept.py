"""How people keep outputs: saved by a spreadsheet, cut, glued together, with remarks and prompts around them. Samples are our own."""

from __future__ import annotations

import json

import pytest

from auditor.decode import Decoded, Source, decode

FILTER_HEAD = (
    "Filter Name                     Num Instances    Altitude    Frame\n"
    "------------------------------  -------------  ------------  -----\n"
)
TASK_HEAD = ["HostName", "TaskName", "Next Run Time", "Status", "Logon Mode"]


def read(kind: str, text: str | bytes, name: str = "kept.txt") -> Decoded:
    data = text if isinstance(text, bytes) else text.encode()
    document = decode(kind, [Source(name=name, data=data)])
    assert document.rows_in == len(document.records) + document.merged + document.skipped + len(document.errors)
    return document


def names(document: Decoded) -> list[object]:
    return [r["name"] for r in document.records]


def test_a_legacy_filter_with_instances_keeps_its_name() -> None:
    (filter_,) = read("filters", FILTER_HEAD + "Old                                     3                  <Legacy>\n").records
    assert (filter_["name"], filter_["instances"], filter_["legacy"], filter_["altitude"]) == ("Old", 3, True, None)


def test_a_filter_whose_name_leaves_its_column() -> None:
    (filter_,) = read("filters", FILTER_HEAD + "a_filter_with_a_name_of_more_than_thirty 2 321410.5 0\n").records
    assert (filter_["name"], filter_["instances"], filter_["altitude"]) == ("a_filter_with_a_name_of_more_than_thirty", 2, "321410.5")


INSTANCES = (
    "Filter                Volume Name                              Altitude        Instance Name       Frame   SprtFtrs  VlStatus\n"
    "--------------------  -------------------------------------  ------------  ----------------------  -----  --------  --------\n"
)


def test_an_instance_whose_columns_were_pushed_aside() -> None:
    row = "acmeflt               D:\\mnt\\a folder with a long name and more words   244000     Acme Instance         0     00000003\n"
    (instance,) = read("filters", INSTANCES + row).records
    assert (instance["volume"], instance["altitude"], instance["instance"], instance["frame"]) == (
        "D:\\mnt\\a folder with a long name and more words",
        "244000",
        "Acme Instance",
        0,
    )


VOLUMES = (
    "Dos Name                        Volume Name                              FileSystem   Status\n"
    "------------------------------  ---------------------------------------  ----------  --------\n"
    "                                \\Device\\Mup                              Remote\n"
    "C:                              \\Device\\HarddiskVolume2                   NTFS\n"
)


def test_volumes_are_no_filters() -> None:
    alone = read("filters", VOLUMES)
    assert (alone.records, [e.message for e in alone.errors]) == ([], ["a table of volumes, not of filters"])
    both = read("filters", FILTER_HEAD + "acmeflt                                 5       328010         0\n\n" + VOLUMES)
    assert (names(both), both.errors) == (["acmeflt"], [])


def test_enumerations_as_objects_and_types_as_numbers() -> None:
    items = [
        {"Name": "a", "Status": {"value": 4, "Value": "Running"}, "StartType": {"value": 2}, "ServiceType": 272},
        {"Name": "b", "Status": 1, "ServiceType": "Win32ShareProcess", "RequiredServices": None, "ServicesDependedOn": [{"Name": "RpcSs"}]},
    ]
    a, b = read("services", json.dumps(items)).records
    assert (a["state"], a["start_mode"], a["type"], a["type_code"]) == ("Running", "Auto", "Own Process", 272)
    assert (b["state"], b["type"], b["depends_on"]) == ("Stopped", "Share Process", ["RpcSs"])


@pytest.mark.parametrize(
    ("text", "found", "errors"),
    [
        ('[{"Name":"a","Status":4},{"Name":"b","Sta', ["a"], ["line 1"]),
        ('{"Name":"a"}\n{"Name":"b"}\n', ["a", "b"], []),
        ('[{"Name":"a"}]\n[{"Name":"b"}]\n', ["a", "b"], []),
        ('[{"Name":"a"}]\nDONE', ["a"], ["line 2"]),
        ('{"Name":"a","Status":4,"Displ', ["a"], ["line 1"]),
        ("{", [], [""]),
    ],
)
def test_json_that_was_cut_or_glued(text: str, found: list[str], errors: list[str]) -> None:
    document = read("services", text)
    assert (names(document), [e.place for e in document.errors]) == (found, errors)


def test_a_table_with_columns_to_the_right_and_prompts_around() -> None:
    table = (
        "PS C:\\> Get-Service | ft -auto Name,Status,StartType\n\nName      Status StartType\n----      ------ ---------\n"
        "AJRouter Stopped    Manual\nALG      Running Automatic\n\nPS C:\\> exit\n"
    )
    document = read("services", table)
    assert [(r["name"], r["state"], r["start_mode"]) for r in document.records] == [
        ("AJRouter", "Stopped", "Manual"),
        ("ALG", "Running", "Auto"),
    ]
    assert document.errors == []


def test_a_name_that_the_table_cut_says_so() -> None:
    table = "Status   Name               DisplayName\n------   ----               -----------\n"
    table += "Stopped  aVeryLongServic... A\nRunning  b                  B\n"
    cut, whole = read("services", table).records
    assert (cut["name"], cut["name_truncated"], whole["name_truncated"]) == ("aVeryLongServic", True, False)


def test_a_row_beside_its_columns_is_an_error_and_no_guess() -> None:
    table = "displayName productState\n----------- ------------\nA product of words 397568\nOther             397568\n"
    document = read("securitycenter", table)
    assert "A product" not in [r["name"] for r in document.records]


def test_csv_with_line_ends_and_other_separators() -> None:
    rows = '"Name";"DisplayName";"Status"\r\n"a";"A; ""q""\r\nsecond line";"Running"\r\n"b";"B";"Stopped"\r\n"c";"cut\r\n'
    document = read("services", rows)
    assert [(r["name"], r["display_name"]) for r in document.records] == [("a", 'A; "q"\nsecond line'), ("b", "B")]
    assert [e.place for e in document.errors] == ["line 5"]
    drivers = read("drivers", 'Module Name,Display Name,Driver Type,Link Date\nacme,"A, b",Kernel ,7/16/2016 4:21:36 AM\n')
    assert [(r["name"], r["display_name"], r["type"]) for r in drivers.records] == [("acme", "A, b", "Kernel")]
    glued = read("drivers", '"M","D","T","L"\n"acme","two\nlines","Kernel ","1/31/2016 4:21:36 AM"\n')
    assert [(r["name"], r["display_name"]) for r in glued.records] == [("acme", "two\nlines")]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_tasks_that_a_spreadsheet_saved(separator: str, quote: str) -> None:
    rows = [TASK_HEAD, ["SRV", "\\Night\\Copy", "1/31/2021 2:00:00 AM", "Ready", "Interactive"]]
    text = "".join(separator.join(f"{quote}{v}{quote}" for v in row) + "\r\n" for row in rows)
    (task,) = read("tasks", text).records
    assert (task["host"], task["path"], task["runs"][0]["next_run"]) == ("SRV", "\\Night\\Copy", "2021-01-31T02:00:00")


def test_a_table_whose_columns_nobody_knows_is_an_error() -> None:
    text = "A        B        C        D\n======== ======== ======== ========\none      two      three    four\n"
    document = read("tasks", text)
    assert (document.records, [e.message for e in document.errors]) == ([], ["none of the row's columns can be told"])


def test_defender_as_csv_table_and_json_with_old_dates() -> None:
    for text in (
        '"AMEngineVersion","AMRunningMode","IsTamperProtected"\r\n"1.1","Passive Mode","True"\r\n',
        "AMEngineVersion AMRunningMode IsTamperProtected\n--------------- ------------- -----------------\n"
        "1.1             Passive Mode               True\n",
    ):
        (status,) = read("defender", text).records
        assert (status["engine_version"], status["running_mode"], status["tamper_protected"]) == ("1.1", "Passive Mode", True)
    (old,) = read("defender", '{"AMRunningMode":"Normal","AntivirusSignatureLastUpdated":"/Date(1641810153000)/"}').records
    assert old["definitions_updated"] == "2022-01-10T10:22:33Z"
    assert read("defender", '"AMEngineVersion","AMRunningMode"\r\n"1.1"\r\n').errors


def test_the_tools_word_of_failure_is_no_product() -> None:
    document = read("securitycenter", "Node - SRV\nERROR:\nDescription = Invalid namespace\n")
    assert (document.records, document.errors[0].message) == (
        [],
        "the tool told a failure: Node - SRV ERROR: Description = Invalid namespace",
    )


def test_registry_lines_with_remarks_verbose_types_and_cuts() -> None:
    head = "Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\A]\n"
    (text, number) = read("registry", head + '"a"="x;y" ; remark\n"b"=dword:00000010 ; remark\n').records
    assert (text["data"], number["data"]) == ("x;y", 16)
    for cut in ('"a"=hex:01,02,\\\n', '"a"=hex:01,02,'):
        document = read("registry", head + cut)
        assert (document.records, len(document.errors)) == ([], 1)
    verbose = read("registry", "HKEY_LOCAL_MACHINE\\A\n    Q    REG_DWORD (4)    0x10\n    S    REG_SZ (1)    x\n")
    assert [(r["type"], r["data"]) for r in verbose.records] == [("REG_DWORD", 16), ("REG_SZ", "x")]
