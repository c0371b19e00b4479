# File shares as WMI lists them, administrative ones too.

$kinds = @{ 0 = 'disk'; 1 = 'printer'; 2 = 'device'; 3 = 'ipc' }
foreach ($share in (Get-Instances 'Win32_Share' '')) {
    $number = Get-PropertyNumber $share 'Type'
    $row = @{
        name = (Get-PropertyText $share 'Name'); path = (Get-PropertyText $share 'Path'); description = (Get-PropertyText $share 'Description')
        type = 'unknown'; administrative = $false
    }
    if ($null -ne $number) {
        # Some hosts give the number signed.
        if ($number -lt 0) { $number += 4294967296 }
        $row['administrative'] = ($number -ge 2147483648)
        $kind = [int]($number % 256)
        if ($kinds.ContainsKey($kind)) { $row['type'] = $kinds[$kind] }
    }
    Add-Row $row
}
