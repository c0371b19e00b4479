# Which scripts a text names: pure text work, nothing is looked up here.

$kinds = 'bat|cmd|ps1|vbs|vbe|js|jse|wsf|rcj|pl|py|kix'
$ending = '\.(' + $kinds + ')$'
$options = [Text.RegularExpressions.RegexOptions]'IgnoreCase, Multiline'
# Lines that can name a script, picked without a loop over all lines.
$naming = New-Object Text.RegularExpressions.Regex (('^.*(\.(' + $kinds + ')\b|-s:|/job:|/script=).*$'), $options)
$remark = New-Object Text.RegularExpressions.Regex ('^\s*(@?\s*rem\b|::|#|'')', $options)
$setting = New-Object Text.RegularExpressions.Regex ('^\s*@?\s*set\s+"?([A-Za-z_][\w.-]*)=([^"\r\n&|]*)', $options)
$piece = New-Object Text.RegularExpressions.Regex '"([^"\r\n]+)"|''([^''\r\n]{1,260})''|([^\s"&|<>()=,;]+=?)'
# What stands before a name that is run, as against one that is only mentioned.
$running = New-Object Text.RegularExpressions.Regex ('(^|[&|(@{]|\b(call|do|else|start|exec|run)|\b[cw]script(\.exe)?|[-/](c|k|file|f))\s*(//\w+\s*)*["''(]*\s*$', $options)

function Get-Unescaped([string]$text) {
    return $text.Replace('&lt;', '<').Replace('&gt;', '>').Replace('&quot;', '"').Replace('&apos;', "'").Replace('&#39;', "'").Replace('&#34;', '"').Replace('&amp;', '&')
}

function Get-Element([string]$xml, [string]$name) {
    $found = [Text.RegularExpressions.Regex]::Match($xml, '<' + $name + '>([^<]*)</' + $name + '>')
    if (-not $found.Success) { return '' }
    return Get-Unescaped $found.Groups[1].Value
}

# Counted UTF-16 texts of a .job file: application, parameters, working directory. The offset of the first stands at byte 20 ([MS-TSCH] 2.4).
function Get-JobAction($bytes) {
    $texts = @('', '', '')
    $at = [BitConverter]::ToUInt16($bytes, 20)
    for ($i = 0; $i -lt 3; $i++) {
        if ($at + 2 -gt $bytes.Length) { break }
        $count = [BitConverter]::ToUInt16($bytes, $at)
        if ($at + 2 + 2 * $count -gt $bytes.Length) { break }
        $texts[$i] = [Text.Encoding]::Unicode.GetString($bytes, $at + 2, 2 * $count).TrimEnd([char]0)
        $at += 2 + 2 * $count
    }
    return @{ command = $texts[0]; arguments = $texts[1]; folder = $texts[2] }
}

# Actions of a task: command, arguments, folder.
function Get-Actions($task) {
    $actions = New-Object Collections.ArrayList
    if ($task['source_format'] -eq 'job' -and $null -ne $task['bytes'] -and $task['bytes'].Length -gt 70) { [void]$actions.Add((Get-JobAction $task['bytes'])) }
    if ($task['source_format'] -eq 'xml' -and $null -ne $task['text']) {
        foreach ($found in [Text.RegularExpressions.Regex]::Matches($task['text'], '<Exec\b[^>]*>[\s\S]*?</Exec>')) {
            $xml = $found.Value
            [void]$actions.Add(@{ command = (Get-Element $xml 'Command'); arguments = (Get-Element $xml 'Arguments'); folder = (Get-Element $xml 'WorkingDirectory') })
        }
    }
    return , $actions
}

# Adds the names in one line to $names as pairs of name and whether it is run there.
function Add-Names($names, [string]$line, [bool]$all, [int]$depth) {
    $next = $false
    foreach ($found in $piece.Matches($line)) {
        $text = $found.Groups[3].Value
        $quoted = ($text -eq '')
        if ($quoted) { $text = $found.Groups[1].Value + $found.Groups[2].Value }
        $text = $text.Trim().TrimStart('@')
        if ($text -match '^[-/](s|job|script)[:=](.*)$') {
            $rest = $Matches[2]
            if ($Matches[1] -eq 's' -and $line -notmatch '\bftp(\.exe)?\b') { continue }
            if ($rest -eq '') {
                $next = $true
                continue
            }
            if ($Matches[1] -eq 'job' -and $rest -notmatch '\.[^\\.]+$') { $rest += '.rcj' }
            [void]$names.Add(@($rest, $true))
        } elseif ($next -or $text -match $ending) {
            [void]$names.Add(@($text, ($all -or $next -or $running.IsMatch($line.Substring(0, $found.Index)))))
        } elseif ($quoted -and $depth -eq 0 -and $text -match '\s') {
            Add-Names $names $text $all 1
        }
        $next = $false
    }
}

# Names in a task's action. The command may be a path with blanks and without quotes.
function Get-ActionNames($action) {
    $names = New-Object Collections.ArrayList
    $command = $action['command'].Trim().Trim('"')
    if ($command -match $ending) { [void]$names.Add(@($command, $true)) } else { Add-Names $names $action['command'] $true 0 }
    Add-Names $names ($command + ' ' + $action['arguments']) $true 0
    return , $names
}

function Get-ScriptNames([string]$text) {
    $names = New-Object Collections.ArrayList
    foreach ($found in $naming.Matches($text)) {
        if ($names.Count -ge 1000) { break }
        if (-not $remark.IsMatch($found.Value)) { Add-Names $names $found.Value $false 0 }
    }
    return , $names
}

# Variables that a batch file sets, each text of at most 8191 characters, expanded once: growth is bounded.
function Get-Variables([string]$text) {
    $variables = New-Object Collections.Hashtable ([StringComparer]::OrdinalIgnoreCase)
    $count = 0
    foreach ($found in $setting.Matches($text)) {
        $count++
        if ($count -gt 200) { break }
        $variables[$found.Groups[1].Value] = Get-Expanded $found.Groups[2].Value.Trim() $variables ''
    }
    return $variables
}

# %NAME% of the script, then of the environment; %~dp0 and $PSScriptRoot as the caller's folder where there is one.
function Get-Expanded([string]$text, $variables, [string]$folder) {
    if ($folder -ne '') { $text = $text.Replace('%~dp0', $folder + '\').Replace('%~DP0', $folder + '\').Replace('$PSScriptRoot', $folder) }
    foreach ($name in [Text.RegularExpressions.Regex]::Matches($text, '%([^%\s]+)%')) {
        if ($variables.ContainsKey($name.Groups[1].Value)) { $text = $text.Replace($name.Value, $variables[$name.Groups[1].Value]) }
        if ($text.Length -gt 8191) { return $text.Substring(0, 8191) }
    }
    $text = [Environment]::ExpandEnvironmentVariables($text)
    if ($text.Length -gt 8191) { return $text.Substring(0, 8191) }
    return $text
}
