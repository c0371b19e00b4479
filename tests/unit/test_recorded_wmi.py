"""Pages of WMI enumerations: types, arrays, references, embedded instances, missing pages, faults; and wmic's lists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditor.probes.recorded.wmi import WmiReader

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
WBEM = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2"


def page(kind: str, *items: str, end: bool = False, old: bool = False) -> str:
    wsman, enum = ("wsman", "wsen") if old else ("w", "n")
    holder = f"{wsman}:Items" if kind == "Enumerate" else f"{enum}:Items"
    tail = f"<{enum}:EndOfSequence/>" if end else ""
    return (
        '<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        f' xmlns:{enum}="http://schemas.xmlsoap.org/ws/2004/09/enumeration"'
        f' xmlns:{wsman}="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" {XSI}>'
        f"<s:Header/><s:Body><{enum}:{kind}Response><{enum}:EnumerationContext>uuid:1</{enum}:EnumerationContext>"
        f"<{holder}>{''.join(items)}</{holder}>{tail}</{enum}:{kind}Response></s:Body></s:Envelope>"
    )


def fragment(body: str) -> str:
    return f"<w:XmlFragment>{body}</w:XmlFragment>"


SERVICE = (
    f'<p:Win32_Service xmlns:p="{WBEM}/Win32_Service" xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common"'
    ' xsi:type="p:Win32_Service_Type">'
    '<p:Name>acme</p:Name><p:ProcessId>12</p:ProcessId><p:Started>true</p:Started><p:InstallDate xsi:nil="true"/>'
    "<p:TagId>0</p:TagId>"
    "<p:Odd>007</p:Odd><p:When><cim:Datetime>2013-04-15T16:28:47Z</cim:Datetime></p:When></p:Win32_Service>"
)


def test_an_instance_with_its_class_and_types() -> None:
    (found,) = WmiReader().read_page(page("Enumerate", SERVICE, end=True)).records
    assert found.class_name == "Win32_Service"
    assert found.properties == {
        "Name": "acme", "ProcessId": 12, "Started": True, "InstallDate": None, "TagId": 0, "Odd": "007", "When": "2013-04-15T16:28:47Z",
    }  # fmt: skip
    assert (found.types["ProcessId"], found.types["Started"], found.types["When"], found.types["Odd"]) == (
        "uint32",
        "boolean",
        "datetime",
        None,
    )


def test_a_querys_fragment_arrays_and_embedded_values() -> None:
    body = (
        "<CreationClassName>Win32_ComputerSystem</CreationClassName><Roles>A</Roles><Roles>B</Roles><OEMStringArray>one</OEMStringArray>"
        "<ResetCount>-1</ResetCount><Owner><Trustee><SID>S-1</SID></Trustee></Owner>"
    )
    (found,) = WmiReader().read_page(page("Enumerate", fragment(body), end=True)).records
    assert found.class_name == "Win32_ComputerSystem"
    assert (found.properties["Roles"], found.properties["OEMStringArray"], found.properties["ResetCount"]) == (["A", "B"], ["one"], -1)
    assert (found.types["Roles"], found.types["OEMStringArray"]) == ("string[]", "string[]")
    assert found.properties["Owner"] == {"Trustee": {"SID": "S-1"}}


def test_references() -> None:
    body = (
        "<Antecedent><a:Address>x</a:Address><a:ReferenceParameters><w:ResourceURI>http://x/root/cimv2/Win32_Group</w:ResourceURI>"
        '<w:SelectorSet><w:Selector Name="Domain">D</w:Selector><w:Selector Name="Name">Users</w:Selector></w:SelectorSet>'
        "</a:ReferenceParameters></Antecedent>"
    )
    (found,) = WmiReader().read_page(page("Enumerate", fragment(body), end=True)).records
    assert found.properties["Antecedent"] == {"class": "Win32_Group", "selectors": {"Domain": "D", "Name": "Users"}}
    assert found.types["Antecedent"] == "reference"


def test_pages_are_one_enumeration() -> None:
    reader = WmiReader()
    pages = [page("Enumerate", SERVICE), page("Pull", SERVICE, SERVICE), page("Pull", SERVICE, end=True)]
    outcomes = [reader.read_page(p) for p in pages]
    assert [len(o.records) for o in outcomes] == [1, 2, 1]
    assert not any(o.faults for o in outcomes)
    assert not reader.finish().faults


def test_missing_pages_are_told() -> None:
    reader = WmiReader()
    assert "first pages are missing" in reader.read_page(page("Pull", SERVICE)).faults[0].message
    assert "pages are missing" in reader.read_page(page("Enumerate", SERVICE)).faults[0].message
    assert "pages are missing" in reader.finish().faults[0].message


def test_the_names_of_the_first_winrm() -> None:
    old = page("Enumerate", SERVICE, end=True, old=True)
    assert WmiReader().read_page(old).records[0].class_name == "Win32_Service"


def test_a_hosts_fault_is_a_fault() -> None:
    text = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code>'
        "<s:Reason><s:Text>Access is denied.</s:Text></s:Reason>"
        '<s:Detail><f:WSManFault xmlns:f="x" Code="5"/></s:Detail></s:Fault></s:Body></s:Envelope>'
    )
    (fault,) = WmiReader().read_page(text).faults
    assert "Access is denied." in fault.message
    assert "code 5" in fault.message


def test_broken_pages_entities_and_other_documents() -> None:
    reader = WmiReader()
    assert reader.read_page("<a>\n<b></a>").faults[0].place == "line 2, column 5"
    assert reader.read_page('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>').faults
    assert reader.read_page("<a/>").faults
    assert reader.read_page("nothing at all").faults


def test_wmics_list() -> None:
    lines = (
        "CreationClassName=Win32_OperatingSystem",
        'MUILanguages={"de-DE","en-US"}',
        "OSLanguage=1031",
        "BuildNumber=7601",
        "Debug=FALSE",
        "CSDVersion=",
    )
    text = "\r\r\n\r\r\n" + "".join(line + "\r\r\n" for line in lines) + "\r\r\n\r\r\n"
    (found,) = WmiReader().read_page(text).records
    assert found.class_name == "Win32_OperatingSystem"
    assert (found.properties["MUILanguages"], found.properties["OSLanguage"], found.properties["BuildNumber"]) == (
        ["de-DE", "en-US"],
        1031,
        "7601",
    )
    assert (found.properties["Debug"], found.properties["CSDVersion"]) == (False, None)


@given(st.text(max_size=200), st.text(alphabet=st.sampled_from("<>/abp:x =\"'&;"), max_size=200))
def test_any_page_gives_records_or_faults(noise: str, markup: str) -> None:
    reader = WmiReader()
    for text in (noise, markup, page("Enumerate", markup), page("Pull", noise.replace("<", "").replace("&", ""))):
        assert reader.read_page(text).rows >= 0
    reader.finish()


def test_a_fragment_that_does_not_say_its_class_has_the_one_of_its_file() -> None:
    text = page("Enumerate", fragment("<Metric1>-1</Metric1><Type>3</Type><Name>0.0.0.0</Name>"), end=True)
    (found,) = WmiReader().read_page(text, "server_2003_Win32_IP4RouteTable_all_000.xml").records
    assert (found.class_name, found.properties) == ("Win32_IP4RouteTable", {"Metric1": -1, "Type": 3, "Name": "0.0.0.0"})
    assert WmiReader().read_page(text, "page.xml").records[0].class_name is None
    counters = page("Enumerate", fragment("<Name>_Total</Name><Timestamp_Object>130100955238316883</Timestamp_Object>"), end=True)
    (counter,) = WmiReader().read_page(counters, "Win32_PerfRawData_PerfDisk_PhysicalDisk_star_000.xml").records
    assert (counter.class_name, counter.types["Timestamp_Object"]) == ("Win32_PerfRawData_PerfDisk_PhysicalDisk", "integer")
    assert counter.properties == {"Name": "_Total", "Timestamp_Object": 130100955238316883}


def _glued(*bodies: str) -> str:
    return "\n".join(
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:n="n" xmlns:w="w" xmlns:p="p"><s:Body>'
        f"{body}</s:Body></s:Envelope>"
        for body in bodies
    )


def test_several_pages_in_one_text_and_a_page_that_was_cut() -> None:
    first = "<n:EnumerateResponse><n:EnumerationContext/><w:Items><p:Win32_X><p:Name>a</p:Name></p:Win32_X></w:Items></n:EnumerateResponse>"
    last = "<n:PullResponse><n:Items><p:Win32_X><p:Name>b</p:Name></p:Win32_X></n:Items><n:EndOfSequence/></n:PullResponse>"
    reader = WmiReader()
    whole = reader.read_page(_glued(first, last))
    assert ([r.properties["Name"] for r in whole.records], whole.faults, reader.finish().faults) == (["a", "b"], [], [])
    text = _glued(first.replace("</p:Win32_X>", "</p:Win32_X><p:Win32_X><p:Name>c</p:Na", 1))
    cut = reader.read_page(text[: text.index("c</p:Na") + 7])
    assert ([r.properties["Name"] for r in cut.records], len(cut.faults)) == (["a"], 1)
    assert reader.finish().faults == []  # one cause, one fault


def test_cim_xml_of_wmic() -> None:
    text = (
        '<?xml version="1.0"?><COMMAND SEQUENCENUM="1"><RESULTS NODE="S"><CIM><INSTANCE CLASSNAME="Win32_X">'
        '<PROPERTY NAME="Name" TYPE="string"><VALUE>A</VALUE></PROPERTY><PROPERTY NAME="Size" TYPE="uint32"><VALUE>4</VALUE></PROPERTY>'
        '<PROPERTY NAME="None" TYPE="uint32"/><PROPERTY.ARRAY NAME="R" TYPE="string"><VALUE.ARRAY><VALUE>x</VALUE></VALUE.ARRAY>'
        "</PROPERTY.ARRAY></INSTANCE></CIM></RESULTS></COMMAND>"
    )
    (found,) = WmiReader().read_page(text).records
    assert (found.class_name, found.properties) == ("Win32_X", {"Name": "A", "Size": 4, "None": None, "R": ["x"]})
    assert found.types == {"Name": "string", "Size": "uint32", "None": "uint32", "R": "string[]"}
    assert WmiReader().read_page("<COMMAND><RESULTS/></COMMAND>").faults


def test_text_of_winrm_csv_of_wmic_and_json() -> None:
    text = "Win32_Service\n    Name = A\n    ProcessId = 4\n    InstallDate = null\n    Roles = x\n    Roles = y\n\n"
    text += "Win32_Service\n    Name = B\n"
    a, b = WmiReader().read_page(text).records
    assert (a.class_name, a.properties) == ("Win32_Service", {"Name": "A", "ProcessId": 4, "InstallDate": None, "Roles": ["x", "y"]})
    assert b.properties == {"Name": "B"}
    listing = WmiReader().read_page("\r\r\nNode,Name,State\r\r\nS,A,Running\r\r\nS,B, C,Stopped\r\r\n")
    assert ([r.properties for r in listing.records], len(listing.faults)) == ([{"Name": "A", "State": "Running"}], 1)
    (found,) = (
        WmiReader().read_page('[{"Name":"A","ProcessId":4,"CimClass":{"CimClassName":"Win32_Service"},"PSComputerName":null}]').records
    )
    assert (found.class_name, found.properties) == ("Win32_Service", {"Name": "A", "ProcessId": 4})
