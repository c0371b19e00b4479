# File-system filters: minifilter instances with their altitudes, legacy filters by group, class filters, from the registry.
# fltmc tells which of them are loaded, in which frame, and with how many instances.

$seen = @{}
$loaded = New-Object Collections.Hashtable ([StringComparer]::OrdinalIgnoreCase)
$shown = New-Object Collections.Hashtable ([StringComparer]::OrdinalIgnoreCase)

# Rows by shape: a name, a count, an altitude (not on 2003), a frame or <Legacy>. Heads and rules hold no such row in any language.
function Read-Loaded {
    $listing = Read-Program 'fltmc.exe' 'filters'
    foreach ($line in $listing[0].Replace("`r", '').Split([char]10)) {
        if ($line -match '^(\S.*?)\s{2,}(\d+)\s+(?:(\d+(?:[.,]\d+)?)\s+)?(\d+|<\w+>)\s*$') {
            $loaded[$Matches[1]] = @{ instances = [int]$Matches[2]; altitude = $Matches[3]; frame = $Matches[4] }
        } elseif ($line -match '^(\S.*?)\s{2,}<\w+>\s*$') {
            $loaded[$Matches[1]] = @{ instances = $null; altitude = $null; frame = '<Legacy>' }
        }
    }
    if ($listing[1] -ne 0) { Add-Gap '' 'frame' ('fltmc ended with code ' + $listing[1] + ': which filters are loaded is not known') }
}

# A row with what fltmc says of its driver.
function Add-Filter($row) {
    $name = $row['name']
    $shown[$name] = $true
    if ($loaded.ContainsKey($name)) {
        $row['instances'] = $loaded[$name]['instances']
        if ($loaded[$name]['frame'] -match '^\d+$') { $row['frame'] = [int]$loaded[$name]['frame'] }
    }
    Add-Row $row
}

# Filters that are loaded and that the registry does not show as such.
function Add-Others {
    $names = New-Object Collections.ArrayList
    foreach ($name in $loaded.Keys) { [void]$names.Add($name) }
    $names.Sort([StringComparer]::Ordinal)
    foreach ($name in $names) {
        if ($shown.ContainsKey($name)) { continue }
        $altitude = $loaded[$name]['altitude']
        if ($null -ne $altitude) { $altitude = $altitude.Replace(',', '.') }
        Add-Filter @{ name = $name; altitude = $altitude; legacy = $loaded[$name]['frame'].StartsWith('<') }
    }
}

function Add-Instances([string]$driver, [string]$path) {
    foreach ($name in (Get-Subkeys $path)) {
        if ($seen.ContainsKey($driver + '\' + $name)) { continue }
        $seen[$driver + '\' + $name] = $true
        $key = Open-Key ($path + '\' + $name)
        if ($null -eq $key) { continue }
        Add-Filter @{ name = $driver; instance = $name; altitude = (Get-KeyText $key 'Altitude'); flags = (Get-KeyNumber $key 'Flags'); legacy = $false; class_filter = $null }
        $key.Close()
    }
}

# Filters from before the filter manager have a group of its kind and no instances.
function Test-Legacy([string]$driver, $key) {
    $type = Get-KeyNumber $key 'Type'
    if ($driver -eq 'FltMgr' -or $null -eq $type -or ($type -band 0x0f) -eq 0 -or ($type -band 0x70) -ne 0) { return $false }
    $group = [string](Get-KeyText $key 'Group')
    return $group.StartsWith('FSFilter', [StringComparison]::OrdinalIgnoreCase) -or ($group -eq 'Filter' -and $type -eq 2)
}

function Add-Driver([string]$driver) {
    $path = $AuditServicesKey + '\' + $driver
    $key = Open-Key $path
    if ($null -eq $key) { return }
    try {
        $found = $false
        foreach ($place in '\Instances', '\Parameters\Instances') {
            if (Test-Key ($path + $place)) {
                $found = $true
                Add-Instances $driver ($path + $place)
            }
        }
        if (-not $found -and (Test-Legacy $driver $key)) { Add-Filter @{ name = $driver; legacy = $true } }
    } finally {
        $key.Close()
    }
}

function Add-Class([string]$class) {
    $key = Open-Key ('SYSTEM\CurrentControlSet\Control\Class\' + $class)
    if ($null -eq $key) { return }
    foreach ($name in (Get-KeyList $key 'UpperFilters')) { Add-Row @{ name = $name; class_filter = 'upper'; device_class = $class } }
    foreach ($name in (Get-KeyList $key 'LowerFilters')) { Add-Row @{ name = $name; class_filter = 'lower'; device_class = $class } }
    $key.Close()
}

try {
    # Where it is not there, there is no filter manager yet.
    if (Test-File ((Get-WindowsFolder) + '\System32\fltmc.exe') '' 'frame') { Read-Loaded }
} catch {
    Add-Gap '' 'frame' ('fltmc: ' + (Get-Words $_))
}
foreach ($driver in (Get-Subkeys $AuditServicesKey)) {
    try { Add-Driver $driver } catch { Add-Gap $driver '' (Get-Words $_) }
}
foreach ($class in (Get-Subkeys 'SYSTEM\CurrentControlSet\Control\Class')) {
    try { if ($class.StartsWith('{')) { Add-Class $class } } catch { Add-Gap $class 'class_filter' (Get-Words $_) }
}
Add-Others
