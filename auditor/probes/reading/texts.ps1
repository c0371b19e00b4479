# Bytes of text files as text: byte-order marks, UTF-8 where it is valid, else the host's own code pages.

function Get-CodePage([string]$name) {
    $number = Get-PathText 'SYSTEM\CurrentControlSet\Control\Nls\CodePage' $name
    try {
        return [Text.Encoding]::GetEncoding([int]$number)
    } catch {
        # Engines without the code page: every byte stays a character of its own.
        return [Text.Encoding]::GetEncoding(28591)
    }
}

function Get-MarkedText($bytes) {
    $count = $bytes.Length
    if ($count -ge 3 -and $bytes[0] -eq 0xef -and $bytes[1] -eq 0xbb -and $bytes[2] -eq 0xbf) { return [Text.Encoding]::UTF8.GetString($bytes, 3, $count - 3) }
    if ($count -ge 2 -and $bytes[0] -eq 0xff -and $bytes[1] -eq 0xfe) { return [Text.Encoding]::Unicode.GetString($bytes, 2, $count - 2) }
    if ($count -ge 2 -and $bytes[0] -eq 0xfe -and $bytes[1] -eq 0xff) { return [Text.Encoding]::BigEndianUnicode.GetString($bytes, 2, $count - 2) }
    if ($count -ge 4 -and $bytes[0] -ne 0 -and $bytes[1] -eq 0 -and $bytes[2] -ne 0 -and $bytes[3] -eq 0) { return [Text.Encoding]::Unicode.GetString($bytes) }
    return $null
}

# `$bytes` as text; the name's extension tells console scripts, which are written in the OEM code page.
function Get-Text($bytes, [string]$name) {
    $text = Get-MarkedText $bytes
    if ($null -ne $text) { return $text }
    $strict = New-Object Text.UTF8Encoding ($false, $true)
    try {
        return $strict.GetString($bytes)
    } catch {
        if ($name -match '\.(bat|cmd)$') { $page = 'OEMCP' } else { $page = 'ACP' }
        return (Get-CodePage $page).GetString($bytes)
    }
}

# Folders that a path may begin with, the second for programs of 32 bits on 64-bit Windows.
function Get-KnownFolders {
    $data = [Environment]::GetFolderPath('CommonApplicationData')
    return @{
        '%programfiles%'       = @([Environment]::GetEnvironmentVariable('ProgramFiles'), [Environment]::GetEnvironmentVariable('ProgramFiles(x86)'))
        '%commonprogramfiles%' = @([Environment]::GetEnvironmentVariable('CommonProgramFiles'), [Environment]::GetEnvironmentVariable('CommonProgramFiles(x86)'))
        '%systemroot%'         = @((Get-WindowsFolder), $null)
        '%windir%'             = @((Get-WindowsFolder), $null)
        '%programdata%'        = @($data, $null)
        '%allusersprofile%'    = @([Environment]::GetEnvironmentVariable('ALLUSERSPROFILE'), $null)
    }
}
