# Installed updates as WMI lists them. Server 2003 puts the number of some into ServicePackInEffect.

$seen = @{}
foreach ($update in (Get-Instances 'Win32_QuickFixEngineering' '')) {
    $id = Get-PropertyText $update 'HotFixID'
    if ($id -eq 'File 1') { $id = Get-PropertyText $update 'ServicePackInEffect' }
    if ($null -eq $id -or $seen.ContainsKey($id)) { continue }
    $seen[$id] = $true
    Add-Row @{ id = $id; description = (Get-PropertyText $update 'Description'); installed_on = (Get-PropertyText $update 'InstalledOn') }
}
