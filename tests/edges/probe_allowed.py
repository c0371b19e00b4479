"""What the probe's scripts may use, each with the reason why it changes nothing on a host. The test allows no more."""

from __future__ import annotations

COMMANDS = {
    "Get-AuthenticodeSignature": "looks at a file's signature",
    "Get-Command": "tells whether another command exists",
    "Get-WmiObject": "queries WMI",
    "Get-CimInstance": "the same on PowerShell 7",
    "Invoke-CimMethod": "DefragAnalysis, which reads; the test below looks at its name",
    "New-Object": "objects in memory, of the classes below",
}

COMPUTED = {
    "core.ps1": {". $AuditReading": "defines the readers, which are walked themselves"},
    "bootstrap": {"& ([ScriptBlock]::Create($reader.ReadToEnd()))": "runs the bundle, which is walked as a whole"},
}
"""Calls of something other than a command by its name."""

NEW = {
    "Collections.ArrayList": "a list",
    "Collections.Hashtable": "a map",
    "Data.SqlClient.SqlConnection": "SQL Server of the same machine; the test below looks at what is asked",
    "DateTime": "a time",
    "Diagnostics.EventLog": "event log of 2003, read",
    "Diagnostics.ProcessStartInfo": "listings of Windows' own tools; the test below looks at its fields",
    "IO.Compression.GZipStream": "packs in memory",
    "IO.DriveInfo": "kind of a drive",
    "IO.FileInfo": "size and times",
    "IO.FileStream": "opened to read only; the test below looks at it",
    "IO.MemoryStream": "bytes in memory",
    "IO.StreamReader": "reads the bundle from memory",
    "Security.Cryptography.SHA256CryptoServiceProvider": "a digest",
    "Security.Cryptography.SHA256Managed": "a digest",
    "Security.Principal.WindowsPrincipal": "whether the account is an administrator",
    "System.Diagnostics.Eventing.Reader.EventLogQuery": "a query",
    "System.Diagnostics.Eventing.Reader.EventLogReader": "event log, read",
    "Text.RegularExpressions.Regex": "a pattern",
    "Text.StringBuilder": "a text",
    "Text.UTF8Encoding": "an encoding",
    "Text.UnicodeEncoding": "an encoding",
    "byte[]": "a buffer",
    "$class[1]": "one of the digest classes listed above it",
}
"""Types that New-Object may make."""

STATIC = {
    "[Array]::Copy": "between arrays in memory",
    "[BitConverter]::*": "bytes to numbers and texts",
    "[Collections.ArrayList]::Synchronized": "a list",
    "[Console]::In": "standard input, the bundle",
    "[Console]::Out": "standard output, the answer",
    "[Convert]::*": "between values and texts",
    "[DateTimeKind]::Utc": "a constant",
    "[DateTime]::FromFileTimeUtc": "a time",
    "[DateTime]::ParseExact": "a time",
    "[DateTime]::UtcNow": "the clock, read",
    "[Diagnostics.FileVersionInfo]::GetVersionInfo": "version resource, read",
    "[Diagnostics.Process]::Start": "listings of Windows' own tools; the test below looks at it",
    "[Diagnostics.Stopwatch]::StartNew": "measures time",
    "[Environment]::Exit": "ends this process, and with it a hung runspace",
    "[Environment]::ExpandEnvironmentVariables": "environment, read",
    "[Environment]::GetEnvironmentVariable": "environment, read",
    "[Environment]::GetFolderPath": "path of a known folder",
    "[Globalization.CultureInfo]::InvariantCulture": "a constant",
    "[Hashtable]::Synchronized": "a map",
    "[IO.Compression.CompressionMode]::*": "constants",
    "[IO.Directory]::Exists": "looks",
    "[IO.Directory]::GetDirectories": "lists",
    "[IO.Directory]::GetFiles": "lists",
    "[IO.DriveType]::Fixed": "a constant",
    "[IO.FileAccess]::Read": "a constant; no other access is allowed",
    "[IO.FileAttributes]::*": "constants",
    "[IO.FileMode]::Open": "a constant; no other mode is allowed",
    "[IO.FileShare]::*": "constants: others may go on writing",
    "[IO.File]::Exists": "looks",
    "[IO.File]::GetAttributes": "looks",
    "[IO.Path]::*": "paths as texts",
    "[IO.SeekOrigin]::Begin": "a constant",
    "[IntPtr]::Size": "bits of the process",
    "[Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace": "a runspace in this process, for deadlines",
    "[Math]::*": "arithmetic",
    "[Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames": "a constant",
    "[Microsoft.Win32.Registry]::LocalMachine": "opened to read only: OpenSubKey takes one argument, see below",
    "[Microsoft.Win32.Registry]::Users": "the same; hives that are loaded, none is loaded for it",
    "[PowerShell]::Create": "runs a section in its runspace",
    "[Reflection.Assembly]::LoadWithPartialName": "loads System.ServiceProcess, System.Core or System.Data of Windows' own .NET",
    "[ScriptBlock]::Create": "bootstrap only: the bundle",
    "[Security.Principal.WindowsBuiltInRole]::Administrator": "a constant",
    "[Security.Principal.WindowsIdentity]::GetCurrent": "the account",
    "[ServiceProcess.ServiceController]::GetDevices": "lists",
    "[ServiceProcess.ServiceController]::GetServices": "lists",
    "[StringComparer]::*": "constants",
    "[StringComparison]::*": "constants",
    "[Text.Encoding]::*": "encodings",
    "[Text.RegularExpressions.Regex]::*": "matching",
    "[int]::TryParse": "text to number",
    "[string]::CompareOrdinal": "two texts",
    "[string]::Join": "a text",
}
"""Static members; a star stands for all members of a type that only computes."""

