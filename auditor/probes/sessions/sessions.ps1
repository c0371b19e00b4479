# Open sessions of other machines on this host's shares.

function Get-Client($instance) {
    return Get-OrNull ([string](Get-Property $instance 'ComputerName')).TrimStart('\')
}

function Get-SessionKey($instance) {
    return ([string](Get-Client $instance) + '|' + [string](Get-Property $instance 'UserName')).ToLowerInvariant()
}

# Share names by client and account; null where the host does not tell.
function Get-Connected {
    $shares = @{}
    try {
        foreach ($connection in (Get-Instances 'Win32_ServerConnection' '')) {
            $key = Get-SessionKey $connection
            $name = Get-PropertyText $connection 'ShareName'
            if (-not $shares.ContainsKey($key)) { $shares[$key] = New-Object Collections.ArrayList }
            if ($null -ne $name -and -not $shares[$key].Contains($name)) { [void]$shares[$key].Add($name) }
        }
    } catch {
        Add-Gap '' 'shares' (Get-Words $_)
        return $null
    }
    return $shares
}

$sessions = Get-Instances 'Win32_ServerSession' ''
$shares = Get-Connected
foreach ($session in $sessions) {
    $row = @{ client = (Get-Client $session); user = (Get-PropertyText $session 'UserName'); open_files = (Get-PropertyNumber $session 'ResourcesOpened'); shares = $null }
    if ($null -ne $shares) {
        $row['shares'] = @()
        $key = Get-SessionKey $session
        if ($shares.ContainsKey($key)) { $row['shares'] = $shares[$key] }
    }
    if ($null -eq $row['client']) { Add-Gap 'session' 'client' 'a session whose client has no name' } else { Add-Row $row }
}
