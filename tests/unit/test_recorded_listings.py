"""driverquery, fltmc, sc, Get-Service: tables, lists and blocks, in other languages, wrapped and cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.probes.recorded.drivers import read_drivers
from auditor.probes.recorded.filters import read_filters
from auditor.probes.recorded.outcome import Outcome
from auditor.probes.recorded.psservices import read_service_json, read_service_list
from auditor.probes.recorded.services import looks_like_sc, read_sc

SHORT = (
    "Modulname    Anzeigename            Treibertyp    Linkdatum\r\n"
    "============ ====================== ============= ======================\r\n"
)


def short(name: str, display: str, kind: str, date: str) -> str:
    return f"{name:<12} {display:<22} {kind:<13} {date:<22}\r\n"


def test_a_short_table_in_another_language() -> None:
    outcome = read_drivers(
        "C:\\>driverquery\r\n"
        + SHORT
        + short("acmeflt", "Acme-Dateisystemfilter", "Dateisystem", "17.08.2001 21:57:55")
        + short("b", "B", "Kernel", "")
    )
    first, second = outcome.records
    assert (first.name, first.display_name, first.display_name_truncated, first.type) == (
        "acmeflt",
        "Acme-Dateisystemfilter",
        True,
        "Dateisystem",
    )
    assert (first.link_date, first.link_time, second.link_date) == ("17.08.2001 21:57:55", "2001-08-17T21:57:55", None)


@pytest.mark.parametrize("cut", [38, 44])
def test_a_row_that_was_cut_is_a_fault(cut: int) -> None:
    outcome = read_drivers(SHORT + short("a", "A", "Kernel", "8/17/2001 9:57:55 PM") + short("b", "B", "Kernel", "")[:cut])
    assert [r.name for r in outcome.records] == ["a"]
    assert [f.place for f in outcome.faults] == ["line 4"]


VERBOSE_WIDTHS = (12, 22, 22, 13, 10, 10, 10, 11, 12, 17, 11, 10, 22, 48, 11)


def verbose(*values: str) -> str:
    return " ".join(f"{v:<{w}}" for v, w in zip(values, VERBOSE_WIDTHS, strict=False)).rstrip() + "\n"


def test_a_verbose_table_that_the_console_wrapped() -> None:
    rule = " ".join("=" * w for w in VERBOSE_WIDTHS) + "\n"
    row = (
        "acme",
        "Acme",
        "Acme driver",
        "Kernel",
        "System",
        "Running",
        "OK",
        "TRUE",
        "FALSE",
        "1,234",
        "99.168",
        "0",
        "",
        r"C:\W\acme.sys",
    )
    text = (
        verbose(*(f"h{i}" for i in range(15))) + rule + verbose(*row) + "    24,576\n" + verbose("b", *row[1:], "8,192") + "\n<< more >>\n"
    )
    first, second = read_drivers(text).records
    assert (first.init_bytes, first.paged_pool_bytes, first.code_bytes, first.path) == (24576, 1234, 99168, r"C:\W\acme.sys")
    assert (first.accept_stop, first.accept_pause, first.state, first.start_mode, first.link_date) == (
        True,
        False,
        "Running",
        "System",
        None,
    )
    assert (second.name, second.init_bytes) == ("b", 8192)


def test_driverquery_csv_and_list() -> None:
    csv = '"Module Name","Display Name","Driver Type","Link Date"\n"acme","Acme, the driver","Kernel ","2/30/2001"\n"cut","x"\n'
    outcome = read_drivers(csv)
    assert [(r.name, r.display_name, r.type, r.link_time) for r in outcome.records] == [("acme", "Acme, the driver", "Kernel", None)]
    assert [f.place for f in outcome.faults] == ["line 3"]
    listing = (
        "Nom du module:      acme\nNom complet:        Pilote\nType de pilote:     Noyau\nDate du lien:       17/08/2001 21:57:55\n\n" * 2
    )
    assert [(r.name, r.type, r.link_time) for r in read_drivers(listing).records] == [("acme", "Noyau", "2001-08-17T21:57:55")] * 2


def test_signed_drivers_have_other_columns() -> None:
    text = '"DeviceName","InfName","IsSigned","Manufacturer"\n"Acme card","oem3.inf","TRUE","Acme"\n"Other","oem4.inf","FALSE",""\n'
    assert [(r.name, r.inf, r.signed, r.manufacturer) for r in read_drivers(text).records] == [
        ("Acme card", "oem3.inf", True, "Acme"),
        ("Other", "oem4.inf", False, None),
    ]


def test_nothing_of_drivers_is_a_fault() -> None:
    assert read_drivers("ERROR: Access denied\n").faults[0].message.endswith("ERROR: Access denied")


FILTERS = """
Filtername                     Anzahl Instanzen    Höhe      Rahmen
------------------------------  -------------  ------------  -----
oldfilt                                                     <Vorgänger>
acmeflt                                 9       385250.5       0
My Filter                               0       40500          1
"""


def test_filters() -> None:
    old, acme, mine = read_filters(FILTERS).records
    assert (old.name, old.legacy, old.altitude, old.instances, old.frame) == ("oldfilt", True, None, None, None)
    assert (acme.name, acme.legacy, acme.altitude, acme.instances, acme.frame) == ("acmeflt", False, "385250.5", 9, 0)
    assert (mine.name, mine.altitude, mine.instances, mine.frame) == ("My Filter", "40500", 0, 1)


def test_the_filters_of_2003_have_no_altitude() -> None:
    head = "Filter Name  Num Instances  Frame\n-----------  -------------  -----\n"
    text = head + "acmeflt          2            0\nold                         <Legacy>\n"
    acme, old = read_filters(text).records
    assert (acme.altitude, acme.instances, acme.frame, old.legacy) == (None, 2, 0, True)


def test_instances_of_filters() -> None:
    text = (
        "Filter                Volume Name                              Altitude        Instance Name       Frame   SprtFtrs  VlStatus\n"
        "--------------------  -------------------------------------  ------------  ----------------------  -----   --------  --------\n"
        "acmeflt               C:                                        180451     Acme main                 0     0000000f\n"
        "acmeflt                                                         180451.25  Acme main                 0     0000000f\n"
    )
    first, second = read_filters(text).records
    assert (first.name, first.volume, first.altitude, first.instance, first.frame) == ("acmeflt", "C:", "180451", "Acme main", 0)
    assert (second.volume, second.altitude) == (None, "180451.25")


def test_a_filter_manager_that_was_denied_is_a_fault() -> None:
    (fault,) = read_filters("Could not connect to the filter manager: 0x80070005\r\nZugriff verweigert\r\n").faults
    assert "0x80070005" in fault.message


SC = """
SERVICE_NAME: acmesvc
DISPLAY_NAME: Acme: the service
        TYP                : 110  WIN32_OWN_PROCESS (interactive)
        STATUS             : 4  RUNNING
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        WIN32_EXIT_CODE    : 0  (0x0)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0
        PID                : 1234
        FLAGS              :

