# Event logs: records as rows, newest first. From Vista/2008 on the event log service is asked by XPath, before that, and where .NET 3.5 is
# missing, the EventLog class.
# A wanted list has items `provider=id,id` or `provider=*`.

$AuditReader = 'System.Diagnostics.Eventing.Reader.EventLogReader'
$AuditUnexpected = @('EventLog=6008', 'Microsoft-Windows-Kernel-Power=41', 'BugCheck=1001', 'Microsoft-Windows-WER-SystemErrorReporting=1001', 'Save Dump=1001')

function Test-NewLogs {
    if ((Get-Generation) -lt 600) { return $false }
    if ($null -eq ($AuditReader -as [Type])) { [void][Reflection.Assembly]::LoadWithPartialName('System.Core') }
    if ($null -ne ($AuditReader -as [Type])) { return $true }
    # Vista/2008 without .NET 3.5: the class of old shows the classic logs of later Windows too.
    if (-not $Answer['classic logs']) { Add-Gap '' 'level' 'this host has no .NET 3.5: its logs are read through the classic interface, which has no level critical and looks at the newest 60000 records' }
    $Answer['classic logs'] = $true
    return $false
}

function Get-XmlText([string]$text) {
    return $text.Replace('&', '&amp;').Replace('<', '&lt;').Replace('>', '&gt;').Replace('"', '&quot;').Replace("'", '&apos;')
}

function Get-TimeBounds([DateTime]$from, [DateTime]$until) {
    $picture = 'yyyy-MM-ddTHH:mm:ss.fffZ'
    $invariant = [Globalization.CultureInfo]::InvariantCulture
    return "TimeCreated[@SystemTime&gt;='" + $from.ToString($picture, $invariant) + "' and @SystemTime&lt;='" + $until.ToString($picture, $invariant) + "']"
}

# Conditions on provider and id. Providers of which all events are wanted come 15 to a selection: one holds some 20 conditions at most.
function Get-Conditions($wanted) {
    $conditions = New-Object Collections.ArrayList
    $whole = New-Object Collections.ArrayList
    foreach ($item in $wanted) {
        $at = $item.LastIndexOf('=')
        $ids = $item.Substring($at + 1)
        $name = "@Name='" + (Get-XmlText $item.Substring(0, $at)) + "'"
        $condition = '(EventID=' + $ids.Replace(',', ' or EventID=') + ')'
        if ($ids -eq '*') {
            [void]$whole.Add($name)
        } elseif ($at -gt 0) {
            [void]$conditions.Add('Provider[' + $name + '] and ' + $condition)
        } else {
            [void]$conditions.Add($condition)
        }
    }
    for ($i = 0; $i -lt $whole.Count; $i += 15) {
        [void]$conditions.Add('Provider[' + [string]::Join(' or ', [string[]]$whole.GetRange($i, [Math]::Min(15, $whole.Count - $i))) + ']')
    }
    return , $conditions
}

# A structured query of several selections, so that the log is walked through once. $data is a condition on the event's own data, or empty.
function Get-LogQuery([string]$log, $wanted, [DateTime]$from, [DateTime]$until, [string]$data) {
    $bounds = Get-TimeBounds $from $until
    $path = Get-XmlText $log
    $text = New-Object Text.StringBuilder
    [void]$text.Append('<QueryList><Query Id="0" Path="').Append($path).Append('">')
    foreach ($condition in (Get-Conditions $wanted)) {
        [void]$text.Append('<Select Path="').Append($path).Append('">*[System[').Append($condition).Append(' and ').Append($bounds).Append(']]').Append($data).Append('</Select>')
    }
    return $text.Append('</Query></QueryList>').ToString()
}

function Get-DataText($value) {
    if ($null -eq $value) { return '' }
    if ($value -is [byte[]]) { return Get-Hex $value }
    if ($value -is [DateTime]) { return Get-UtcText $value }
    if ($value -is [array]) { return [string]::Join("`n", [string[]]$value) }
    return [Convert]::ToString($value, [Globalization.CultureInfo]::InvariantCulture)
}

function Get-NewLevel($record) {
    # The audit bits of the security log's keywords.
    if ($null -ne $record.Keywords) {
        if (([long]$record.Keywords -band 0x20000000000000) -ne 0) { return 'audit_success' }
        if (([long]$record.Keywords -band 0x10000000000000) -ne 0) { return 'audit_failure' }
    }
    $words = @{ 0 = 'information'; 1 = 'critical'; 2 = 'error'; 3 = 'warning'; 4 = 'information' }
    if ($null -ne $record.Level -and $words.ContainsKey([int]$record.Level)) { return $words[[int]$record.Level] }
    return 'unknown'
}

function Get-NewRow([string]$log, $record) {
    $strings = New-Object Collections.ArrayList
    try {
        foreach ($property in $record.Properties) { [void]$strings.Add((Get-DataText $property.Value)) }
    } catch {
        Add-Gap ($log + ' ' + $record.RecordId) 'strings' (Get-Words $_)
    }
    return @{
        log = $log; source = $record.ProviderName; id = [int]$record.Id; time = (Get-UtcText $record.TimeCreated)
        record = $record.RecordId; level = (Get-NewLevel $record); strings = $strings; message = $null; category = $record.Task
    }
}

function Add-Limit([string]$log, [int]$count, [int]$limit) {
    if ($count -ge $limit) { Add-Gap '' '' ($log + ': only the newest ' + $limit + ' records that are wanted were kept') }
}

