# How fragmented the volumes of the page files are, as Windows' own analysis says. Only when asked for: it reads a volume's whole file table. It
# moves nothing; of WMI's methods it is the only one that the probe calls.

$AuditCodes = @{ 1 = 'access is denied'; 2 = 'not supported for this volume'; 3 = 'the volume is marked dirty'; 8 = 'a defragmentation is running' }

function Get-PageVolumes {
    $found = New-Object Collections.ArrayList
    foreach ($usage in (Get-Instances 'Win32_PageFileUsage' '')) {
        $name = [string](Get-Property $usage 'Name')
        if ($name -notmatch '^[A-Za-z]:') { continue }
        if (@($found) -notcontains $name.Substring(0, 2)) { [void]$found.Add($name.Substring(0, 2)) }
    }
    if ($found.Count -eq 0) { [void]$found.Add([Environment]::GetEnvironmentVariable('SystemDrive')) }
    return , $found
}

function Get-Analysis($volume) {
    if ($volume.PSBase.GetType().Name -eq 'CimInstance') { return Invoke-CimMethod -InputObject $volume -MethodName 'DefragAnalysis' }
    return $volume.DefragAnalysis()
}

function Add-Analysis([string]$drive, $volume) {
    $Shared['waiting'] = 'the analysis of ' + $drive
    $told = Get-Analysis $volume
    $Shared['waiting'] = $null
    $code = [int]$told.ReturnValue
    if ($code -ne 0) {
        $words = 'Windows gives the code ' + $code + ' for its analysis'
        if ($AuditCodes[$code]) { $words += ': ' + $AuditCodes[$code] }
        Add-Gap $drive 'percent' $words
        return
    }
    $analysis = $told.DefragAnalysis
    Add-Row @{
        volume = $drive; recommended = $told.DefragRecommended
        percent = (Get-PropertyNumber $analysis 'TotalPercentFragmentation'); file_percent = (Get-PropertyNumber $analysis 'FilePercentFragmentation')
        page_file_fragments = (Get-PropertyNumber $analysis 'TotalPageFileFragments')
    }
}

foreach ($drive in (Get-PageVolumes)) {
    $volumes = Get-Instances 'Win32_Volume' ("DriveLetter = '" + $drive + "'")
    if ($volumes.Count -eq 0) { Add-Gap $drive 'percent' 'no such volume is listed' }
    foreach ($volume in $volumes) { Add-Analysis $drive $volume }
}