_VALUES = """
Add AddDays AddHours AddMinutes AddSeconds Append Contains ContainsKey Count Data GetRange Groups Index IndexOf IndexOfAny IsMatch Item Keys
LastIndexOf Length Match Matches Replace Sort Split StartsWith Substring Success Ticks ToArray ToLocalTime ToLowerInvariant ToString
ToUniversalTime Trim TrimEnd TrimStart Value
"""
_ERRORS = "ErrorCode ErrorRecord Exception GetType HResult InnerException Message MessageId Name NativeErrorCode"
_REGISTRY = "Close GetSubKeyNames GetValue GetValueKind GetValueNames OpenSubKey"
_FILES = """
Close CompanyName ComputeHash CreationTimeUtc DriveType FileBuildPart FileDescription FileMajorPart FileMinorPart FilePrivatePart
FileVersion GetBytes GetString LastWriteTimeUtc OriginalFilename ProductBuildPart ProductMajorPart ProductMinorPart ProductName
ProductPrivatePart Read ReadToEnd Seek SignerCertificate Subject
"""
_SERVICES = "DisplayName ServiceName Status"
_WMI = "CimInstanceProperties PSBase Properties $name"
_LOGS = """
CategoryNumber Dispose Entries EntryType Id InstanceId Keywords Level ProviderName ReadEvent RecordId ReplacementStrings
ReverseDirection Source Task TimeCreated TimeGenerated
"""
MEMBERS = frozenset(" ".join([_VALUES, _ERRORS, _REGISTRY, _FILES, _SERVICES, _WMI, _LOGS]).split())
"""Members that any script may use: values, errors, and what is read of registry keys, files, services, WMI instances and event records."""

MEMBERS_BY_SCRIPT = {
    "core.ps1": {
        "AddScript": "a section into its own runspace",
        "AsyncWaitHandle": "the deadline",
        "BeginInvoke": "starts a section in its runspace",
        "BeginStop": "gives a section up",
        "ElapsedMilliseconds": "measures time",
        "EndInvoke": "the end of a section",
        "Flush": "standard output",
        "Invoke": "defines the readers in a runspace",
        "IsInRole": "whether the account is an administrator",
        "Kill": "ends the one process that the script started itself",
        "Open": "a runspace",
        "PSVersion": "version of the engine",
        "Runspace": "of a section",
        "SessionStateProxy": "variables of a runspace",
        "SetVariable": "variables of a runspace",
        "WaitOne": "the deadline",
        "Write": "standard output, and the packer in memory",
    },
    "fragmentation.ps1": {
        "DefragAnalysis": "the one method of WMI that is called: an analysis, which moves nothing; and its answer",
        "DefragRecommended": "of its answer",
        "ReturnValue": "of its answer",
    },
    "jobs.ps1": {
        "CommandText": "the one SELECT",
        "CommandTimeout": "its deadline",
        "CreateCommand": "the SELECT",
        "ExecuteReader": "reads its rows",
        "Open": "the connection",
    },
    "run.ps1": {
        "Arguments": "of the listing",
        "CreateNoWindow": "of the listing",
        "ExitCode": "of the listing",
        "FileName": "of the listing",
        "RedirectStandardOutput": "of the listing",
        "StandardOutput": "of the listing",
        "StandardOutputEncoding": "of the listing",
        "UseShellExecute": "of the listing",
        "WaitForExit": "of the listing",
    },
    "system.ps1": {"PSVersion": "version of the engine"},
    "bootstrap": {"SessionState": "language mode", "LanguageMode": "language mode"},
}
"""Members that one script alone may use."""

ASSIGNED = {
    "logs.ps1": {"$query.ReverseDirection"},
    "core.ps1": {"$shell.Runspace"},
    "jobs.ps1": {"$command.CommandText", "$command.CommandTimeout"},
    "run.ps1": {
        f"$start.{name}"
        for name in ("FileName", "Arguments", "UseShellExecute", "CreateNoWindow", "RedirectStandardOutput", "StandardOutputEncoding")
    },
}
"""Properties that are set, all of objects in memory."""

OUTER_VARIABLES: frozenset[str] = frozenset()
"""Variables of other scopes or drives ($env:, $global:) that are set: none."""

WMI_CLASSES = frozenset(
    {
        "MSFT_MpComputerStatus",
        "MSFT_MpPreference",
        "Win32_ComputerSystem",
        "Win32_LogicalDisk",
        "Win32_NetworkAdapterConfiguration",
        "Win32_OperatingSystem",
        "Win32_OptionalFeature",
        "Win32_PageFileUsage",
        "Win32_QuickFixEngineering",
        "Win32_ServerConnection",
        "Win32_ServerFeature",
        "Win32_ServerSession",
        "Win32_Service",
        "Win32_Share",
        "Win32_Volume",
    }
)
"""Classes that are asked for. Win32_Product repairs what it lists, and is never one of them."""
