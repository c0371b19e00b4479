# Profiles of Windows Firewall from the registry, policy first; counts from its log and from intrusion logs around the last unexpected restart.

$policy = 'SOFTWARE\Policies\Microsoft\WindowsFirewall'
$own = $AuditServicesKey + '\SharedAccess\Parameters\FirewallPolicy'
$longest = 2097152
$picture = 'yyyy-MM-dd HH:mm:ss'
$invariant = [Globalization.CultureInfo]::InvariantCulture
$stamp = New-Object Text.RegularExpressions.Regex '\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d'
$address = New-Object Text.RegularExpressions.Regex '\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b'
$logs = New-Object Collections.ArrayList

# Policy before setting; `PrivateProfile` is the policy's newer name of StandardProfile.
function Get-Number([string[]]$keys, [string]$name) {
    foreach ($key in $keys) {
        $number = Get-PathNumber $key $name
        if ($null -ne $number) { return $number }
    }
    return $null
}

function Get-LogPath([string[]]$keys) {
    foreach ($key in $keys) {
        $text = Get-PathText ($key + '\Logging') 'LogFilePath'
        if ($null -ne $text) { return $text }
    }
    return $null
}

function Add-Profile([string]$name, [string]$key) {
    $keys = @(($policy + '\' + $key), ($own + '\' + $key))
    if ($key -eq 'StandardProfile') { $keys = @(($policy + '\PrivateProfile')) + $keys }
    $enabled = Get-Number $keys 'EnableFirewall'
    $row = @{ profile = $name; enabled = $null; log_path = (Get-LogPath $keys) }
    if ($null -ne $enabled) { $row['enabled'] = ($enabled -ne 0) } else { Add-Gap $name 'enabled' 'neither policy nor setting says whether it is on' }
    Add-Row $row
    if ($null -ne $row['log_path'] -and -not $logs.Contains($row['log_path'])) { [void]$logs.Add($row['log_path']) }
}

function Add-Profiles {
    $names = @('domain', 'DomainProfile', 'private', 'StandardProfile', 'public', 'PublicProfile')
    if ((Get-Generation) -lt 600) { $names[2] = 'standard' }
    for ($i = 0; $i -lt 6; $i += 2) {
        if (Test-Key ($own + '\' + $names[$i + 1])) { Add-Profile $names[$i] $names[$i + 1] }
    }
}

function Get-Windows {
    $now = [DateTime]::UtcNow
    $found = New-Object Collections.ArrayList
    [void]$found.Add(@($now.AddHours(-[int]$Parameters['logon_hours'][0]), $now))
    if ($null -ne $Shared['restart']) { [void]$found.Add(@($Shared['restart'].AddMinutes(-[int]$Parameters['logon_minutes'][0]), $Shared['restart'].AddMinutes(5))) }
    return , $found
}

# Lines of the file's end.
function Get-LogLines([string]$path) {
    $tail = Read-Tail $path $longest
    $lines = (Get-Text $tail[0] $path).Replace("`r", '').Split([char]10)
    if (-not $tail[1]) { $lines[0] = '' }
    return , $lines
}

function Get-Bound([DateTime]$time, [bool]$utc) {
    if (-not $utc) { $time = $time.ToLocalTime() }
    return $time.ToString($picture, $invariant)
}

# Most frequent source of a table of counts; of several the first by text.
function Get-Top($counts) {
    $top = $null
    foreach ($name in @($counts.Keys)) {
        if ($null -eq $top -or $counts[$name] -gt $counts[$top] -or ($counts[$name] -eq $counts[$top] -and [string]::CompareOrdinal($name, $top) -lt 0)) { $top = $name }
    }
    return $top
}

function Get-NewRow([string]$path, $window) {
    return @{ source = $path; window_start = (Get-UtcText $window[0]); window_end = (Get-UtcText $window[1]); dropped = 0; allowed = 0; attacks = 0; top_source = $null }
}

# Fields: date time action protocol src-ip ..., in local time unless the head says otherwise.
function Add-FirewallLog([string]$path, $lines, $windows) {
    $utc = $false
    foreach ($line in $lines) {
        if (-not $line.StartsWith('#') -and $line -ne '') { break }
        if ($line -match '^#Time Format:\s*(UTC|GMT)') { $utc = $true }
    }
    foreach ($window in $windows) {
        $row = Get-NewRow $path $window
        $counts = @{}
        $from = Get-Bound $window[0] $utc
        $until = Get-Bound $window[1] $utc
        foreach ($line in $lines) {
            if ($line.Length -lt 25 -or [string]::CompareOrdinal($line, 0, $from, 0, 19) -lt 0 -or [string]::CompareOrdinal($line, 0, $until, 0, 19) -gt 0) { continue }
            $parts = $line.Split([char]32)
            if ($parts.Length -lt 5) { continue }
            if ($parts[2] -eq 'DROP') {
                $row['dropped'] += 1
                $counts[$parts[4]] = 1 + $counts[$parts[4]]
            } elseif ($parts[2] -eq 'ALLOW' -or $parts[2] -like 'OPEN*') {
                $row['allowed'] += 1
            }
        }
        $row['top_source'] = Get-Top $counts
        Add-Row $row
    }
}

# Any log of one entry a line with a time in it, such as lists of attacks; the first address of a line is its source.
function Add-IntrusionLog([string]$path, $lines, $windows) {
    $utc = $false
    foreach ($line in $lines) {
        if ($stamp.IsMatch($line)) { break }
        if ($line -match 'GMT|UTC') { $utc = $true }
    }
    foreach ($window in $windows) {
        $row = Get-NewRow $path $window
        $counts = @{}
        $from = Get-Bound $window[0] $utc
        $until = Get-Bound $window[1] $utc
        foreach ($line in $lines) {
            $found = $stamp.Match($line)
            if (-not $found.Success) { continue }
            $time = $found.Value.Replace('T', ' ')
            if ([string]::CompareOrdinal($time, $from) -lt 0 -or [string]::CompareOrdinal($time, $until) -gt 0) { continue }
            $row['attacks'] += 1
            $source = $address.Match($line)
            if ($source.Success) { $counts[$source.Value] = 1 + $counts[$source.Value] }
        }
        $row['top_source'] = Get-Top $counts
        Add-Row $row
    }
}

function Get-Expanded([string]$path) {
    $text = $path
    if ($text -match '^(%SystemRoot%|%windir%)\\(.*)$') { return (Get-WindowsFolder) + '\' + $Matches[2] }
    return [Environment]::ExpandEnvironmentVariables($text)
}

if (-not (Test-Key $own)) {
    Set-Status 'unsupported' 'this Windows keeps no firewall profiles in its registry'
} else {
    Add-Profiles
}
$windows = Get-Windows
foreach ($written in $logs) {
    $path = Get-Expanded $written
    try {
        $refusal = Get-Refusal $path
        if ($null -ne $refusal) { Add-Gap $path 'dropped' $refusal } elseif (Test-File $path $path 'dropped') { Add-FirewallLog $path (Get-LogLines $path) $windows }
    } catch {
        Add-Gap $path 'dropped' (Get-Words $_)
    }
}
foreach ($glob in $Parameters['intrusion_logs']) {
    foreach ($path in (Find-Files $glob)) {
        try { Add-IntrusionLog $path (Get-LogLines $path) $windows } catch { Add-Gap $path 'attacks' (Get-Words $_) }
    }
}
