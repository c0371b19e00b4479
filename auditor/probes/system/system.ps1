# The operating system: from the registry, then three facts from WMI, which may be slow.

$control = 'SYSTEM\CurrentControlSet\Control'
$row = @{}

function Get-ProductType {
    $words = @{ WinNT = 'workstation'; LanmanNT = 'domain_controller'; ServerNT = 'server' }
    $text = Get-PathText ($control + '\ProductOptions') 'ProductType'
    if ($null -eq $text) { return $null }
    return $words[$text]
}

function Get-Architecture {
    $words = @{ x86 = 'x86'; AMD64 = 'x64'; ARM64 = 'arm64'; IA64 = 'ia64' }
    $text = Get-PathText ($control + '\Session Manager\Environment') 'PROCESSOR_ARCHITECTURE'
    if ($null -eq $text) { return $null }
    return $words[$text]
}

function Get-Lower($text) {
    if ($null -eq $text) { return $null }
    return $text.ToLowerInvariant()
}

function Add-Version {
    $key = Open-Key $AuditVersionKey
    $build = Get-KeyText $key 'CurrentBuildNumber'
    $row['version'] = (Get-WindowsVersion) + '.' + $build
    $row['build'] = [int]$build
    $row['revision'] = Get-KeyNumber $key 'UBR'
    $row['edition'] = Get-KeyText $key 'EditionID'
    $row['caption'] = Get-Trimmed (Get-KeyText $key 'ProductName')
    $row['windows_directory'] = Get-WindowsFolder
    $installed = Get-KeyNumber $key 'InstallDate'
    if ($null -ne $installed) { $row['installed_at'] = Get-UtcText (New-Object DateTime (1970, 1, 1, 0, 0, 0, [DateTimeKind]::Utc)).AddSeconds($installed) }
    $key.Close()
    $pack = Get-PathNumber ($control + '\Windows') 'CSDVersion'
    if ($null -ne $pack) { $row['service_pack'] = [int][Math]::Floor($pack / 256) }
    $row['product_type'] = Get-ProductType
    $row['architecture'] = Get-Architecture
    $row['locale'] = Get-Lower (Get-PathText ($control + '\Nls\Language') 'Default')
    $row['ui_language'] = Get-Lower (Get-PathText ($control + '\Nls\Language') 'InstallLanguage')
    $page = Get-PathText ($control + '\Nls\CodePage') 'OEMCP'
    if ($null -ne $page) { $row['code_page'] = [int]$page }
    $row['powershell_version'] = $PSVersionTable.PSVersion.ToString()
}

