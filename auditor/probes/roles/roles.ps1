# Installed roles and features under names that no language changes, as far as this Windows has such names.

function Add-OptionalFeatures {
    foreach ($feature in (Get-Instances 'Win32_OptionalFeature' 'InstallState = 1')) {
        Add-Row @{ name = (Get-PropertyText $feature 'Name'); display_name = (Get-PropertyText $feature 'Caption') }
    }
}

function Add-ServerFeatures {
    foreach ($feature in (Get-Instances 'Win32_ServerFeature' '')) {
        Add-Row @{ name = ('ServerFeature-' + (Get-PropertyText $feature 'ID')); display_name = (Get-PropertyText $feature 'Name') }
    }
}

function Add-Components {
    $key = Open-Key 'SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\OC Manager\Subcomponents'
    if ($null -eq $key) { throw 'the list of components is not there' }
    foreach ($name in $key.GetValueNames()) {
        if ((Get-KeyNumber $key $name) -eq 1) { Add-Row @{ name = $name; display_name = $null } }
    }
    $key.Close()
}

$generation = Get-Generation
if ($generation -lt 600) {
    Add-Components
} elseif ($generation -eq 600) {
    Add-ServerFeatures
} else {
    $missing = $false
    try {
        Add-OptionalFeatures
    } catch {
        if ((Get-Failure $_)[0] -ne 'unsupported') { throw }
        $missing = $true
    }
    if ($missing) { Add-ServerFeatures }
}
