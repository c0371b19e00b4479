# Physical memory, page files and volumes.

function Get-Product($number, [long]$factor) {
    if ($null -eq $number) { return $null }
    return $number * $factor
}

function Add-Physical {
    $row = @{ kind = 'physical'; name = 'physical' }
    foreach ($computer in (Get-Instances 'Win32_ComputerSystem' '')) { $row['size_bytes'] = Get-PropertyNumber $computer 'TotalPhysicalMemory' }
    foreach ($system in (Get-Instances 'Win32_OperatingSystem' '')) { $row['free_bytes'] = Get-Product (Get-PropertyNumber $system 'FreePhysicalMemory') 1024 }
    Add-Row $row
}

# Items of PagingFiles: a path, then the initial and the maximum size; `?:` is any drive.
function Get-PagingFiles {
    $files = New-Object Collections.ArrayList
    $key = Open-Key 'SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management'
    foreach ($item in (Get-KeyList $key 'PagingFiles')) {
        if ($item -match '^\s*(.*?)\s+(\d+)\s+(\d+)\s*$') {
            [void]$files.Add(@{ path = $Matches[1]; initial = [long]$Matches[2]; maximum = [long]$Matches[3]; used = $false })
        } else {
            [void]$files.Add(@{ path = $item.Trim(); initial = 0; maximum = 0; used = $false })
        }
    }
    return , $files
}

function Find-PagingFile($files, [string]$path) {
    foreach ($file in $files) {
        $same = $file['path'] -eq $path
        if ($file['path'].StartsWith('?:') -and $path.Length -gt 2) { $same = $file['path'].Substring(2) -eq $path.Substring(2) }
        if ($same) {
            $file['used'] = $true
            return $file
        }
    }
    return $null
}

function Add-PageFiles {
    $files = Get-PagingFiles
    foreach ($usage in (Get-Instances 'Win32_PageFileUsage' '')) {
        $allocated = Get-PropertyNumber $usage 'AllocatedBaseSize'
        $current = Get-PropertyNumber $usage 'CurrentUsage'
        $row = @{ kind = 'page_file'; name = (Get-PropertyText $usage 'Name'); size_bytes = (Get-Product $allocated 1048576); peak_mb = (Get-PropertyNumber $usage 'PeakUsage') }
        if ($null -ne $allocated -and $null -ne $current) { $row['free_bytes'] = Get-Product ($allocated - $current) 1048576 }
        $file = Find-PagingFile $files ([string]$row['name'])
        if ($null -ne $file) {
            $row['initial_mb'] = $file['initial']
            $row['maximum_mb'] = $file['maximum']
        }
        Add-Row $row
    }
    foreach ($file in $files) {
        if (-not $file['used']) { Add-Row @{ kind = 'page_file'; name = $file['path']; initial_mb = $file['initial']; maximum_mb = $file['maximum'] } }
    }
}

function Add-Volumes {
    $types = @{ 0 = 'unknown'; 1 = 'unknown'; 2 = 'removable'; 3 = 'fixed'; 4 = 'network'; 5 = 'optical'; 6 = 'ram' }
    # Size, label and the like are asked of fixed disks alone: for others they wake a drive or wait for a network.
    $disks = Get-Instances 'Win32_LogicalDisk' 'DriveType = 3' '' 'DeviceID, Size, FreeSpace, FileSystem, DriveType, VolumeName, VolumeDirty'
    $disks += Get-Instances 'Win32_LogicalDisk' 'DriveType <> 3' '' 'DeviceID, DriveType'
    foreach ($disk in $disks) {
        $row = @{
            kind = 'volume'; name = (Get-PropertyText $disk 'DeviceID'); size_bytes = (Get-PropertyNumber $disk 'Size'); free_bytes = (Get-PropertyNumber $disk 'FreeSpace')
            file_system = (Get-PropertyText $disk 'FileSystem'); label = (Get-PropertyText $disk 'VolumeName'); dirty = (Get-Property $disk 'VolumeDirty'); drive_type = $null
        }
        $type = Get-PropertyNumber $disk 'DriveType'
        if ($null -ne $type) { $row['drive_type'] = $types[[int]$type] }
        Add-Row $row
    }
}

Add-Physical
Add-PageFiles
Add-Volumes
