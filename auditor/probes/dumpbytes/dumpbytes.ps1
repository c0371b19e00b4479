# Bytes of one dump file, for investigations: the newest, or the first that was written after the moment. Never more than a set size.

$most = [long][Convert]::ToInt32($Parameters['dump_limit_bytes'][0])
$piece = 524288

# Whether one dump is to be preferred: a small one over that of all memory where both are of one crash, else the newer one; round a given
# moment the older one.
function Test-Better($dump, $best, $around) {
    $late = ($dump['written'] - $best['written']) / 600000000
    if ($null -ne $around) { $late = -$late }
    if ($late -gt 60) { return $true }
    if ($dump['kind'] -eq $best['kind']) { return $late -gt 0 }
    return $dump['kind'] -eq 'minidump' -and $late -ge -60
}

function Get-Chosen($dumps) {
    $around = Get-Around
    $best = $null
    foreach ($dump in $dumps) {
        if ($null -ne $around -and $dump['written'] -lt $around.AddMinutes(-10).Ticks) { continue }
        if ($null -eq $best -or (Test-Better $dump $best $around)) { $best = $dump }
    }
    return $best
}

# Ranges are texts `offset:size`; without any the file is read from its start.
function Add-Pieces([string]$path, $ranges) {
    $stream = Open-File $path
    $taken = [long]0
    try {
        $size = $stream.Length
        $written = Get-UtcText (New-Object IO.FileInfo (Get-RealPath $path)).LastWriteTimeUtc
        foreach ($range in $ranges) {
            $ends = $range.Split([char]58)
            $at = [Convert]::ToInt64($ends[0])
            $end = [Math]::Min($at + [Convert]::ToInt64($ends[1]), $size)
            while ($at -lt $end -and $taken -lt $most) {
                [void]$stream.Seek($at, [IO.SeekOrigin]::Begin)
                $bytes = Read-Bytes $stream ([int][Math]::Min([Math]::Min($piece, $end - $at), $most - $taken))
                if ($bytes.Length -eq 0) { break }
                Add-Row @{ path = $path; offset = $at; size_bytes = $size; modified_at = $written; data = [Convert]::ToBase64String($bytes) }
                $at += $bytes.Length
                $taken += $bytes.Length
            }
        }
        if ($taken -lt $size) { Add-Gap $path 'data' ([string]$taken + ' of ' + $size + ' bytes were taken') }
    } finally {
        $stream.Close()
    }
}

if ($null -eq $Shared['dumps']) {
    Set-Status 'failed' 'the dumps section did not end: which dumps there are is not known'
} else {
    $chosen = Get-Chosen $Shared['dumps']
    $ranges = $Parameters['dump_ranges']
    if ($ranges.Count -eq 0) { $ranges = @(, ('0:' + $most)) }
    if ($null -ne $chosen) {
        try { Add-Pieces $chosen['path'] $ranges } catch { Add-Gap $chosen['path'] 'data' (Get-Words $_) }
    }
}
