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

$now = [DateTime]::UtcNow
$limit = [int]$Parameters['logon_limit'][0]
$ids = '=4624'
if ((Get-Generation) -lt 600) { $ids = '=528,540' }
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
    $kept = 0
    # Logons of the system itself and of services are many times the others.
    $rows = Read-Log 'Security' @($ids) $window[0] $window[1] (8 * $limit)
    foreach ($row in $rows) {
        $logon = Get-Logon $row
        if ($logon['logon_type'] -eq 0 -or $logon['logon_type'] -eq 5 -or $seen.ContainsKey($row['record'])) { continue }
        if ($kept -eq $limit) {
            Add-Gap '' '' ('only the newest ' + $limit + ' logons of a window were kept')
            break
        }
        $kept++
        $seen[$row['record']] = $true
        Add-Row $logon
    }
}
Add-Coverage 'Security' $earliest
if ($seen.Count -eq 0) {
    Add-Gap '' '' 'not one logon was recorded, not even the one that this question came by: logons are not audited here'
}
