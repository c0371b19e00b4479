# Facts of files: existence, version, size, times, PE header, hash. Files are opened for reading only, and never locked for others.

# Where a 32-bit process finds a file of System32.
function Get-RealPath([string]$path) {
    if (-not $AuditRedirected) { return $path }
    $folder = (Get-WindowsFolder) + '\System32\'
    if ($path.StartsWith($folder, [StringComparison]::OrdinalIgnoreCase)) {
        return (Get-WindowsFolder) + '\Sysnative\' + $path.Substring($folder.Length)
    }
    return $path
}

function Open-File([string]$path) {
    $share = [IO.FileShare]::ReadWrite -bor [IO.FileShare]::Delete
    return New-Object IO.FileStream ((Get-RealPath $path), [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]$share)
}

# Up to $count bytes from the stream's place.
function Read-Bytes($stream, [int]$count) {
    $buffer = New-Object byte[] $count
    $have = 0
    while ($have -lt $count) {
        $got = $stream.Read($buffer, $have, $count - $have)
        if ($got -le 0) { break }
        $have += $got
    }
    if ($have -eq $count) { return , $buffer }
    $short = New-Object byte[] $have
    [Array]::Copy($buffer, $short, $have)
    return , $short
}

# All bytes of a file of at most $limit bytes; null above it.
function Read-File([string]$path, [int]$limit) {
    $stream = Open-File $path
    try {
        if ($stream.Length -gt $limit) { return $null }
        return , (Read-Bytes $stream ([int]$stream.Length))
    } finally {
        $stream.Close()
    }
}

# True, false, or null with a gap where it can't be told.
function Test-File([string]$path, [string]$record, [string]$field) {
    try {
        $found = [IO.File]::GetAttributes((Get-RealPath $path))
        return ([int]$found -band [int][IO.FileAttributes]::Directory) -eq 0
    } catch {
        foreach ($exception in (Get-Chain $_)) {
            if ($exception -is [IO.FileNotFoundException] -or $exception -is [IO.DirectoryNotFoundException]) { return $false }
        }
        Add-Gap $record $field (Get-Words $_)
        return $null
    }
}

