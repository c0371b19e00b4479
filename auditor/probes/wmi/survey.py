"""What the sections of one host share while they are asked over WMI: the request, the registry, and facts that several need. Pure.

One `Survey` belongs to one host and one collection; it keeps answers so that nothing is asked twice.
"""

from __future__ import annotations

from datetime import datetime

from auditor.model.errors import CollectError
from auditor.probes.bundle import ProbeRequest
from auditor.probes.framing import Hello
from auditor.probes.wmi.properties import moment_of, number_of, text_of, whole_number
from auditor.probes.wmi.questions import Instance, Steps, ask
from auditor.probes.wmi.registry import ENVIRONMENT, Registry

VERSION_KEY = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
SERVICES_KEY = r"SYSTEM\CurrentControlSet\Services"
CONTROL_KEY = r"SYSTEM\CurrentControlSet\Control"
_SYSTEM_QUERY = (
    "SELECT Caption, LocalDateTime, CurrentTimeZone, LastBootUpTime, FreePhysicalMemory, WindowsDirectory FROM Win32_OperatingSystem"
)
_COMPUTER_QUERY = "SELECT * FROM Win32_ComputerSystem"  # DNSHostName is unknown to 2003, where naming it is an error
_FIXED = 3


class Survey:
    """One host, as far as it was asked."""

    def __init__(self, request: ProbeRequest) -> None:
        self.request = request
        self.registry = Registry()
        self.restart: datetime | None = None
        """The last unexpected restart, where the events section has looked for it."""
        self.restart_known = False
        self._instances: dict[str, list[Instance]] = {}
        self._drives: dict[str, bool] | None = None
        self._environment: dict[str, str] = {}

    def once(self, wql: str) -> Steps[list[Instance]]:
        """The instances of a query that several sections ask."""
        if wql not in self._instances:
            self._instances[wql] = yield from ask(wql)
        return self._instances[wql]

    def operating_system(self) -> Steps[Instance]:
        """The one instance of Win32_OperatingSystem, empty where the host gives none."""
        return next(iter((yield from self.once(_SYSTEM_QUERY))), {})

    def computer(self) -> Steps[Instance]:
        """The one instance of Win32_ComputerSystem, empty where the host gives none."""
        return next(iter((yield from self.once(_COMPUTER_QUERY))), {})

    def now(self) -> Steps[datetime]:
        """The host's clock when it was first asked. Raises CollectError where it does not tell."""
        moment = moment_of((yield from self.operating_system()), "LocalDateTime")
        if moment is None:
            raise CollectError("", "the host does not tell its time (Win32_OperatingSystem.LocalDateTime)")
        return moment

    def generation(self) -> Steps[int]:
        """Major and minor version as a number to compare: 5.2 is 502, 6.1 is 601, 10.0 is 1000; 0 where it can't be told."""
        major, _, minor = (yield from self.version()).partition(".")
        return 100 * (whole_number(major) or 0) + (whole_number(minor) or 0)

    def version(self) -> Steps[str]:
        """`major.minor` of Windows."""
        major = yield from self.registry.number(VERSION_KEY, "CurrentMajorVersionNumber")
        if major is None:
            return (yield from self.registry.text(VERSION_KEY, "CurrentVersion")) or ""
        return f"{major}.{yield from self.registry.number(VERSION_KEY, 'CurrentMinorVersionNumber')}"

    def windows(self) -> Steps[str]:
        """The Windows folder in the registry's spelling; where the registry does not tell, in WMI's."""
        folder = yield from self.registry.text(VERSION_KEY, "SystemRoot")
        return folder or text_of((yield from self.operating_system()), "WindowsDirectory") or r"C:\Windows"

    def is_fixed(self, drive: str) -> Steps[bool]:
        """Whether a drive (`C:`) is a fixed local disk."""
        if self._drives is None:
            disks = yield from self.once("SELECT DeviceID, DriveType FROM Win32_LogicalDisk")
            self._drives = {(text_of(disk, "DeviceID") or "").upper(): number_of(disk, "DriveType") == _FIXED for disk in disks}
        return self._drives.get(drive.upper(), False)

    def expand(self, text: str) -> Steps[str]:
        """A text with its `%NAME%` replaced: the Windows folder, its drive, and the system's own variables; others stay."""
        parts = text.split("%")
        result, index = [parts[0]], 1
        while index < len(parts):
            value = (yield from self._variable(parts[index])) if index + 1 < len(parts) and parts[index] else None
            if value is None:
                result.append("%" + parts[index])
                index += 1
            else:
                result += [value, parts[index + 1]]
                index += 2
        return "".join(result)

    def _variable(self, name: str) -> Steps[str | None]:
        upper = name.upper()
        if upper in ("SYSTEMROOT", "WINDIR"):
            return (yield from self.windows())
        if upper == "SYSTEMDRIVE":
            return (yield from self.windows())[:2]
        if upper not in self._environment:
            self._environment[upper] = (yield from self.registry.text(ENVIRONMENT, name)) or ""
        return self._environment[upper] or None


def greet(survey: Survey) -> Steps[Hello]:
    """What the host says first: its clock, and whether the account is an administrator. Raises CollectError where WMI refuses it all.

    An administrator is told by the right to set values in HKLM\\SOFTWARE, which Windows gives to administrators alone; it is asked for
    (StdRegProv.CheckAccess), not used.
    """
    moment = yield from survey.now()
    try:
        elevated = yield from survey.registry.may_write("SOFTWARE")
    except CollectError as error:
        if error.status not in ("denied", "unsupported"):
            raise
        elevated = None
    return Hello(powershell="", elevated=elevated, utc_time=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
