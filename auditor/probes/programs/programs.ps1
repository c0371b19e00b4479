# Uninstall entries of both registry views. Win32_Product is never asked: it repairs what it lists.

function Add-Programs([string]$path, [string]$view) {
    foreach ($name in (Get-Subkeys $path)) {
        try {
            $key = Open-Key ($path + '\' + $name)
            if ($null -eq $key) { continue }
            Add-Row @{
                key = $name; view = $view; name = (Get-KeyText $key 'DisplayName'); version = (Get-KeyText $key 'DisplayVersion')
                publisher = (Get-KeyText $key 'Publisher'); install_date = (Get-KeyText $key 'InstallDate'); install_location = (Get-KeyText $key 'InstallLocation')
                uninstall_string = (Get-KeyText $key 'UninstallString'); quiet_uninstall_string = (Get-KeyText $key 'QuietUninstallString')
                system_component = ((Get-KeyNumber $key 'SystemComponent') -eq 1); parent = (Get-KeyText $key 'ParentKeyName')
            }
            $key.Close()
        } catch {
            Add-Gap $name '' (Get-Words $_)
        }
    }
}

if ($AuditRedirected) {
    Add-Programs 'SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall' 'wow64'
    Add-Gap '' '' 'the answer comes from a 32-bit process: it cannot read the native view of this registry'
} else {
    Add-Programs 'SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall' 'native'
    Add-Programs 'SOFTWARE\Wow6432Node\Microsoft\Windows\CurrentVersion\Uninstall' 'wow64'
}
