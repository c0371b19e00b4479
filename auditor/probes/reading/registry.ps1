# Reading of the registry below HKLM: keys, values as text, numbers and lists. The .NET class is used as PowerShell 2.0 has it (no views).

$AuditServicesKey = 'SYSTEM\CurrentControlSet\Services'
$AuditVersionKey = 'SOFTWARE\Microsoft\Windows NT\CurrentVersion'

# A 32-bit process on 64-bit Windows sees the redirected registry and System32 only.
$AuditRedirected = ([IntPtr]::Size -eq 4 -and [Environment]::GetEnvironmentVariable('PROCESSOR_ARCHITEW6432'))

# The key, or null where there is none. Raises SecurityException where it is denied.
function Open-Key([string]$path) {
    return [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($path)
}

function Get-Raw($key, [string]$name) {
    if ($null -eq $key) { return $null }
    $value = $key.GetValue($name, $null, [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
    return , $value
}

# DWORDs come signed from .NET.
function Get-Unsigned($value) {
    if ($value -is [int] -and $value -lt 0) { return [long]$value + 4294967296 }
    return $value
}

function Get-Hex($bytes) {
    return [BitConverter]::ToString([byte[]]$bytes).Replace('-', '').ToLowerInvariant()
}

function Get-ValueText($value) {
    if ($null -eq $value) { return $null }
    if ($value -is [byte[]]) { return Get-Hex $value }
    if ($value -is [string[]]) { return [string]::Join("`n", $value) }
    if ($value -is [long] -and $value -lt 0) { return [Convert]::ToString([decimal]$value + 18446744073709551616d, [Globalization.CultureInfo]::InvariantCulture) }
    return [Convert]::ToString((Get-Unsigned $value), [Globalization.CultureInfo]::InvariantCulture)
}

function Get-KeyText($key, [string]$name) {
    return Get-OrNull (Get-ValueText (Get-Raw $key $name))
}

function Get-KeyNumber($key, [string]$name) {
    $value = Get-Raw $key $name
    if ($value -is [int] -or $value -is [long]) { return Get-Unsigned $value }
    return $null
}

# Items without the empty ones. A single text is a list of one; an absent value is an empty list.
function Get-KeyList($key, [string]$name) {
    $items = New-Object Collections.ArrayList
    $value = Get-Raw $key $name
    if ($value -is [string]) { $value = @($value) }
    if ($value -is [array]) {
        foreach ($item in $value) {
            if ($item -is [string] -and $item -ne '') { [void]$items.Add($item) }
        }
    }
    return , $items
}

# Text of one value below HKLM, null where key or value is absent.
function Get-PathText([string]$path, [string]$name) {
    $key = Open-Key $path
    if ($null -eq $key) { return $null }
    try { return Get-KeyText $key $name } finally { $key.Close() }
}

function Get-PathNumber([string]$path, [string]$name) {
    $key = Open-Key $path
    if ($null -eq $key) { return $null }
    try { return Get-KeyNumber $key $name } finally { $key.Close() }
}

function Test-Key([string]$path) {
    $key = Open-Key $path
    if ($null -eq $key) { return $false }
    $key.Close()
    return $true
}

# Names of subkeys; an empty list where the key is absent.
function Get-Subkeys([string]$path) {
    $key = Open-Key $path
    if ($null -eq $key) { return , @() }
    try { return , $key.GetSubKeyNames() } finally { $key.Close() }
}

# Major and minor version of Windows as a number to compare: 5.2 is 502, 6.1 is 601, 10.0 is 1000.
function Get-Generation {
    $parts = (Get-WindowsVersion).Split('.')
    return 100 * [int]$parts[0] + [int]$parts[1]
}

function Get-WindowsVersion {
    $major = Get-PathNumber $AuditVersionKey 'CurrentMajorVersionNumber'
    if ($null -eq $major) { return Get-PathText $AuditVersionKey 'CurrentVersion' }
    return [string]$major + '.' + [string](Get-PathNumber $AuditVersionKey 'CurrentMinorVersionNumber')
}

function Get-WindowsFolder {
    $folder = Get-PathText $AuditVersionKey 'SystemRoot'
    if ($null -eq $folder) { $folder = [Environment]::GetEnvironmentVariable('SystemRoot') }
    return $folder
}

$AuditStarts = @{ 0 = 'boot'; 1 = 'system'; 2 = 'auto'; 3 = 'demand'; 4 = 'disabled' }

function Get-Start($key) {
    $start = Get-KeyNumber $key 'Start'
    if ($null -eq $start) { return $null }
    return $AuditStarts[[int]$start]
}

# States by service name, from the service control manager: name to a pair of state and display name.
function Get-Controlled($controllers) {
    $words = @{ 1 = 'stopped'; 2 = 'start_pending'; 3 = 'stop_pending'; 4 = 'running'; 5 = 'continue_pending'; 6 = 'pause_pending'; 7 = 'paused' }
    $states = New-Object Collections.Hashtable ([StringComparer]::OrdinalIgnoreCase)
    foreach ($controller in $controllers) {
        try {
            $states[$controller.ServiceName] = @($words[[int]$controller.Status], $controller.DisplayName)
        } catch {
            Add-Gap $controller.ServiceName 'state' (Get-Words $_)
        }
    }
    return $states
}

# PowerShell 2.0 loads this assembly only when it is first used.
function Import-ServiceAssembly {
    [void][Reflection.Assembly]::LoadWithPartialName('System.ServiceProcess')
}
