# Reads the scripts that tasks call, and those that these call. Only regular files on fixed local disks of this machine are opened.

$deepest = 3
$rows = New-Object Collections.Hashtable ([StringComparer]::OrdinalIgnoreCase)
$queue = New-Object Collections.ArrayList
$limit = [int]$Parameters['script_limit'][0]
$largest = [int]$Parameters['script_limit_bytes'][0]
$windows = Get-WindowsFolder

# A reason not to open the file, or null: links, devices and files that live elsewhere lead out of the places that were looked at.
function Get-FileRefusal([string]$path) {
    $at = 3
    while ($at -gt 0) {
        $at = $path.IndexOf('\', $at)
        if ($at -lt 0) { $part = $path } else { $part = $path.Substring(0, $at) }
        $found = [int][IO.File]::GetAttributes((Get-RealPath $part))
        if (($found -band 0x400) -ne 0) { return 'a link or junction in its path: not read' }
        # 0x40 device, 0x1000 offline, 0x400000 fetched when it is read
        if ($at -lt 0 -and ($found -band 0x401040) -ne 0) { return 'not an ordinary local file: not read' }
        if ($at -ge 0) { $at++ }
    }
    $size = (New-Object IO.FileInfo (Get-RealPath $path)).Length
    if ($size -gt $largest) { return 'of ' + $size + ' bytes, larger than ' + $largest + ': not read' }
    return $null
}

# Full path and whether a file is there; the path is null where the name can't be tied to a place.
function Get-Resolved([string]$name, $folders) {
    if ($name -match '%|!\w+!|\$\w') { return @($null, 'names a variable whose value is not known here') }
    if ($name.IndexOfAny([IO.Path]::GetInvalidPathChars()) -ge 0 -or $name -match '[*?<>|]') { return @($null, 'is no file name') }
    if ($name.StartsWith('\\')) { return @($null, 'on the network or a device: not looked at') }
    $places = New-Object Collections.ArrayList
    if ($name -match '^[A-Za-z]:\\') {
        [void]$places.Add($name)
    } elseif ($name -match '^[A-Za-z]:|^[a-z]+:') {
        return @($null, 'not a path on a drive')
    } else {
        foreach ($folder in $folders) {
            if ($folder -notmatch '^[A-Za-z]:\\') { continue }
            if ($name.StartsWith('\')) { [void]$places.Add($folder.Substring(0, 2) + $name) } else { [void]$places.Add($folder.TrimEnd('\') + '\' + $name) }
        }
    }
    foreach ($place in $places) {
        $path = [IO.Path]::GetFullPath($place)
        $refusal = Get-Refusal $path
        if ($null -ne $refusal) { return @($path, $refusal) }
        if ([IO.File]::Exists((Get-RealPath $path))) { return @($path, $null) }
    }
    if ($places.Count -eq 1) { return @([IO.Path]::GetFullPath($places[0]), 'not there') }
    return @($null, 'not found in the places where it would be looked for')
}

function Add-Caller($row, [string]$caller) {
    if (-not $row['called_by'].Contains($caller)) { [void]$row['called_by'].Add($caller) }
}

# Reads a script into its row, or says why not.
function Read-Script($row, [string]$path) {
    try {
        $refusal = Get-FileRefusal $path
        [void](Add-FileTimes $row $path)
        if ($null -ne $refusal) {
            Add-Gap $path 'text' $refusal
            return
        }
        $bytes = Read-File $path $largest
        if ($null -eq $bytes) { Add-Gap $path 'text' 'grew while it was looked at: not read' } else { $row['text'] = Get-Text $bytes $path }
    } catch {
        Add-Gap $path 'text' (Get-Words $_)
    }
}

# One name in a task or script. $run: named as a command, so that it is missed where it can't be found.
function Add-Script([string]$name, [bool]$run, [string]$caller, $folders, [int]$depth) {
    $resolved = Get-Resolved $name $folders
    $path = $resolved[0]
    if ($null -ne $resolved[1] -and -not $run) { return }
    if ($null -eq $path) { $path = $name }
    if ($rows.ContainsKey($path)) {
        Add-Caller $rows[$path] $caller
        return
    }
    if ($depth -gt $deepest) {
        Add-Gap $path '' ('called by ' + $caller + ', more than ' + $deepest + ' scripts deep: not read')
        return
    }
    if ($rows.Count -ge $limit) {
        if (-not $rows.ContainsKey('')) { Add-Gap '' '' ('only the first ' + $limit + ' scripts were read') }
        $rows[''] = @{ called_by = (New-Object Collections.ArrayList) }
        return
    }
    $row = @{ path = $path; called_by = (New-Object Collections.ArrayList); text = $null; size_bytes = $null; modified_at = $null }
    Add-Caller $row $caller
    $rows[$path] = $row
    if ($null -ne $resolved[1]) { Add-Gap $path 'text' $resolved[1] } else { Read-Script $row $path }
    Add-Row $row
    if ($null -ne $row['text']) { [void]$queue.Add(@($row, $folders[0], $depth)) }
}

# Scripts that a script calls: looked for in the task's folder, then beside the caller, then where Windows looks.
function Add-Called($row, [string]$start, [int]$depth) {
    $own = [IO.Path]::GetDirectoryName($row['path'])
    $variables = Get-Variables $row['text']
    foreach ($found in (Get-ScriptNames $row['text'])) {
        $name = Get-Expanded $found[0] $variables $own
        try {
            Add-Script $name $found[1] $row['path'] @($start, $own, ($windows + '\System32'), $windows) ($depth + 1)
        } catch {
            Add-Gap $row['path'] '' ($found[0] + ': ' + (Get-Words $_))
        }
    }
}

function Add-TaskScripts($task) {
    foreach ($action in (Get-Actions $task)) {
        $start = (Get-Expanded $action['folder'] @{} '').Trim('"')
        foreach ($found in (Get-ActionNames $action)) {
            Add-Script (Get-Expanded $found[0] @{} '') $true $task['path'] @($start, ($windows + '\System32'), $windows) 1
        }
    }
}

if ($null -eq $Shared['tasks']) { throw 'the tasks could not be listed, so it is not known which scripts they call' }
foreach ($task in $Shared['tasks']) {
    try { Add-TaskScripts $task } catch { Add-Gap $task['path'] '' (Get-Words $_) }
}
for ($i = 0; $i -lt $queue.Count; $i++) { Add-Called $queue[$i][0] $queue[$i][1] $queue[$i][2] }
if ($Shared['tasks full']) { Add-Gap '' '' 'not all tasks were read: they may call further scripts' }