# Null where the path may be looked at; else the reason why not. Nothing off the fixed disks of this machine is ever touched.
function Get-Refusal([string]$path) {
    if ($path.StartsWith('\\')) { return 'on the network or a device: not looked at' }
    if ($path -notmatch '^[A-Za-z]:\\') { return 'not a path on a drive' }
    if ($path.IndexOf(':', 2) -ge 0) { return 'names a stream of a file: not looked at' }
    foreach ($part in $path.Substring(3).Split('\')) {
        if ($part -match '^(con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9]|lpt[0-9])(\..*)?\s*$') { return 'names a device: not looked at' }
    }
    $drive = New-Object IO.DriveInfo $path.Substring(0, 1)
    if ($drive.DriveType -ne [IO.DriveType]::Fixed) { return 'not on a fixed local disk: not looked at' }
    return $null
}

# Size and times into the row.
function Add-FileTimes($row, [string]$path) {
    $file = New-Object IO.FileInfo (Get-RealPath $path)
    $row['size_bytes'] = $file.Length
    $row['modified_at'] = Get-UtcText $file.LastWriteTimeUtc
    return $file
}

# Fixed numbers and texts of the version resource.
function Get-VersionFacts([string]$path) {
    $found = [Diagnostics.FileVersionInfo]::GetVersionInfo((Get-RealPath $path))
    $facts = @{ file = $null; product = $null; company = Get-Trimmed $found.CompanyName; name = Get-Trimmed $found.ProductName; description = Get-Trimmed $found.FileDescription; original = Get-Trimmed $found.OriginalFilename }
    $numbers = @($found.FileMajorPart, $found.FileMinorPart, $found.FileBuildPart, $found.FilePrivatePart)
    if ($null -ne $found.FileVersion -or ($numbers[0] + $numbers[1] + $numbers[2] + $numbers[3]) -gt 0) {
        $facts['file'] = [string]::Join('.', [string[]]$numbers)
        $facts['product'] = [string]::Join('.', [string[]]@($found.ProductMajorPart, $found.ProductMinorPart, $found.ProductBuildPart, $found.ProductPrivatePart))
    }
    return $facts
}

# Time stamp, machine and checksum of the PE header; null where the file is no PE file.
function Get-ImageFacts([string]$path) {
    $stream = Open-File $path
    try {
        $head = Read-Bytes $stream 4096
        if ($head.Length -lt 64 -or $head[0] -ne 0x4d -or $head[1] -ne 0x5a) { return $null }
        $at = [BitConverter]::ToInt32($head, 60)
        if ($at -lt 4 -or $at + 92 -gt $stream.Length) { return $null }
        if ($at + 92 -gt $head.Length) {
            [void]$stream.Seek($at, [IO.SeekOrigin]::Begin)
            $head = Read-Bytes $stream 92
            $at = 0
        }
        if ($head.Length -lt $at + 92 -or [BitConverter]::ToInt32($head, $at) -ne 0x4550) { return $null }
        return @{ machine = [BitConverter]::ToUInt16($head, $at + 4); linked = [BitConverter]::ToUInt32($head, $at + 8); checksum = [BitConverter]::ToUInt32($head, $at + 88) }
    } finally {
        $stream.Close()
    }
}

# Lower-case hex. The managed class throws in FIPS mode: then the system's own class, which a bare .NET 2.0 does not have.
function Get-FileHash256([string]$path) {
    try {
        $hash = New-Object Security.Cryptography.SHA256Managed
    } catch {
        $hash = New-Object Security.Cryptography.SHA256CryptoServiceProvider
    }
    $stream = Open-File $path
    try { return Get-Hex $hash.ComputeHash($stream) } finally { $stream.Close() }
}

# A wildcard of one path level as a regular expression.
function Get-LevelPattern([string]$level) {
    return '^' + [Text.RegularExpressions.Regex]::Escape($level).Replace('\*', '.*').Replace('\?', '.') + '$'
}

# Names in a folder that fit a level; a folder that is not there holds none.
function Get-FittingNames([string]$folder, [string]$level, [bool]$last) {
    $names = New-Object Collections.ArrayList
    if (-not [IO.Directory]::Exists((Get-RealPath $folder))) { return , $names }
    $pattern = Get-LevelPattern $level
    if ($last) { $found = [IO.Directory]::GetFiles((Get-RealPath $folder)) } else { $found = [IO.Directory]::GetDirectories((Get-RealPath $folder)) }
    foreach ($path in $found) {
        $name = [IO.Path]::GetFileName($path)
        if ($name -match $pattern) { [void]$names.Add($name) }
    }
    $names.Sort([StringComparer]::Ordinal)
    return , $names
}

# The last $limit bytes of a file; the second value says whether that is all of it.
function Read-Tail([string]$path, [int]$limit) {
    $stream = Open-File $path
    try {
        $whole = $stream.Length -le $limit
        if (-not $whole) { [void]$stream.Seek($stream.Length - $limit, [IO.SeekOrigin]::Begin) }
        return @((Read-Bytes $stream ([int][Math]::Min($stream.Length, $limit))), $whole)
    } finally {
        $stream.Close()
    }
}

# Files that fit a glob, which may begin with a known folder; at most 200. A refusal is a gap.
function Find-Files([string]$glob) {
    $found = New-Object Collections.ArrayList
    $levels = $glob.Replace('/', '\').Split('\')
    $folders = Get-KnownFolders
    $starts = @($levels[0], $null)
    if ($folders.ContainsKey($levels[0].ToLowerInvariant())) { $starts = $folders[$levels[0].ToLowerInvariant()] }
    foreach ($start in $starts) {
        if (-not $start -or $levels.Length -lt 2 -or $null -ne (Get-Refusal ($start + '\'))) { continue }
        $places = New-Object Collections.ArrayList
        [void]$places.Add($start)
        for ($at = 1; $at -lt $levels.Length; $at++) {
            $next = New-Object Collections.ArrayList
            foreach ($place in $places) {
                if ($levels[$at] -match '[*?]') { $names = Get-FittingNames $place $levels[$at] ($at -eq $levels.Length - 1) } else { $names = @(, $levels[$at]) }
                foreach ($name in $names) { if ($next.Count -lt 200) { [void]$next.Add($place + '\' + $name) } }
            }
            $places = $next
        }
        foreach ($path in $places) { if (-not $found.Contains($path) -and (Test-File $path $path '')) { [void]$found.Add($path) } }
    }
    return , $found
}
