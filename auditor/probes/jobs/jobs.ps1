# Jobs of other schedulers, as far as they lie in registry and text files: policy of Windows Server Backup, tables of cron.
# Jobs of SQL Agent lie in a database: each instance whose agent may run is a gap.

$instances = 'SOFTWARE\Microsoft\Microsoft SQL Server\Instance Names\SQL'
$policy = 'SOFTWARE\Policies\Microsoft\Windows\Backup\Server'

function Get-Agent([string]$instance) {
    if ($instance -eq 'MSSQLSERVER') { return 'SQLSERVERAGENT' }
    return 'SQLAgent$' + $instance
}

function Add-Agents {
    $key = Open-Key $instances
    if ($null -eq $key) { return }
    foreach ($name in $key.GetValueNames()) {
        $agent = Get-Agent $name
        if (-not (Test-Key ($AuditServicesKey + '\' + $agent))) { continue }
        if ((Get-PathNumber ($AuditServicesKey + '\' + $agent) 'Start') -eq 4) { continue }
        Add-Gap $agent 'command' ('jobs of SQL Agent of the instance ' + $name + ' lie in its database msdb: not supported without a logon to SQL Server')
    }
    $key.Close()
}

function Add-Policy {
    $key = Open-Key $policy
    if ($null -eq $key) { return }
    foreach ($name in $key.GetValueNames()) {
        Add-Row @{ scheduler = 'windows_server_backup_policy'; name = $name; step = $null; command = (Get-ValueText (Get-Raw $key $name)); enabled = $null }
    }
    $key.Close()
}

# A line of cron: five fields or a word with @, then the command.
function Add-Table([string]$path) {
    $bytes = Read-File $path 262144
    if ($null -eq $bytes) {
        Add-Gap $path '' 'larger than 256 KiB: not read'
        return
    }
    $number = 0
    foreach ($line in (Get-Text $bytes $path).Replace("`r", '').Split([char]10)) {
        $number += 1
        if ($line -match '^\s*(#|$)' -or $line -match '^\s*\w+\s*=') { continue }
        if ($line -match '^\s*((?:[\w*/,-]+\s+){5}|@\w+\s+)(\S.*)$') {
            $command = $Matches[2]
            $when = $Matches[1].Trim()
            Add-Row @{ scheduler = $path; name = ('line ' + $number); step = $when; command = $command; enabled = $true }
        } else {
            Add-Gap $path ('line ' + $number) 'no line of a cron table'
        }
    }
}

Add-Agents
Add-Policy
foreach ($glob in $Parameters['job_files']) {
    foreach ($found in (Find-Files $glob)) {
        try { Add-Table $found } catch { Add-Gap $found '' (Get-Words $_) }
    }
}