# Whether a service is installed and not disabled; with $start, whether it starts in this way.
function Test-Role([string]$service, $start) {
    $found = Get-PathNumber ($AuditServicesKey + '\' + $service) 'Start'
    if ($null -eq $found) { return $false }
    if ($null -ne $start) { return $found -eq $start }
    return $found -ne 4
}

function Test-Database {
    foreach ($name in (Get-Subkeys $AuditServicesKey)) {
        if (($name -eq 'MSSQLSERVER' -or $name -like 'MSSQL$*') -and (Test-Role $name $null)) { return $true }
    }
    return $false
}

function Get-Roles {
    $roles = New-Object Collections.ArrayList
    if ($row['product_type'] -eq 'domain_controller') { [void]$roles.Add('domain_controller') }
    foreach ($pair in @(@('dns', 'DNS'), @('dhcp', 'DHCPServer'), @('cluster', 'ClusSvc'), @('hyperv', 'vmms'), @('iis', 'W3SVC'))) {
        if (Test-Role $pair[1] $null) { [void]$roles.Add($pair[0]) }
    }
    if (Test-Database) { [void]$roles.Add('sql') }
    if (Test-Role 'MSExchangeIS' $null) { [void]$roles.Add('exchange') }
    if ($row['product_type'] -ne 'workstation' -and ((Test-Role 'DFSR' 2) -or (Test-Role 'NtFrs' 2))) { [void]$roles.Add('file_replication') }
    if ((Get-PathNumber ($control + '\Terminal Server') 'TSAppCompat') -eq 1) { [void]$roles.Add('terminal_server') }
    return , $roles
}

function Get-PendingReboot {
    $reasons = New-Object Collections.ArrayList
    if (Test-Key 'SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending') { [void]$reasons.Add('component_servicing') }
    if (Test-Key 'SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired') { [void]$reasons.Add('windows_update') }
    $key = Open-Key ($control + '\Session Manager')
    $renames = Get-KeyList $key 'PendingFileRenameOperations'
    if ($renames.Count -gt 0) { [void]$reasons.Add('file_rename') }
    $active = Get-PathText ($control + '\ComputerName\ActiveComputerName') 'ComputerName'
    $next = Get-PathText ($control + '\ComputerName\ComputerName') 'ComputerName'
    if ($active -ne $next) { [void]$reasons.Add('computer_rename') }
    return , $reasons
}

function Get-Signed($number) {
    if ($null -ne $number -and $number -ge 2147483648) { return $number - 4294967296 }
    return $number
}

function Get-ZoneName($key) {
    $name = Get-KeyText $key 'TimeZoneKeyName'
    if ($null -ne $name) {
        $parts = $name.Split([char]0)
        return Get-OrNull $parts[0]
    }
    $standard = Get-KeyText $key 'StandardName'
    $zones = $AuditVersionKey + '\Time Zones'
    foreach ($zone in (Get-Subkeys $zones)) {
        if ($null -ne $standard -and (Get-PathText ($zones + '\' + $zone) 'Std') -eq $standard) { return $zone }
    }
    return $null
}

function Get-DaylightBias($key) {
    $start = Get-Raw $key 'DaylightStart'
    if ((Get-KeyNumber $key 'DisableAutoDaylightTimeSet') -eq 1 -or (Get-KeyNumber $key 'DynamicDaylightTimeDisabled') -eq 1) { return 0 }
    if ($start -is [byte[]] -and $start.Length -ge 4 -and [BitConverter]::ToInt16($start, 2) -eq 0) { return 0 }
    return Get-Signed (Get-KeyNumber $key 'DaylightBias')
}

function Add-Zone {
    $key = Open-Key ($control + '\TimeZoneInformation')
    $row['time_zone'] = Get-ZoneName $key
    $row['bias_minutes'] = Get-Signed (Get-KeyNumber $key 'Bias')
    $row['daylight_bias_minutes'] = Get-DaylightBias $key
    $row['standard_start'] = Get-KeyText $key 'StandardStart'
    $row['daylight_start'] = Get-KeyText $key 'DaylightStart'
    $now = [DateTime]::UtcNow
    $local = $now.ToLocalTime()
    $row['utc_time'] = Get-UtcText $now
    $row['local_time'] = $local.ToString('yyyy-MM-ddTHH:mm:ss', [Globalization.CultureInfo]::InvariantCulture)
    $row['utc_offset_minutes'] = [int][Math]::Round(($local.Ticks - $now.Ticks) / 600000000.0)
}

function Add-WmiFacts {
    try {
        foreach ($system in (Get-Instances 'Win32_OperatingSystem' '')) {
            $caption = Get-Trimmed (Get-PropertyText $system 'Caption')
            if ($null -ne $caption) { $row['caption'] = $caption }
            $row['boot_time'] = Get-PropertyTime $system 'LastBootUpTime'
        }
        foreach ($computer in (Get-Instances 'Win32_ComputerSystem' '')) {
            $row['manufacturer'] = Get-Trimmed (Get-PropertyText $computer 'Manufacturer')
            $row['model'] = Get-Trimmed (Get-PropertyText $computer 'Model')
        }
    } catch {
        foreach ($field in 'boot_time', 'manufacturer', 'model') {
            if (-not $row.ContainsKey($field)) { Add-Gap 'system' $field (Get-Words $_) }
        }
    }
}

Add-Version
$row['roles'] = Get-Roles
try { $row['pending_reboot'] = Get-PendingReboot } catch { Add-Gap 'system' 'pending_reboot' (Get-Words $_) }
Add-Zone
Add-Row $row
Set-Late @(@('system', 'boot_time'), @('system', 'manufacturer'), @('system', 'model'))
Add-WmiFacts
