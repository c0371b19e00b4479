# Kernel and file-system drivers: settings from the registry, state from the service control manager, facts of the file.

$types = @{ 1 = 'kernel'; 2 = 'file_system'; 4 = 'adapter'; 8 = 'recognizer' }
$windows = Get-WindowsFolder
$hashing = $Parameters['hash_drivers'][0]

# The file that an ImagePath means; see the rules in docs/probe.md. Null where it can't be told.
function Get-DriverPath([string]$name, $image) {
    $text = ([string]$image).Trim().Trim('"').Replace('/', '\')
    if ($text -eq '') { return $windows + '\System32\drivers\' + $name + '.sys' }
    if ($text -match '^\\(\?\?|\\\?|DosDevices)\\([A-Za-z]:\\.*)$') { return $Matches[2] }
    if ($text -match '^(\\SystemRoot|%SystemRoot%|%windir%)\\(.*)$') { return $windows + '\' + $Matches[2] }
    if ($text -match '^[A-Za-z]:\\') { return $text }
    if ($text.StartsWith('%')) { return [Environment]::ExpandEnvironmentVariables($text) }
    if ($text -match '^(\\\\|\\Device\\)') { return $null }
    if ($text.StartsWith('\')) { return $windows.Substring(0, 2) + $text }
    return $windows + '\' + $text
}

function Add-Hash($row, [string]$name) {
    if ($hashing -eq 'none') { return }
    if ($hashing -eq 'non_microsoft' -and [string]$row['company'] -match 'Microsoft') { return }
    if ($row['size_bytes'] -gt 67108864) {
        Add-Gap $name 'sha256' 'larger than 64 MiB: not hashed'
        return
    }
    try { $row['sha256'] = Get-FileHash256 $row['path'] } catch { Add-Gap $name 'sha256' (Get-Words $_) }
}

function Add-Image($row, [string]$name) {
    $image = Get-ImageFacts $row['path']
    if ($null -eq $image) {
        Add-Gap $name 'link_timestamp' 'the file is no PE file'
        return
    }
    $row['link_timestamp'] = $image['linked']
    $row['machine'] = $image['machine']
    $row['checksum'] = $image['checksum']
}

function Add-FileFacts($row, [string]$name) {
    $refusal = Get-Refusal $row['path']
    if ($null -ne $refusal) {
        Add-Gap $name 'file_exists' $refusal
        return
    }
    $row['file_exists'] = Test-File $row['path'] $name 'file_exists'
    if (-not $row['file_exists']) { return }
    try {
        $file = Add-FileTimes $row $row['path']
        $row['created_at'] = Get-UtcText $file.CreationTimeUtc
        $version = Get-VersionFacts $row['path']
        $row['file_version'] = $version['file']
        $row['product_version'] = $version['product']
        $row['company'] = $version['company']
        $row['product'] = $version['name']
        $row['description'] = $version['description']
        $row['original_name'] = $version['original']
        Add-Image $row $name
    } catch {
        Add-Gap $name 'link_timestamp' (Get-Words $_)
    }
    Add-Hash $row $name
    if ([string]$row['company'] -match 'Microsoft') { [void]$inbox.Add($row) } else { [void]$others.Add($row) }
}

# Before Windows 10 the host can't see signatures in catalogs: there a file without one of its own is unknown, not unsigned.
function Get-SignatureWord($found) {
    $word = [string]$found.Status
    if ($word -eq 'Valid') { return 'valid' }
    if ($word -eq 'NotSigned' -and (Get-Generation) -ge 1000) { return 'unsigned' }
    if ($word -eq 'HashMismatch' -or $word -eq 'NotTrusted') { return 'invalid' }
    return 'unknown'
}

# Drivers of others than Microsoft first, as many as are asked for.
function Add-Signatures {
    $left = [int]$Parameters['signature_limit'][0]
    if ($left -le 0 -or -not (Get-Command Get-AuthenticodeSignature -ErrorAction SilentlyContinue)) { return }
    foreach ($row in ($others.ToArray() + $inbox.ToArray())) {
        if ($left -le 0) { return }
        $left -= 1
        try {
            $found = Get-AuthenticodeSignature -FilePath (Get-RealPath $row['path'])
            $row['signature'] = Get-SignatureWord $found
            if ($null -ne $found.SignerCertificate) { $row['signer'] = Get-OrNull $found.SignerCertificate.Subject }
        } catch {
            Add-Gap $row['name'] 'signature' (Get-Words $_)
        }
    }
}

function Add-Driver([string]$name, $key, [int]$type) {
    $row = @{
        name = $name; display_name = (Get-KeyText $key 'DisplayName'); image_path = (Get-KeyText $key 'ImagePath'); type = 'other'; start = (Get-Start $key)
        state = $null; group = (Get-KeyText $key 'Group'); tag = (Get-KeyNumber $key 'Tag')
    }
    if ($types.ContainsKey($type)) { $row['type'] = $types[$type] }
    if ($states.ContainsKey($name)) {
        $row['state'] = $states[$name][0]
        $row['display_name'] = Get-OrNull $states[$name][1]
    }
    $row['path'] = Get-DriverPath $name $row['image_path']
    if ($null -eq $row['path']) { Add-Gap $name 'path' 'a device or network path: not resolved' } else { Add-FileFacts $row $name }
    Add-Row $row
}

$states = @{}
$others = New-Object Collections.ArrayList
$inbox = New-Object Collections.ArrayList
try {
    Import-ServiceAssembly
    $states = Get-Controlled ([ServiceProcess.ServiceController]::GetDevices())
} catch {
    Add-Gap '' 'state' (Get-Words $_)
}
foreach ($name in (Get-Subkeys $AuditServicesKey)) {
    try {
        $key = Open-Key ($AuditServicesKey + '\' + $name)
        if ($null -eq $key) { continue }
        $type = Get-KeyNumber $key 'Type'
        if ($null -ne $type -and ($type -band 0x0f) -ne 0 -and ($type -band 0x70) -eq 0) { Add-Driver $name $key $type }
        $key.Close()
    } catch {
        Add-Gap $name '' (Get-Words $_)
    }
}
Set-Late @(, @('', 'signature'))
Add-Signatures