[SC] EnumQueryServicesStatus:OpenService FEHLER 5:

Zugriff verweigert

SERVICE_NAME: acmesvc
        TYPE               : 10  WIN32_OWN_PROCESS
        START_TYPE         : 2   AUTO_START  (DELAYED)
        ERROR_CONTROL      : 1   NORMAL
        BINARY_PATH_NAME   : "C:\\Acme\\svc.exe" -k
        LOAD_ORDER_GROUP   : FSFilter Anti-Virus
        TAG                : 0
        DISPLAY_NAME       : Acme: the service
        DEPENDENCIES       : RpcSs
                           : +Filter
        SERVICE_START_NAME : LocalSystem
"""


def test_sc_query_and_configuration_of_one_service_are_one_record() -> None:
    outcome = read_sc(SC)
    assert looks_like_sc(SC)
    (service,) = outcome.records
    assert (outcome.merged, [f.message for f in outcome.faults]) == (1, ["[SC] EnumQueryServicesStatus:OpenService FEHLER 5:"])
    assert (service.name, service.display_name, service.state, service.state_code, service.pid) == (
        "acmesvc",
        "Acme: the service",
        "Running",
        4,
        1234,
    )
    assert service.accepts == ("STOPPABLE", "NOT_PAUSABLE", "ACCEPTS_SHUTDOWN")
    assert (service.start_mode, service.delayed, service.error_control, service.account) == ("Auto", True, "Normal", "LocalSystem")
    assert (service.path, service.group, service.depends_on) == ('"C:\\Acme\\svc.exe" -k', "FSFilter Anti-Virus", ("RpcSs", "+Filter"))


def test_a_service_that_is_not_there_is_a_fault_and_success_is_none() -> None:
    outcome = read_sc("[SC] QueryServiceConfig SUCCESS\n\n[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\n\nIt does not exist.\n")
    assert (len(outcome.faults), outcome.records) == (1, [])
    assert "1060" in outcome.faults[0].message


def test_get_service_as_json() -> None:
    first = '{"Name":"a","DisplayName":"A","Status":4,"StartType":2}'
    second = '{"Service":{"Name":"b","Status":1},"WMI":{"StartMode":"Manual","StartName":"NT AUTHORITY\\\\x"}}'
    outcome = read_service_json(f'[{first},{second},{{"Name":null}}]')
    a, b = outcome.records
    assert (a.state, a.start_mode, b.state, b.start_mode, b.account) == ("Running", "Auto", "Stopped", "Manual", "NT AUTHORITY\\x")
    assert [f.place for f in outcome.faults] == ["item 2"]
    assert read_service_json("{").faults


def test_get_service_as_list_and_table() -> None:
    one = "\nName                : a\nDisplayName         : A: x\nStatus              : Running\nRequiredServices    : {RpcSs, x}\n"
    listing = one + "\nName : b\nStatus : Stopped\n"
    a, b = read_service_list(listing).records
    assert (a.name, a.display_name, a.state, a.depends_on, b.state) == ("a", "A: x", "Running", ("RpcSs", "x"), "Stopped")
    head = "\nStatus   Name               DisplayName\n------   ----               -----------\n"
    table = head + "Running  acmesvc            Acme service\nStopped  other              Other\n"
    assert [(r.name, r.state, r.display_name) for r in read_service_list(table).records] == [
        ("acmesvc", "Running", "Acme service"),
        ("other", "Stopped", "Other"),
    ]


@given(st.text(alphabet=st.sampled_from('=-: \n"ab1<>,.[]SCé任'), max_size=400))
@pytest.mark.parametrize("reader", [read_drivers, read_filters, read_sc, read_service_list])
def test_any_text_gives_records_or_faults(reader: Callable[[str], Outcome[Any]], text: str) -> None:
    outcome = reader(text)
    assert outcome.rows == len(outcome.records) + len(outcome.faults) + outcome.merged + outcome.skipped


@pytest.mark.parametrize(
    "text",
    [
        '#TYPE System.ServiceProcess.ServiceController\n"Name","RequiredServices","Status","StartType"\n"acme","x","Running","Automatic"\n',
        "\nNode,Name,StartMode,State\nPC,acme,Auto,Running\n",
    ],
)
def test_services_as_csv(text: str) -> None:
    (service,) = read_service_list(text).records
    assert (service.name, service.state, service.start_mode) == ("acme", "Running", "Auto")


def test_a_block_of_sc_without_its_labels_is_read_as_far_as_it_goes() -> None:
    (service,) = read_sc("SERVICE_NAME: a\n        TYPE               : 10  X\n        : y\n        : z\n        : w\n").records
    assert (service.name, service.path, service.start_mode) == ("a", None, None)
