# Jobs of other schedulers, as far as they lie in registry and text files: policy of Windows Server Backup, tables of cron.
# Jobs of SQL Agent lie in a database: they are asked for with the account of the logon, and where that is refused the instance is a gap.

$instances = 'SOFTWARE\Microsoft\Microsoft SQL Server\Instance Names\SQL'
$policy = 'SOFTWARE\Policies\Microsoft\Windows\Backup\Server'

$query = 'SELECT TOP 5001 j.name, j.enabled, s.step_id, s.subsystem, s.step_name, s.command FROM msdb.dbo.sysjobs AS j INNER JOIN msdb.dbo.sysjobsteps AS s ON s.job_id = j.job_id ORDER BY j.name, s.step_id'

# One SELECT over shared memory, which goes on no wire; it is given up after 5 s for the logon and 15 s for the answer.
function Add-AgentJobs([string]$instance) {
    if ($instance -notmatch '^[\w$#@-]{1,64}$') { throw 'not the name of an instance' }
    if ($null -eq ('Data.SqlClient.SqlConnection' -as [Type])) { [void][Reflection.Assembly]::LoadWithPartialName('System.Data') }
    $server = 'lpc:.'
    if ($instance -ne 'MSSQLSERVER') { $server += '\' + $instance }
    $connection = New-Object Data.SqlClient.SqlConnection ('Server=' + $server + ';Database=msdb;Integrated Security=SSPI;Connect Timeout=5;Pooling=false;Application Name=auditor')
    try {
        [void]$connection.Open()
        $command = $connection.CreateCommand()
        $command.CommandText = $query
        $command.CommandTimeout = 15
        $found = $command.ExecuteReader()
        $count = 0
        while ($found.Read()) {
            $count++
            if ($count -gt 5000) {
                Add-Gap $instance 'command' 'only the first 5000 steps of its jobs were read'
                break
            }
            $step = [string]$found.GetValue(2) + ' ' + [string]$found.GetValue(3) + ': ' + [string]$found.GetValue(4)
            $text = $found.GetValue(5)
            if ($text -isnot [string]) { $text = $null }
            Add-Row @{ scheduler = ('sql_agent ' + $instance); name = [string]$found.GetValue(0); step = $step; command = $text; enabled = ([int]$found.GetValue(1) -ne 0) }
        }
    } finally {
        $connection.Dispose()
    }
}

function Get-Agent([string]$instance) {
    if ($instance -eq 'MSSQLSERVER') { return 'SQLSERVERAGENT' }
    return 'SQLAgent$' + $instance
}

function Add-Agents {
    if ($null -eq $sql) { return }
    foreach ($name in $sql.GetValueNames()) {
        $agent = Get-Agent $name
        if (-not (Test-Key ($AuditServicesKey + '\' + $agent))) { continue }
        if ((Get-PathNumber ($AuditServicesKey + '\' + $agent) 'Start') -eq 4) { continue }
        try {
            Add-AgentJobs $name
        } catch {
            Add-Gap $agent 'command' ('jobs of SQL Agent of the instance ' + $name + ' lie in its database msdb, which does not answer this account: ' + (Get-Words $_))
        }
    }
    $sql.Close()
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

$sql = Open-Key $instances
Add-Policy
foreach ($glob in $Parameters['job_files']) {
    foreach ($found in (Find-Files $glob)) {
        try { Add-Table $found } catch { Add-Gap $found '' (Get-Words $_) }
    }
}
Add-Agents
