# Replicated folders: FRS from the registry, DFS Replication from its own WMI namespace.

$place = 'root\microsoftdfs'

function Add-Sets {
    $top = $AuditServicesKey + '\NtFrs\Parameters\Replica Sets'
    foreach ($name in (Get-Subkeys $top)) {
        $key = Open-Key ($top + '\' + $name)
        if ($null -eq $key) { continue }
        $group = Get-KeyText $key 'Replica Set Name'
        if ($null -eq $group) { $group = $name }
        Add-Row @{ service = 'frs'; group = $group; folder = $null; path = (Get-KeyText $key 'Replica Set Root'); partners = @() }
        Add-Gap $group 'partners' 'the partners of FRS stand in the directory: not read from the host'
        $key.Close()
    }
}

function Get-Partners($connections, [string]$group) {
    $names = New-Object Collections.ArrayList
    foreach ($connection in $connections) {
        $name = Get-PropertyText $connection 'PartnerName'
        if ((Get-Property $connection 'ReplicationGroupGuid') -eq $group -and $null -ne $name -and -not $names.Contains($name)) { [void]$names.Add($name) }
    }
    $names.Sort([StringComparer]::OrdinalIgnoreCase)
    return , $names
}

function Add-Folders {
    $groups = @{}
    foreach ($group in (Get-Instances 'DfsrReplicationGroupConfig' '' $place)) { $groups[[string](Get-Property $group 'ReplicationGroupGuid')] = Get-PropertyText $group 'ReplicationGroupName' }
    $connections = Get-Instances 'DfsrConnectionConfig' '' $place
    foreach ($folder in (Get-Instances 'DfsrReplicatedFolderConfig' '' $place)) {
        $guid = [string](Get-Property $folder 'ReplicationGroupGuid')
        $name = $groups[$guid]
        if ($null -eq $name) { $name = $guid }
        Add-Row @{ service = 'dfsr'; group = $name; folder = (Get-PropertyText $folder 'ReplicatedFolderName'); path = (Get-PropertyText $folder 'RootPath'); partners = (Get-Partners $connections $guid) }
    }
}

Add-Sets
# Where the service was never installed there is no namespace, and nothing that DFS Replication could replicate.
if (Test-Key ($AuditServicesKey + '\DFSR')) {
    try {
        Add-Folders
    } catch {
        $failure = Get-Failure $_
        if ($Answer['rows'].Count -eq 0) { Set-Status $failure[0] $failure[1] } else { Add-Gap 'dfsr' '' $failure[1] }
    }
}
