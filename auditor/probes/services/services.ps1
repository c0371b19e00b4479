# Win32 services: settings from the registry, state from the service control manager.

$types = @{ 0x10 = 'own_process'; 0x20 = 'share_process'; 0x50 = 'user_own'; 0x60 = 'user_share' }

function Get-ServiceDll([string]$path, $key) {
    $dll = Get-PathText ($path + '\Parameters') 'ServiceDll'
    if ($null -eq $dll) { $dll = Get-KeyText $key 'ServiceDll' }
    return $dll
}

function Get-Dependencies($key) {
    $names = Get-KeyList $key 'DependOnService'
    foreach ($group in (Get-KeyList $key 'DependOnGroup')) { [void]$names.Add('+' + $group) }
    return , $names
}

function Add-Service([string]$name, $key, [int]$type) {
    $row = @{
        name = $name; display_name = (Get-KeyText $key 'DisplayName'); image_path = (Get-KeyText $key 'ImagePath'); start = (Get-Start $key)
        delayed = ((Get-KeyNumber $key 'DelayedAutostart') -eq 1); type = 'other'; state = $null; account = (Get-KeyText $key 'ObjectName')
        group = (Get-KeyText $key 'Group'); depends_on = (Get-Dependencies $key); description = (Get-KeyText $key 'Description'); service_dll = $null; pid = $null
    }
    if ($types.ContainsKey($type)) { $row['type'] = $types[$type] }
    if ($states.ContainsKey($name)) {
        $row['state'] = $states[$name][0]
        $row['display_name'] = Get-OrNull $states[$name][1]
    }
    try {
        $row['service_dll'] = Get-ServiceDll ($AuditServicesKey + '\' + $name) $key
    } catch {
        Add-Gap $name 'service_dll' (Get-Words $_)
    }
    Add-Row $row
    $byname[$name] = $row
}

# Process ids come from WMI alone. They are readings: without them nothing is missing from the records.
function Add-Processes {
    foreach ($service in (Get-Instances 'Win32_Service' '')) {
        $process = Get-PropertyNumber $service 'ProcessId'
        $name = [string](Get-Property $service 'Name')
        if ($process -gt 0 -and $byname.ContainsKey($name)) { $byname[$name]['pid'] = $process }
    }
}

$states = @{}
$byname = New-Object Collections.Hashtable ([StringComparer]::OrdinalIgnoreCase)
try {
    Import-ServiceAssembly
    $states = Get-Controlled ([ServiceProcess.ServiceController]::GetServices())
} catch {
    Add-Gap '' 'state' (Get-Words $_)
}
foreach ($name in (Get-Subkeys $AuditServicesKey)) {
    try {
        $key = Open-Key ($AuditServicesKey + '\' + $name)
        if ($null -eq $key) { continue }
        $type = Get-KeyNumber $key 'Type'
        # 0x80: an instance of a per-user service, whose name ends with a logon's number; its template is listed.
        if ($null -ne $type -and ($type -band 0x70) -ne 0 -and ($type -band 0x80) -eq 0) { Add-Service $name $key ($type -band 0xfeff) }
        $key.Close()
    } catch {
        Add-Gap $name '' (Get-Words $_)
    }
}
Set-Late @()
try { Add-Processes } catch { $Shared['waiting'] = $null }
