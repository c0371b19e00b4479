# What Windows writes when it crashes, and the dump files that are there.

$path = 'SYSTEM\CurrentControlSet\Control\CrashControl'
$windows = Get-WindowsFolder
$found = New-Object Collections.ArrayList

function Get-Flag($key, [string]$name) {
    $value = Get-KeyNumber $key $name
    if ($null -eq $value) { return $null }
    return $value -eq 1
}

function Get-Place($key, [string]$name, [string]$otherwise) {
    $text = Get-KeyText $key $name
    if ($null -eq $text) { $text = $otherwise }
    if ($text -match '^%(SystemRoot|windir)%(.*)$') { return $windows + $Matches[2] }
    return [Environment]::ExpandEnvironmentVariables($text)
}

function Add-Dump([string]$kind, [string]$file) {
    $row = @{ kind = $kind; path = $file }
    try {
        $info = Add-FileTimes $row $file
        [void]$found.Add(@{ kind = $kind; path = $file; written = $info.LastWriteTimeUtc.Ticks })
    } catch {
        Add-Gap $file 'size_bytes' (Get-Words $_)
    }
    Add-Row $row
}

function Test-Place([string]$place) {
    $refusal = Get-Refusal $place
    if ($null -eq $refusal) { return $true }
    Add-Gap $place '' $refusal
    return $false
}

$key = Open-Key $path
$settings = @{ kind = 'settings'; path = ('HKLM\' + $path) }
$settings['dump_type'] = Get-KeyNumber $key 'CrashDumpEnabled'
$settings['overwrite'] = Get-Flag $key 'Overwrite'
$settings['auto_reboot'] = Get-Flag $key 'AutoReboot'
if ($null -eq $key) { Add-Gap $settings['path'] '' 'the key is not there' } else { Add-Row $settings }

$file = Get-Place $key 'DumpFile' ($windows + '\MEMORY.DMP')
if ((Test-Place $file) -and (Test-File $file $file '')) { Add-Dump 'memory' $file }

$folder = (Get-Place $key 'MinidumpDir' ($windows + '\Minidump')).TrimEnd('\')
if (Test-Place $folder) {
    $names = Get-FittingNames $folder '*.dmp' $true
    $count = 0
    foreach ($name in $names) {
        $count++
        if ($count -le 500) { Add-Dump 'minidump' ($folder + '\' + $name) }
    }
    if ($count -gt 500) { Add-Gap $folder '' ('only 500 of ' + $count + ' dumps are listed') }
}
$Shared['dumps'] = $found
