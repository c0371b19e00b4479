# What the machine says of itself on the network: names, suffixes, addresses.

$tcpip = $AuditServicesKey + '\Tcpip\Parameters'
$row = @{ dns_suffixes = $null; optional_names = $null; adapters = $null }

function Get-Suffixes {
    $suffixes = New-Object Collections.ArrayList
    $seen = @{}
    $all = [string](Get-PathText $tcpip 'NV Domain') + ',' + [string](Get-PathText $tcpip 'SearchList')
    foreach ($item in $all.Split([char[]]', ')) {
        if ($item -ne '' -and -not $seen.ContainsKey($item)) {
            $seen[$item] = $true
            [void]$suffixes.Add($item)
        }
    }
    return , $suffixes
}

function Get-OptionalNames {
    $key = Open-Key ($AuditServicesKey + '\LanmanServer\Parameters')
    if ($null -eq $key) { return , @() }
    try { return , (Get-KeyList $key 'OptionalNames') } finally { $key.Close() }
}

function Add-Names {
    foreach ($computer in (Get-Instances 'Win32_ComputerSystem' '')) {
        $row['computer_name'] = Get-PropertyText $computer 'Name'
        $host_name = Get-PropertyText $computer 'DNSHostName'
        if ($null -ne $host_name) { $row['host_name'] = $host_name }
        $row['domain'] = Get-PropertyText $computer 'Domain'
        $row['part_of_domain'] = Get-Property $computer 'PartOfDomain'
    }
}

function Get-Adapters {
    $adapters = New-Object Collections.ArrayList
    foreach ($adapter in (Get-Instances 'Win32_NetworkAdapterConfiguration' 'IPEnabled = TRUE')) {
        [void]$adapters.Add(@{
                description = (Get-PropertyText $adapter 'Description'); addresses = (Get-PropertyList $adapter 'IPAddress')
                gateways = (Get-PropertyList $adapter 'DefaultIPGateway'); dns_servers = (Get-PropertyList $adapter 'DNSServerSearchOrder')
                dhcp_enabled = (Get-Property $adapter 'DHCPEnabled'); dhcp_server = (Get-PropertyText $adapter 'DHCPServer'); mac = (Get-PropertyText $adapter 'MACAddress')
            })
    }
    return , $adapters
}

$asked = 'domain', 'part_of_domain', 'adapters'
$late = New-Object Collections.ArrayList
$row['dns_suffixes'] = Get-Suffixes
$row['optional_names'] = Get-OptionalNames
$row['time_server'] = Get-PathText ($AuditServicesKey + '\W32Time\Parameters') 'NtpServer'
$row['computer_name'] = Get-PathText 'SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName' 'ComputerName'
$row['host_name'] = Get-PathText $tcpip 'NV Hostname'
if ($null -eq $row['host_name']) { $row['host_name'] = Get-PathText $tcpip 'Hostname' }
Add-Row $row
foreach ($field in $asked) { [void]$late.Add(@('network', $field)) }
Set-Late $late
try {
    Add-Names
    $row['adapters'] = Get-Adapters
} catch {
    foreach ($field in $asked) {
        if ($null -eq $row[$field]) { Add-Gap 'network' $field (Get-Words $_) }
    }
}
