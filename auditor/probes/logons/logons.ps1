# Logons of the last hours, and of the minutes before the last unexpected restart (which the events section finds).

# Fields by position: 4624 of Vista and later, 528 and 540 of XP and 2003.
$places = @{ 4624 = @(5, 6, 8, 11, 18); 528 = @(0, 1, 3, 6, 13); 540 = @(0, 1, 3, 6, 13) }

function Get-Field($strings, [int]$place) {
    if ($place -ge $strings.Count -or $strings[$place] -eq '-') { return $null }
    return Get-OrNull $strings[$place]
}

function Get-Logon($row) {
    $place = $places[$row['id']]
    $kind = 0
    if (-not [int]::TryParse([string](Get-Field $row['strings'] $place[2]), [ref]$kind)) { $kind = $null }
    return @{
        time = $row['time']; account = (Get-Field $row['strings'] $place[0]); domain = (Get-Field $row['strings'] $place[1]); logon_type = $kind
        workstation = (Get-Field $row['strings'] $place[3]); address = (Get-Field $row['strings'] $place[4]); event_id = $row['id']
    }
}

# Keeps the rows of a window, as they come, as logons. $seen has the numbers of the records that are kept, in all windows.
function Add-Logons {
    begin { $kept = 0 }
    process {
        $logon = Get-Logon $_
        if ($logon['logon_type'] -ne 0 -and $logon['logon_type'] -ne 5 -and -not $seen.ContainsKey($_['record'])) {
            $kept++
            if ($kept -le $limit) {
                $seen[$_['record']] = $true
                Add-Row $logon
            }
        }
    }
    end {
        if ($kept -gt $limit) { Add-Gap '' '' ('only the newest ' + $limit + ' logons of a window were kept') }
    }
}

$now = [DateTime]::UtcNow
$limit = [int]$Parameters['logon_limit'][0]
# Logons of the system itself and of services are many times the others: where the log service can't leave them out, more are read.
$ids = '=4624'
$most = $limit
$data = " and *[EventData[Data[@Name='LogonType']!='0']] and *[EventData[Data[@Name='LogonType']!='5']]"
if ((Get-Generation) -lt 600) { $ids = '=528,540' }
if (-not (Test-NewLogs)) {
    $most = 8 * $limit
    $data = ''
}
$windows = @(, @($now.AddHours(-[int]$Parameters['logon_hours'][0]), $now))
if ($null -ne $Shared['restart']) {
    $windows += , @($Shared['restart'].AddMinutes(-[int]$Parameters['logon_minutes'][0]), $Shared['restart'].AddMinutes(5))
} elseif (-not $Shared['restart known']) {
    Add-Gap '' '' 'the events section did not end: the last unexpected restart is not known, logons before it were not looked for'
}
$earliest = $now
$seen = @{}
foreach ($window in $windows) {
    if ($window[0] -lt $earliest) { $earliest = $window[0] }
    Read-Log 'Security' @($ids) $window[0] $window[1] $most $data | Add-Logons
}
Add-Coverage 'Security' $earliest
if ($seen.Count -eq 0) {
    Add-Gap '' '' 'not one logon was recorded, not even the one that this question came by: logons are not audited here'
}
