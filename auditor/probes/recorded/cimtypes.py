"""CIM types of properties that WS-Management and wmic print as bare text, by property name (Microsoft's Win32 class reference).

Names that differ between classes stand with their class. A name that is not listed has no known type: its text stays text.
"""

from __future__ import annotations

import re

_BY_TYPE = {
    "uint8": (
        "DataExecutionPrevention_SupportPolicy ForegroundApplicationBoost QuantumLength QuantumType "
        "SystemStartupSetting SIDType EventType DefaultTOS DefaultTTL IGMPLevel"
    ),
    "uint16": (
        "ExecutionState OSType ServicePackMajorVersion ServicePackMinorVersion AdminPasswordStatus BootOptionOnLimit "
        "BootOptionOnWatchDog ChassisBootupState DomainRole FrontPanelResetStatus KeyboardPasswordStatus PCSystemType "
        "PCSystemTypeEx PowerOnPasswordStatus PowerState PowerSupplyState ResetCapability SystemStartupDelay "
        "ThermalState WakeUpType Access Availability StatusInfo Category EventCode AddressWidth Architecture CpuStatus "
        "DataWidth Family LoadPercentage ProcessorType Revision UpgradeMethod CurrentVoltage FormFactor MemoryType "
        "TypeDetail SCSILogicalUnit SCSIPort SCSITargetId SecurityStatus NumberOfPowerCords HeatGeneration "
        "AssignmentType TcpWindowSize"
    ),
    "uint32": (
        "CheckPoint ExitCode ProcessId ServiceSpecificExitCode TagId WaitHint HandleCount MaximumWorkingSetSize "
        "MinimumWorkingSetSize PageFaults PageFileUsage ParentProcessId PeakPageFileUsage PeakWorkingSetSize Priority "
        "QuotaNonPagedPoolUsage QuotaPagedPoolUsage QuotaPeakNonPagedPoolUsage QuotaPeakPagedPoolUsage SessionId "
        "ThreadCount EncryptionLevel MaxNumberOfProcesses NumberOfLicensedUsers NumberOfProcesses NumberOfUsers "
        "OperatingSystemSKU OSLanguage OSProductSuite ProductType SuiteMask NumberOfLogicalProcessors "
        "NumberOfProcessors ConfigManagerErrorCode DriveType LastErrorCode MaximumComponentLength MediaType "
        "EventIdentifier RecordNumber AccountType Index InterfaceIndex IPConnectionMetric TcpipNetbiosOptions "
        "AccessMask MaximumAllowed CurrentClockSpeed ExtClock L2CacheSize L2CacheSpeed L3CacheSize L3CacheSpeed "
        "MaxClockSpeed NumberOfCores VoltageCaps AllocatedBaseSize CurrentUsage PeakUsage InitialSize MaximumSize JobId "
        "DaysOfMonth DaysOfWeek BytesPerSector Partitions SCSIBus SectorsPerTrack Signature TotalHeads "
        "TracksPerCylinder NumberOfMediaLoaded Speed productState ForwardBufferMemory IPXMediaType KeepAliveInterval "
        "KeepAliveTime MTU NumForwardPackets TcpMaxConnectRetransmissions TcpMaxDataRetransmissions TcpNumConnections "
        "MaximumFileNameLength Protocol"
    ),
    "uint64": (
        "KernelModeTime OtherOperationCount OtherTransferCount PeakVirtualSize PrivatePageCount ReadOperationCount "
        "ReadTransferCount UserModeTime VirtualSize WorkingSetSize WriteOperationCount WriteTransferCount "
        "FreePhysicalMemory FreeSpaceInPagingFiles FreeVirtualMemory MaxProcessMemorySize SizeStoredInPagingFiles "
        "TotalSwapSpaceSize TotalVirtualMemorySize TotalVisibleMemorySize TotalPhysicalMemory BlockSize FreeSpace "
        "NumberOfBlocks Size Capacity TotalCylinders TotalSectors TotalTracks DefaultBlockSize MaxBlockSize "
        "MaxMediaSize MinBlockSize"
    ),
    "sint16": "CurrentTimeZone ResetCount ResetLimit CurrentRequiredOrProduced InstallState",
    "sint64": "PauseAfterReset",
    "string[]": (
        "MUILanguages OEMStringArray Roles SupportContactDescription SystemStartupOptions InitialLoadInfo "
        "InsertionStrings IPAddress IPSubnet DefaultIPGateway DNSServerSearchOrder DNSDomainSuffixSearchOrder "
        "IPSecPermitIPProtocols IPSecPermitTCPPorts IPSecPermitUDPPorts IPXNetworkNumber TypeDescriptions"
    ),
    "uint16[]": "PowerManagementCapabilities GatewayCostMetric ChassisTypes ServicePhilosophy",
    "uint8[]": "OEMLogoBitmap Data",
    "datetime": (
        "CreationDate InstallDate LastBootUpTime LocalDateTime TerminationDate TimeGenerated TimeWritten StartTime "
        "TimeSubmitted UntilTime TimeOfLastReset DHCPLeaseObtained DHCPLeaseExpires InstallDate2"
    ),
    "string": (
        "BuildNumber CodeSet CountryCode Locale SerialNumber Handle Name Version Caption Description DeviceID "
        "VolumeSerialNumber SystemName CSName DisplayName PathName StartName State Status ServiceType StartMode "
        "ErrorControl HotFixID ServicePackInEffect InstalledOn SID Domain"
    ),
    "sint32": "Age Metric1 Metric2 Metric3 Metric4 Metric5",
    "uint32[]": "IPXFrameType",
}
_TYPES = {name: type_ for type_, names in _BY_TYPE.items() for name in names.split()}
_OF_CLASS = {
    ("Win32_Share", "Type"): "uint32",
    ("Win32_IP4RouteTable", "Type"): "uint32",
    ("Win32_Processor", "Level"): "uint16",
    ("Win32_Volume", "SerialNumber"): "uint32",
    ("Win32_Product", "InstallDate"): "string",
}
_COUNTERS = ("Win32_PerfRawData_", "Win32_PerfFormattedData_")
_WHOLE = re.compile(r"-?\d{1,20}")
Value = str | int | bool | None


def cim_type(class_name: str | None, name: str) -> str | None:
    """The CIM type of a property, `[]` behind it for arrays; None where it is not known."""
    known = _OF_CLASS.get((class_name or "", name)) or _TYPES.get(name)
    # Every property of a counter class but its name and words is a number; which width is not known.
    return known or ("integer" if (class_name or "").startswith(_COUNTERS) else None)


def typed_text(text: str, type_: str | None) -> tuple[Value, str | None]:
    """The value of a text under a type, and the type; without one, only true and false tell theirs."""
    bare = (type_ or "").removesuffix("[]")
    if bare.startswith(("uint", "sint", "integer")) and _WHOLE.fullmatch(text.strip()):
        return int(text), bare
    if text.casefold() in ("true", "false") and bare in ("", "boolean"):
        return text.casefold() == "true", "boolean"
    return text, bare or None
