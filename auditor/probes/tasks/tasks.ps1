# Scheduled tasks as they lie on the disk: task XML from Vista on; before that .job files, and what schtasks prints (it alone knows the account).
# What was read is kept for the scripts section.

$windows = Get-WindowsFolder
$limit = [int]$Parameters['task_limit'][0]
$kept = New-Object Collections.ArrayList
$cache = 'SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache'

function Test-Room {
    if ($kept.Count -lt $limit) { return $true }
    if (-not $Shared['tasks full']) { Add-Gap '' '' ('only the first ' + $limit + ' tasks were read') }
    $Shared['tasks full'] = $true
    return $false
}

# Last run and result as the service itself keeps them in the registry: version 3, FILETIMEs of registration and last run, state, result.
# The time is UTC, and nothing is asked that could hang. The next run is not kept anywhere: it follows from the triggers.
function Get-Dynamic([string]$path) {
    $id = Get-PathText ($cache + '\Tree' + $path) 'Id'
    if ($id -notmatch '^\{[0-9A-Fa-f-]{36}\}$') { return $null }
    $key = Open-Key ($cache + '\Tasks\' + $id)
    if ($null -eq $key) { return $null }
    try { $bytes = Get-Raw $key 'DynamicInfo' } finally { $key.Close() }
    if ($bytes -isnot [byte[]] -or $bytes.Length -lt 28 -or [BitConverter]::ToInt32($bytes, 0) -ne 3) { return $null }
    return , $bytes
}

function Add-LastRun($row) {
    if ($Shared['task cache denied']) { return }
    try {
        $bytes = Get-Dynamic $row['path']
        if ($null -eq $bytes) { return }
        $time = [BitConverter]::ToInt64($bytes, 12)
        if ($time -eq 0) { $row['state'] = 'never run' }
        if ($time -le 0 -or $time -gt 2650467743999999999) { return }
        $row['last_run'] = Get-UtcText ([DateTime]::FromFileTimeUtc($time))
        $row['last_result'] = Get-Unsigned ([BitConverter]::ToInt32($bytes, 24))
    } catch {
        $Shared['task cache denied'] = $true
        Add-Gap '' 'last_run' (Get-Words $_)
    }
}

# Drives that an account keeps mapped (the persistent ones), where its hive is loaded; nothing is loaded for it. Null where it is not.
function Get-HiveDrives([string]$sid) {
    $hive = [Microsoft.Win32.Registry]::Users.OpenSubKey($sid)
    if ($null -eq $hive) { return $null }
    $drives = New-Object Collections.ArrayList
    $network = $hive.OpenSubKey('Network')
    $hive.Close()
    if ($null -eq $network) { return , $drives }
    foreach ($letter in $network.GetSubKeyNames()) {
        $mapped = $network.OpenSubKey($letter)
        $target = Get-KeyText $mapped 'RemotePath'
        $mapped.Close()
        if ($letter.Length -eq 1 -and $null -ne $target) { [void]$drives.Add($letter.ToLowerInvariant() + ': ' + $target) }
    }
    $network.Close()
    return , $drives
}

# Accounts by name, as far as their hives say it (interactive logons of Vista and later). No domain is asked.
function Get-LoadedAccounts {
    $found = New-Object Collections.Hashtable ([StringComparer]::OrdinalIgnoreCase)
    foreach ($name in 'SYSTEM', 'NT AUTHORITY\SYSTEM', 'LocalSystem') { $found[$name] = 'S-1-5-18' }
    foreach ($sid in [Microsoft.Win32.Registry]::Users.GetSubKeyNames()) {
        if ($sid -notmatch '^S-1-5-21-[0-9-]+$') { continue }
        try {
            $key = [Microsoft.Win32.Registry]::Users.OpenSubKey($sid + '\Volatile Environment')
            if ($null -eq $key) { continue }
            $user = Get-KeyText $key 'USERNAME'
            if ($null -ne $user) { $found[[string](Get-KeyText $key 'USERDOMAIN') + '\' + $user] = $sid }
            $key.Close()
        } catch {
            continue
        }
    }
    return $found
}

function Add-UserDrives($row) {
    if ($Shared['user hives denied'] -or $row['text'] -notmatch '(?s)<Principal[\s>].{0,2000}?<UserId>\s*([^<]{1,300}?)\s*</UserId>') { return }
    $account = $Matches[1]
    try {
        if ($null -eq $Shared['accounts']) { $Shared['accounts'] = Get-LoadedAccounts }
        if ($Shared['accounts'].ContainsKey($account)) { $account = $Shared['accounts'][$account] }
        if ($account -notmatch '^S-1-5-[0-9-]+$') { return }
        if (-not $Shared['drives'].ContainsKey($account)) { $Shared['drives'][$account] = Get-HiveDrives $account }
        $drives = $Shared['drives'][$account]
        if ($null -ne $drives -and ($drives.Count -gt 0 -or $account.StartsWith('S-1-5-21-'))) { $row['user_drives'] = $drives }
    } catch {
        $Shared['user hives denied'] = $true
        Add-Gap '' 'user_drives' (Get-Words $_)
    }
}

function Add-XmlTask([string]$file, [string]$path) {
    $row = @{ path = $path; source_format = 'xml'; text = $null; data = $null }
    try {
        $bytes = Read-File $file 1048576
        if ($null -eq $bytes) { Add-Gap $path 'text' 'larger than 1 MiB: not read' } else { $row['text'] = Get-Text $bytes 'task.xml' }
    } catch {
        Add-Gap $path 'text' (Get-Words $_)
    }
    Add-LastRun $row
    if ($null -ne $row['text']) { Add-UserDrives $row }
    Add-Row $row
    [void]$kept.Add($row)
}

# Breadth first with a list of folders: no recursion that a deep tree could exhaust.
function Add-XmlTasks([string]$top) {
    $folders = New-Object Collections.ArrayList
    [void]$folders.Add('')
    for ($i = 0; $i -lt $folders.Count; $i++) {
        $below = $folders[$i]
        try {
            $place = Get-RealPath ($top + $below)
            $files = [IO.Directory]::GetFiles($place)
            foreach ($folder in [IO.Directory]::GetDirectories($place)) {
                $link = [int][IO.File]::GetAttributes($folder) -band [int][IO.FileAttributes]::ReparsePoint
                if ($link -eq 0) { [void]$folders.Add($below + '\' + [IO.Path]::GetFileName($folder)) } else { Add-Gap ($below + '\' + [IO.Path]::GetFileName($folder)) '' 'a link: not followed' }
            }
        } catch {
            if ($below -eq '') { throw }
            Add-Gap $below '' (Get-Words $_)
            continue
        }
        foreach ($file in $files) {
            if (-not (Test-Room)) { return }
            $name = [IO.Path]::GetFileName($file)
            Add-XmlTask ($top + $below + '\' + $name) ($below + '\' + $name)
        }
    }
}

function Add-Jobs([string]$folder) {
    foreach ($name in (Get-FittingNames $folder '*.job' $true)) {
        if (-not (Test-Room)) { return }
        $row = @{ path = $name; source_format = 'job'; text = $null; data = $null }
        try {
            $bytes = Read-File ($folder + '\' + $name) 262144
            if ($null -eq $bytes) { Add-Gap $name 'data' 'larger than 256 KiB: not read' } else { $row['data'] = [Convert]::ToBase64String($bytes) }
            $row['bytes'] = $bytes
        } catch {
            Add-Gap $name 'data' (Get-Words $_)
        }
        [void]$kept.Add($row)
        Add-Row @{ path = $name; source_format = 'job'; text = $null; data = $row['data'] }
    }
}

# The second column of a CSV line whose items all stand in quotes.
function Get-TaskName([string]$line) {
    if ($line -match '^"(?:[^"]|"")*","((?:[^"]|"")*)"') { return $Matches[1].Replace('""', '"') }
    return $null
}

function Read-Listing {
    $listing = Read-Program 'schtasks.exe' '/query /fo csv /v'
    if ($listing[1] -ne 0) { Add-Gap '' 'text' ('schtasks ended with code ' + $listing[1] + ': the accounts of the tasks may not be known') }
    return $listing[0]
}

function Add-Listed([string]$text) {
    $head = $null
    $order = New-Object Collections.ArrayList
    $lines = New-Object Collections.Hashtable ([StringComparer]::OrdinalIgnoreCase)
    foreach ($line in $text.Replace("`r", '').Split([char]10)) {
        $name = Get-TaskName $line
        if ($null -eq $name) { continue }
        if ($null -eq $head) {
            $head = $line
        } elseif ($line -ne $head) {
            if (-not $lines.ContainsKey($name)) { [void]$order.Add($name) }
            $lines[$name] = [string]$lines[$name] + "`n" + $line
        }
    }
    if ($order.Count -lt $kept.Count) { Add-Gap '' 'text' ('schtasks listed ' + $order.Count + ' of ' + $kept.Count + ' tasks: the accounts of the others are not known') }
    foreach ($name in $order) { Add-Row @{ path = $name; source_format = 'schtasks'; text = ($head + $lines[$name]); data = $null } }
}

$Shared['tasks full'] = $false
$Shared['task cache denied'] = $false
$Shared['user hives denied'] = $false
$Shared['drives'] = @{}
if ((Get-Generation) -ge 600) {
    Add-XmlTasks ($windows + '\System32\Tasks')
} else {
    Add-Jobs ($windows + '\Tasks')
    $tool = $windows + '\System32\schtasks.exe'
    try {
        if (Test-File $tool '' 'text') { Add-Listed (Read-Listing) } else { Add-Gap '' 'text' 'schtasks.exe is not there: the accounts of the tasks are not known' }
    } catch {
        Add-Gap '' 'text' ('schtasks: ' + (Get-Words $_))
    }
}
$Shared['tasks'] = $kept
