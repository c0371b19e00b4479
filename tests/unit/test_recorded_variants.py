"""Outputs as people send them: parts of several programs in one file, other ways to write the same objects, blanks that went lost."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.decode import Decoded, Source, decode

HEADS = "Filter Name                     Num Instances    Altitude    Frame\n"
RULE = "------------------------------  -------------  ------------  -----\n"
FILTERS = HEADS + RULE + "WdFilter                                5       328010         0\nOldOne                          <Legacy>\n"
REG = 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Köln]\r\n"a"="ü"\r\n'
SC = "SERVICE_NAME: Foo\n        TYPE               : 10  WIN32_OWN_PROCESS\n        STATE              : 1  STOPPED\n"
CIM = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def read(kind: str, *files: str | bytes, names: tuple[str, ...] = ()) -> Decoded:
    sources = [Source(name=names[i] if names else f"f{i}.txt", data=f.encode() if isinstance(f, str) else f) for i, f in enumerate(files)]
    document = decode(kind, sources)
    assert document.rows_in == len(document.records) + len(document.errors) + document.merged + document.skipped
    return document


def told(document: Decoded, *keys: str) -> list[tuple[Any, ...]]:
    return [tuple(record.get(key) for key in keys) for record in document.records]


@pytest.mark.parametrize(
    "text",
    [
        "\n".join("> " + line for line in FILTERS.splitlines()),
        "Filter Name\tNum Instances\tAltitude\tFrame\n------------------------------\t-------------\t------------\t-----\n"
        "WdFilter\t5\t328010\t0\nOldOne\t<Legacy>\n",
        "Filter Name Num Instances Altitude Frame\n--- --- --- ---\nWdFilter 5 328010 0\nOldOne <Legacy>\n",
        FILTERS.replace("\n", "\r\r\n"),
    ],
    ids=["quoted by a mail", "tabs", "blanks went together", "two carriage returns"],
)
def test_filters_as_mails_and_pages_leave_them(text: str) -> None:
    document = read("filters", text)
    assert told(document, "name", "altitude", "instances", "frame", "legacy") == [
        ("WdFilter", "328010", 5, 0, False),
        ("OldOne", None, None, None, True),
    ]
    assert not document.errors


def test_a_file_in_two_encodings_is_read_part_by_part() -> None:
    listing = "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\First\r\n    name    REG_SZ    value of the first shell\r\n\r\n"
    more = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Second\r\n    name    REG_SZ    Größe\r\n"
    for data in (listing.encode() + b"\xff\xfe" + more.encode("utf-16-le"), listing.encode("utf-16") + (more * 2).encode("cp850")):
        keys = [record["key"].rpartition("\\")[2] for record in read("registry", data).records]
        assert keys[:2] == ["First", "Second"]
    assert read("registry", listing.encode() + more.encode("utf-16")).records[1]["data"] == "Größe"


def test_exports_one_after_the_other_keep_no_mark() -> None:
    document = read("registry", (b"\xff\xfe" + REG.encode("utf-16-le")) * 2)
    assert told(document, "value_name", "data") == [("a", "ü"), ("a", "ü")]
    assert all("\ufeff" not in error.message for error in document.errors)


def test_secrets_in_lists_of_the_registry_go() -> None:
    document = read("registry", "REGEDIT4\n\n[HKEY_LOCAL_MACHINE\\X]\n" + '"Passwords"=hex(7):73,33,63,72,33,74,00,00\n')
    assert document.records[0]["data"] == ["«redacted»"]


def test_a_service_named_like_a_number_does_not_make_a_list_into_sc() -> None:
    text = "Name               : first\nStatus             : Running\nServicesDependedOn : {RpcSs, Tcpip}\n\nName   : b\nStatus : Stopped\n"
    assert told(read("services", text), "name", "state") == [("first", "Running"), ("b", "Stopped")]


def test_services_of_powershell_7_and_of_lists_in_an_object() -> None:
    text = (
        '{"value":[{"Name":"a","Status":4,"StartupType":10},{"Name":"b","Status":"Stopped","StartupType":"AutomaticDelayedStart"},'
        '{"Name":"c","Status":1,"StartupType":3}],"Count":3}'
    )
    assert told(read("services", text), "name", "start_mode", "delayed") == [
        ("a", "Auto", True),
        ("b", "Auto", True),
        ("c", "Manual", None),
    ]


def test_a_listing_of_sc_that_its_buffer_cut_says_so() -> None:
    document = read("services", SC + "\nEnum: more data, need 3422 bytes start resume at index 90\n")
    assert len(document.records) == 1
    assert "ends before its end" in document.errors[0].message


def test_drivers_and_their_signatures_in_one_file() -> None:
    text = (
        '"Module Name","Display Name","Driver Type","Link Date"\n"ACPI","ACPI Driver","Kernel ",""\n'
        '"DeviceName","InfName","IsSigned","Manufacturer"\n"ACPI x64","acpi.inf","TRUE","(Standard)"\n'
    )
    assert told(read("drivers", text), "name", "type", "inf", "signed") == [
        ("ACPI", "Kernel", None, None),
        ("ACPI x64", None, "acpi.inf", True),
    ]
    table = (
        "DeviceName                     InfName       IsSigned Manufacturer\n"
        "============================== ============= ======== ============\n"
        "ACPI PC                        hal.inf       TRUE     (Standard)\n\n"
        "Module Name  Display Name           Driver Type   Link Date\n"
        "============ ====================== ============= ======================\n"
        "AFD          AFD                    Kernel        11/20/2010 4:44:56 AM \n"
    )
    assert told(read("drivers", table), "name", "signed", "type") == [("ACPI PC", True, None), ("AFD", None, "Kernel")]


def test_a_listing_of_tasks_before_their_xml_is_not_lost() -> None:
    csv = '"TaskName","Next Run Time","Status"\n"\\Listed","N/A","Ready"\n'
    xml = (
        '<?xml version="1.0" encoding="UTF-16"?>\n<Task xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">'
        "<RegistrationInfo><URI>\\Written</URI></RegistrationInfo><Actions><Exec><Command>a.cmd</Command></Exec></Actions></Task>"
    )
    assert told(read("tasks", csv + xml), "path") == [("\\Listed",), ("\\Written",)]


STATUS = {
    "WS-Management": f'<p:MSFT_MpComputerStatus xmlns:p="{CIM}/MSFT_MpComputerStatus" xmlns:xsi="{XSI}">'
    '<p:AMEngineVersion>1.1</p:AMEngineVersion><p:AntivirusEnabled>true</p:AntivirusEnabled><p:FullScanEndTime xsi:nil="true"/>'
    "</p:MSFT_MpComputerStatus>",
    "CIM-XML": '<CIM><INSTANCE CLASSNAME="MSFT_MpComputerStatus">'
    '<PROPERTY NAME="AMEngineVersion" TYPE="string"><VALUE>1.1</VALUE></PROPERTY>'
    '<PROPERTY NAME="AntivirusEnabled" TYPE="boolean"><VALUE>TRUE</VALUE></PROPERTY></INSTANCE></CIM>',
    "Export-Clixml": '<Objs xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj RefId="0"><TN RefId="0">'
    "<T>Microsoft.Management.Infrastructure.CimInstance#ROOT/Microsoft/Windows/Defender/MSFT_MpComputerStatus</T></TN>"
    '<Props><S N="AMEngineVersion">1.1</S><B N="AntivirusEnabled">true</B><Nil N="FullScanEndTime"/></Props></Obj></Objs>',
    "ConvertTo-Xml": '<?xml version="1.0"?><Objects><Object Type="Microsoft.Management.Infrastructure.CimInstance">'
    '<Property Name="AMEngineVersion" Type="System.String">1.1</Property>'
    '<Property Name="AntivirusEnabled" Type="System.Boolean">True</Property></Object></Objects>',
    "list without blanks": "AMEngineVersion:1.1\nAntivirusEnabled:True\n",
}


@pytest.mark.parametrize("text", STATUS.values(), ids=STATUS)
def test_defender_in_any_dress(text: str) -> None:
    document = read("defender", "PS C:\\> Get-MpComputerStatus\n" + text)
    assert told(document, "engine_version", "enabled") == [("1.1", True)]
    assert not document.errors


@pytest.mark.parametrize(
    "text",
    [
        "displayName:Some Guard\nproductState:397584\n",
        '[{"displayName":"Some Guard","productState":397584.0}]',
        "Some Guard   061110\n",
        '<CIM><INSTANCE CLASSNAME="AntiVirusProduct"><PROPERTY NAME="displayName" TYPE="string"><VALUE>Some Guard</VALUE></PROPERTY>'
        '<PROPERTY NAME="productState" TYPE="uint32"><VALUE>397584</VALUE></PROPERTY></INSTANCE></CIM>',
    ],
    ids=["no blanks", "a number with a point", "hex without its mark", "CIM-XML"],
)
def test_products_of_security_center_in_any_dress(text: str) -> None:
    document = read("securitycenter", text)
    assert told(document, "name", "enabled", "up_to_date", "product_state_hex") == [("Some Guard", True, False, "0x061110")]


def test_a_label_is_no_product() -> None:
    assert told(read("securitycenter", "productState = 397568\n"), "name", "enabled") == [(None, True)]


def page(kind: str, name: str, *, end: bool) -> str:
    instance = f'<p:Win32_Service xmlns:p="{CIM}/Win32_Service"><p:Name>{name}</p:Name></p:Win32_Service>'
    tail = "<n:EndOfSequence/>" if end else "<n:EnumerationContext>uuid:1</n:EnumerationContext>"
    return (
        f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"><s:Body>'
        f"<n:{kind}><n:Items>{instance}</n:Items>{tail}</n:{kind}></s:Body></s:Envelope>"
    )


def test_pages_of_one_enumeration_need_no_order_of_names() -> None:
    files = (page("PullResponse", "c", end=True), page("EnumerateResponse", "a", end=False), page("PullResponse", "b", end=False))
    document = read("wmi", *files, names=("1.xml", "2.xml", "3.xml"))
    assert [record["properties"]["Name"] for record in document.records] == ["a", "b", "c"]
    assert not document.errors


def test_a_character_that_xml_has_no_place_for_costs_itself_only() -> None:
    document = read("wmi", page("EnumerateResponse", "a&#x1;b", end=True))
    assert document.records[0]["properties"] == {"Name": "a\ufffdb"}
    assert not document.errors


def test_a_table_of_wmic_and_words_of_a_console_around_xml() -> None:
    table = "Name       State    \r\r\nSome Name  Running  \r\r\nb                   \r\r\n"
    assert [r["properties"] for r in read("wmi", table.encode("utf-16")).records] == [
        {"Name": "Some Name", "State": "Running"},
        {"Name": "b", "State": None},
    ]
    printed = (
        "C:\\>winrm enumerate x -format:xml\n<w:Results xmlns:w='urn:w'>"
        f"<p:Win32_Bar xmlns:p='{CIM}/Win32_Bar'><p:A>1</p:A></p:Win32_Bar></w:Results>\nC:\\>"
    )
    document = read("wmi", printed)
    assert told(document, "class") == [("Win32_Bar",)]
    assert not document.errors


def test_json_that_speaks_of_tags_is_json() -> None:
    assert read("wmi", '[{"Name": "a", "Description": "<none>"}]').records[0]["properties"] == {"Name": "a", "Description": "<none>"}


def test_files_that_a_script_reads_are_read_with_it() -> None:
    files = ("ftp -s:night.ftp srvb\r\nrobocopy /job:copy\r\n", "svc\r\nsecret\r\nget tool.exe\r\n", "/SD:d:\\a\r\n/DD:\\\\srvc\\b\r\n")
    document = read("commands", *files, names=("night.cmd", "night.ftp", "copy.rcj"))
    assert [(r["tool"], r["source"]["host"], r["destination"]["host"]) for r in document.records] == [
        ("ftp", "srvb", None),
        ("robocopy", None, "srvc"),
    ]
    assert (document.skipped, document.errors) == (2, [])


@pytest.mark.parametrize("end", ["\n\n", "\r\r"])
def test_line_ends_that_were_doubled_on_the_way_part_nothing(end: str) -> None:
    table = "TaskName                                 Next Run Time          Status         \n"
    table += "======================================== ====================== ===============\n"
    rows = [f"Copy {n}                                   N/A                    Ready          \n" for n in range(3)]
    text = "\nFolder: \\\n" + table + "".join(rows) + "\nFolder: \\Below\n" + table + rows[0]
    document = read("tasks", text.replace("\n", end))
    assert told(document, "path") == [("\\Copy 0",), ("\\Copy 1",), ("\\Copy 2",), ("\\Below\\Copy 0",)]
    assert told(read("filters", (FILTERS * 2).replace("\n", end)), "name") == [("WdFilter",), ("OldOne",)] * 2


def test_a_table_of_something_else_does_not_say_that_there_are_no_tasks() -> None:
    document = read("tasks", FILTERS)
    assert (document.records, len(document.errors)) == ([], 1)


def test_what_sc_prints_besides_is_no_service() -> None:
    text = "[SC] QueryServiceConfig2 SUCCESS\n\nSERVICE_NAME: Foo\n        RESET_PERIOD (in seconds)    : 86400\n"
    text += "        REBOOT_MESSAGE               :\n"
    text += "        COMMAND_LINE                 :\n        FAILURE_ACTIONS              : RESTART -- Delay = 100 milliseconds.\n\n"
    document = read("services", text + SC)
    assert told(document, "name", "state", "path") == [("Foo", "Stopped", None)]
    assert (document.skipped, document.errors) == (1, [])


def test_services_as_powershell_exports_them() -> None:
    clixml = (
        '<Objs xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj RefId="0">'
        '<TN RefId="0"><T>System.ServiceProcess.ServiceController</T></TN><Props><S N="Name">Foo</S>'
        '<Obj N="Status" RefId="1"><TN RefId="1"><T>System.Enum</T></TN><ToString>Running</ToString><I32>4</I32></Obj>'
        '<Obj N="StartType" RefId="2"><TNRef RefId="1"/><ToString>Automatic</ToString><I32>2</I32></Obj></Props></Obj></Objs>'
    )
    values = "<p:Name>Foo</p:Name><p:State>Running</p:State><p:StartMode>Auto</p:StartMode>"
    instance = f'<p:Win32_Service xmlns:p="{CIM}/Win32_Service">{values}</p:Win32_Service>'
    for text in (clixml, instance, '[{"name": "Foo", "status": "running", "starttype": "automatic"}]'):
        assert told(read("services", text), "name", "state", "start_mode") == [("Foo", "Running", "Auto")]


def test_an_export_and_a_query_in_one_file() -> None:
    export = 'REGEDIT4\n\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\X]\n"a"="b"\n'
    query = "\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Y\n    c    REG_SZ    d\n\n"
    for text in (export + "\nC:\\>reg query HKLM\\SOFTWARE\\Y\n" + query, query + export):
        document = read("registry", text)
        assert sorted(told(document, "value_name", "data")) == [("a", "b"), ("c", "d")]
        assert not document.errors
    assert told(read("registry", query.replace("HKEY", "\\\\SRVB\\HKEY")), "key") == [("\\\\SRVB\\HKEY_LOCAL_MACHINE\\SOFTWARE\\Y",)]
