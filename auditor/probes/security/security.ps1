# Registry values and files of security products, as the parameters name them. Nothing here knows a product.

$longest = 65536
$most = 20000
$names = @{ String = 'REG_SZ'; ExpandString = 'REG_EXPAND_SZ'; MultiString = 'REG_MULTI_SZ'; DWord = 'REG_DWORD'; QWord = 'REG_QWORD'; Binary = 'REG_BINARY'; None = 'REG_NONE' }
$images = '\.(exe|dll|sys|ocx|cpl|scr)$'
$texts = '\.(ini|dat|log|xml|txt|cfg|conf|inf)$'

function Test-Full {
    return $Answer['rows'].Count -ge $most
}

function Add-Value($key, [string]$path, [string]$view, [string]$name) {
    $row = @{ kind = 'registry'; path = $path; name = $name; view = $view; type = $null; data = $null }
    try {
        $row['type'] = $names[[string]$key.GetValueKind($name)]
        $text = Get-ValueText (Get-Raw $key $name)
        if ($null -ne $text -and $text.Length -gt $longest) { Add-Gap ($path + '\' + $name) 'data' ('longer than ' + $longest + ' characters: not taken') } else { $row['data'] = $text }
    } catch {
        Add-Gap ($path + '\' + $name) 'data' (Get-Words $_)
    }
    Add-Row $row
}

function Add-Values([string]$path, [string]$shown, [string]$view) {
    try {
        $key = Open-Key $path
        if ($null -eq $key) { return }
        $found = $key.GetValueNames()
        if ($found.Length -eq 0) { Add-Row @{ kind = 'registry'; path = $shown; name = ''; view = $view; type = $null; data = $null } }
        foreach ($name in $found) { if (-not (Test-Full)) { Add-Value $key $shown $view $name } }
        $key.Close()
    } catch {
        Add-Gap $shown '' (Get-Words $_)
    }
}

# Keys below $base that fit the remaining levels of a glob.
function Add-Keys([string]$base, [string[]]$levels, [int]$at, [string]$shown, [string]$view) {
    if (Test-Full) { return }
    if ($at -eq $levels.Length) {
        Add-Values $base $shown $view
        return
    }
    if ($levels[$at] -notmatch '[*?]') {
        Add-Keys ($base + '\' + $levels[$at]) $levels ($at + 1) ($shown + '\' + $levels[$at]) $view
        return
    }
    $pattern = Get-LevelPattern $levels[$at]
    try {
        foreach ($name in (Get-Subkeys $base)) {
            if ($name -match $pattern) { Add-Keys ($base + '\' + $name) $levels ($at + 1) ($shown + '\' + $name) $view }
        }
    } catch {
        Add-Gap $shown '' (Get-Words $_)
    }
}

function Add-KeyGlob([string]$glob) {
    $levels = $glob.Trim('\').Split('\')
    $native = 'native'
    $other = 'Wow6432Node'
    if ($AuditRedirected) { $native = 'wow64' }
    Add-Keys $levels[0] $levels 1 ('HKLM\' + $levels[0]) $native
    if ($levels[0] -eq 'SOFTWARE' -and $levels.Length -gt 1 -and $levels[1] -ne $other -and -not $AuditRedirected) {
        Add-Keys ($levels[0] + '\' + $other) $levels 1 ('HKLM\' + $levels[0]) 'wow64'
    }
}

function Add-FileRow([string]$path, [string]$view) {
    $row = @{ kind = 'file'; path = $path; name = ''; view = $view; type = $null; data = $null }
    try {
        [void](Add-FileTimes $row $path)
        if ($path -match $images) {
            $row['file_version'] = (Get-VersionFacts $path)['file']
            $image = Get-ImageFacts $path
            if ($null -ne $image) { $row['link_timestamp'] = $image['linked'] }
        } elseif ($path -match $texts) {
            $bytes = Read-File $path $longest
            if ($null -eq $bytes) { Add-Gap $path 'data' ('larger than ' + $longest + ' bytes: not read') } else { $row['data'] = Get-Text $bytes $path }
            if ($null -ne $bytes) { $row['type'] = 'text' }
        }
    } catch {
        Add-Gap $path 'data' (Get-Words $_)
    }
    Add-Row $row
}

function Add-Files([string]$base, [string[]]$levels, [int]$at, [string]$view) {
    if (Test-Full) { return }
    $last = ($at -eq $levels.Length - 1)
    if ($levels[$at] -match '[*?]') { $fitting = Get-FittingNames $base $levels[$at] $last } else { $fitting = @(, $levels[$at]) }
    foreach ($name in $fitting) {
        $path = $base + '\' + $name
        if (-not $last) {
            Add-Files $path $levels ($at + 1) $view
        } elseif (Test-File $path $path '') {
            Add-FileRow $path $view
        }
    }
}

function Add-FileGlob([string]$glob, $folders) {
    $levels = $glob.Replace('/', '\').Split('\')
    $starts = @($levels[0], $null)
    if ($folders.ContainsKey($levels[0].ToLowerInvariant())) { $starts = $folders[$levels[0].ToLowerInvariant()] }
    $views = @('native', 'wow64')
    for ($i = 0; $i -lt 2; $i++) {
        $start = $starts[$i]
        if (-not $start -or ($i -eq 1 -and $start -eq $starts[0])) { continue }
        $refusal = Get-Refusal ($start + '\')
        if ($null -ne $refusal) { Add-Gap $glob '' $refusal } elseif ($levels.Length -gt 1) { Add-Files $start $levels 1 $views[$i] }
    }
}

foreach ($glob in $Parameters['security_keys']) { Add-KeyGlob $glob }
if ($Parameters['security_files'].Count -gt 0) {
    $folders = Get-KnownFolders
    foreach ($glob in $Parameters['security_files']) {
        try { Add-FileGlob $glob $folders } catch { Add-Gap $glob '' (Get-Words $_) }
    }
}
if ($AuditRedirected) { Add-Gap '' '' 'the answer comes from a 32-bit process: it cannot read the native view of this registry' }
if (Test-Full) { Add-Gap '' '' ('only the first ' + $most + ' values were taken') }
