# Questions to WMI. Get-WmiObject up to PowerShell 5.1, Get-CimInstance where it is gone. Queries only; no method is called.

# Instances of a class, with all or the named properties, in root\cimv2 unless another namespace is named. Raises the host's error. Once a question to root\cimv2 was given
# up, no further one is asked; a provider of another namespace that hangs keeps only its own namespace from being asked again.
function Get-Instances([string]$class, [string]$filter, [string]$namespace, [string]$properties) {
    if (-not $properties) { $properties = '*' }
    if (-not $namespace) { $namespace = 'root\cimv2' }
    $asked = 'WMI'
    if ($namespace -ne 'root\cimv2') { $asked = 'WMI of ' + $namespace }
    foreach ($hung in @('WMI', $asked)) {
        if ($Shared[$hung + ' hangs']) { throw ('not asked again: WMI did not answer an earlier section (' + $Shared[$hung + ' hangs'] + ')') }
    }
    $Shared['waiting'] = $asked
    $query = 'SELECT ' + $properties + ' FROM ' + $class
    if ($filter) { $query += ' WHERE ' + $filter }
    if (Get-Command Get-WmiObject -ErrorAction SilentlyContinue) {
        $found = @(Get-WmiObject -Query $query -Namespace $namespace -ErrorAction Stop)
    } else {
        $found = @(Get-CimInstance -Query $query -Namespace $namespace -ErrorAction Stop)
    }
    $Shared['waiting'] = $null
    return , $found
}

# A property as WMI gives it: PowerShell's own additions to some classes (InstalledOn) would change it. Null where the class lacks it.
function Get-Property($instance, [string]$name) {
    $kind = $instance.PSBase.GetType().Name
    if ($kind -eq 'ManagementObject') { $found = $instance.PSBase.Properties } elseif ($kind -eq 'CimInstance') { $found = $instance.CimInstanceProperties } else { return $instance.$name }
    foreach ($property in $found) {
        if ($property.Name -eq $name) { return , $property.Value }
    }
    return $null
}

function Get-PropertyText($instance, [string]$name) {
    return Get-OrNull (Get-Property $instance $name)
}

function Get-PropertyNumber($instance, [string]$name) {
    $value = Get-Property $instance $name
    if ($null -eq $value) { return $null }
    return [long]$value
}

function Get-PropertyList($instance, [string]$name) {
    $items = New-Object Collections.ArrayList
    foreach ($item in @(Get-Property $instance $name)) {
        if ($item) { [void]$items.Add([string]$item) }
    }
    return , $items
}

# WMI's yyyyMMddHHmmss.ffffff+ooo, or the DateTime that Get-CimInstance makes of it, in UTC.
function Get-PropertyTime($instance, [string]$name) {
    $value = Get-Property $instance $name
    if ($value -is [DateTime]) { return Get-UtcText $value }
    if ([string]$value -notmatch '^(\d{14})\.\d{6}([+-]\d{3})$') { return $null }
    $offset = [int]$Matches[2]
    $local = [DateTime]::ParseExact($Matches[1], 'yyyyMMddHHmmss', [Globalization.CultureInfo]::InvariantCulture)
    return $local.AddMinutes(-$offset).ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture)
}
