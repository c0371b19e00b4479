# File-system filters: minifilter instances with their altitudes, legacy filters by group, class filters. All from the registry.

$seen = @{}

function Add-Instances([string]$driver, [string]$path) {
    foreach ($name in (Get-Subkeys $path)) {
        if ($seen.ContainsKey($driver + '\' + $name)) { continue }
        $seen[$driver + '\' + $name] = $true
        $key = Open-Key ($path + '\' + $name)
        if ($null -eq $key) { continue }
        Add-Row @{ name = $driver; instance = $name; altitude = (Get-KeyText $key 'Altitude'); flags = (Get-KeyNumber $key 'Flags'); legacy = $false; class_filter = $null }
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
        if (-not $found -and (Test-Legacy $driver $key)) { Add-Row @{ name = $driver; legacy = $true } }
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

foreach ($driver in (Get-Subkeys $AuditServicesKey)) {
    try { Add-Driver $driver } catch { Add-Gap $driver '' (Get-Words $_) }
}
foreach ($class in (Get-Subkeys 'SYSTEM\CurrentControlSet\Control\Class')) {
    try { if ($class.StartsWith('{')) { Add-Class $class } } catch { Add-Gap $class 'class_filter' (Get-Words $_) }
}