# Rows of a log in a time window, at most $limit of them, each given on as soon as it is read.
function Read-NewLog([string]$log, $wanted, [DateTime]$from, [DateTime]$until, [int]$limit, [string]$data) {
    $count = 0
    $query = New-Object System.Diagnostics.Eventing.Reader.EventLogQuery ($log, 'LogName', (Get-LogQuery $log $wanted $from $until $data))
    $query.ReverseDirection = $true
    $reader = New-Object System.Diagnostics.Eventing.Reader.EventLogReader $query
    try {
        while ($count -lt $limit -and $null -ne ($record = $reader.ReadEvent())) {
            $count++
            Get-NewRow $log $record
            [void]$record.Dispose()
        }
    } finally {
        [void]$reader.Dispose()
    }
    Add-Limit $log $count $limit
}

function Get-OldRow([string]$log, $entry) {
    $strings = New-Object Collections.ArrayList
    foreach ($text in $entry.ReplacementStrings) { [void]$strings.Add([string]$text) }
    if ($null -ne $entry.Data -and $entry.Data.Length -gt 0) { [void]$strings.Add((Get-Hex $entry.Data)) }
    $words = @{ 1 = 'error'; 2 = 'warning'; 4 = 'information'; 8 = 'audit_success'; 16 = 'audit_failure'; 0 = 'information' }
    return @{
        log = $log; source = $entry.Source; id = [int]($entry.InstanceId % 65536); time = (Get-UtcText $entry.TimeGenerated)
        record = $entry.Index; level = $words[[int]$entry.EntryType]; strings = $strings; message = $null; category = $entry.CategoryNumber
    }
}

function Get-WantedTable($wanted) {
    $table = New-Object Collections.Hashtable ([StringComparer]::OrdinalIgnoreCase)
    foreach ($item in $wanted) {
        $at = $item.LastIndexOf('=')
        foreach ($id in $item.Substring($at + 1).Split(',')) { $table[$item.Substring(0, $at) + '=' + $id] = $true }
    }
    return $table
}

function Test-Wanted($table, [string]$source, $id) {
    return $table.ContainsKey($source + '=' + $id) -or $table.ContainsKey($source + '=*') -or $table.ContainsKey('=' + $id)
}

# Walks back from the newest record. 60,000 records are looked at and no more: a full log of 2003 holds about as many.
function Read-OldLog([string]$log, $wanted, [DateTime]$from, [DateTime]$until, [int]$limit) {
    $count = 0
    $table = Get-WantedTable $wanted
    $entries = (New-Object Diagnostics.EventLog $log).Entries
    $first = [Math]::Max(0, $entries.Count - 60000)
    for ($i = $entries.Count - 1; $i -ge $first -and $count -lt $limit; $i--) {
        $entry = $entries.Item($i)
        $time = $entry.TimeGenerated.ToUniversalTime()
        if ($time -lt $from) { return }
        if ($time -le $until -and (Test-Wanted $table $entry.Source ([int]($entry.InstanceId % 65536)))) {
            $count++
            Get-OldRow $log $entry
        }
    }
    if ($first -gt 0) { Add-Gap '' '' ($log + ': only the newest 60000 records were looked at') }
    Add-Limit $log $count $limit
}

# Gives rows on one by one. $data is a condition in XPath on the event's own data, which only Vista/2008 and later can be asked.
function Read-Log([string]$log, $wanted, [DateTime]$from, [DateTime]$until, [int]$limit, [string]$data) {
    $Shared['waiting'] = 'the event log service'
    if ($Shared['the event log service hangs']) { throw ('not asked again: the event log service did not answer an earlier section (' + $Shared['the event log service hangs'] + ')') }
    if (Test-NewLogs) { Read-NewLog $log $wanted $from $until $limit $data } else { Read-OldLog $log $wanted $from $until $limit }
    $Shared['waiting'] = $null
}

# Time of the oldest record as text, null where the log is empty.
function Get-Oldest([string]$log) {
    if (Test-NewLogs) {
        $reader = New-Object System.Diagnostics.Eventing.Reader.EventLogReader ($log, 'LogName')
        try {
            $record = $reader.ReadEvent()
            if ($null -eq $record) { return $null }
            return Get-UtcText $record.TimeCreated
        } finally {
            $reader.Dispose()
        }
    }
    $entries = (New-Object Diagnostics.EventLog $log).Entries
    if ($entries.Count -eq 0) { return $null }
    $first = $entries.Item(0)
    return Get-UtcText $first.TimeGenerated
}

function Add-Coverage([string]$log, [DateTime]$from) {
    [void]$Answer['coverage'].Add(@{ log = $log; oldest = (Get-Oldest $log); asked_from = (Get-UtcText $from) })
}

# The moment that an investigation looks round, as a DateTime in UTC, or null.
function Get-Around {
    $text = $Parameters['around'][0]
    if (-not $text) { return $null }
    return [DateTime]::ParseExact($text, 'yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture, 'AdjustToUniversal, AssumeUniversal')
}

# The newest record that tells of an unexpected restart, as a DateTime in UTC, or null.
function Find-Restart($rows) {
    $table = Get-WantedTable $AuditUnexpected
    foreach ($row in $rows) {
        if (Test-Wanted $table $row['source'] $row['id']) {
            return [DateTime]::ParseExact($row['time'], 'yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture, 'AdjustToUniversal, AssumeUniversal')
        }
    }
    return $null
}
