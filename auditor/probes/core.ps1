# The core: runs on PowerShell 2.0 to 7. It reads the parameters, runs every section in a runspace with a deadline, writes each answer
# as a framed block when it is finished, and ends the process so that a hung runspace holds nothing. It knows no section.
# Given by the bundle: $AuditParameters (text), $AuditReading (the readers), $AuditSections (name to script).

$AuditInvariant = [Globalization.CultureInfo]::InvariantCulture
$AuditOther = New-Object Text.RegularExpressions.Regex '[^\x20-\x7e]+'
$AuditSpecial = New-Object Text.RegularExpressions.Regex '[^\x20\x21\x23-\x5b\x5d-\x7e]'
$AuditPair = New-Object Text.RegularExpressions.Regex '(..)-(..)-?'
$AuditUnicode = New-Object Text.UnicodeEncoding ($true, $false)

function Read-Parameters([string]$text) {
    $found = @{}
    foreach ($line in [Text.Encoding]::ASCII.GetString([Convert]::FromBase64String($text)).Split([char]10)) {
        $parts = $line.Split([char]9)
        $items = New-Object Collections.ArrayList
        for ($i = 1; $i -lt $parts.Length; $i++) {
            [void]$items.Add([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($parts[$i])))
        }
        $found[$parts[0]] = $items
    }
    return $found
}

# UTF-16 in hex, two pairs a character: lone surrogates become fffd in the encoder, and no loop runs over characters.
function Get-Escaped([string]$text) {
    return $AuditPair.Replace([BitConverter]::ToString($AuditUnicode.GetBytes($text)), '\u$1$2')
}

function Add-JsonText($out, [string]$text) {
    [void]$out.Append('"')
    if (-not $AuditSpecial.IsMatch($text)) {
        [void]$out.Append($text).Append('"')
        return
    }
    $whole = $text
    $text = $text.Replace('\', '\\').Replace('"', '\"')
    $runs = $AuditOther.Matches($text)
    if ($runs.Count -gt 4000) {
        # Above this a loop over the runs is slower than to escape every character.
        [void]$out.Append((Get-Escaped $whole))
    } else {
        $at = 0
        foreach ($run in $runs) {
            [void]$out.Append($text, $at, $run.Index - $at)
            [void]$out.Append((Get-Escaped $run.Value))
            $at = $run.Index + $run.Length
        }
        [void]$out.Append($text, $at, $text.Length - $at)
    }
    [void]$out.Append('"')
}

function Add-JsonMap($out, $map) {
    [void]$out.Append('{')
    $first = $true
    foreach ($name in @($map.Keys)) {
        if (-not $first) { [void]$out.Append(',') }
        $first = $false
        Add-JsonText $out $name
        [void]$out.Append(':')
        Add-Json $out $map[$name]
    }
    [void]$out.Append('}')
}

function Add-JsonList($out, $items) {
    [void]$out.Append('[')
    $first = $true
    foreach ($item in $items) {
        if (-not $first) { [void]$out.Append(',') }
        $first = $false
        Add-Json $out $item
    }
    [void]$out.Append(']')
}

function Add-Json($out, $value) {
    if ($null -eq $value) {
        [void]$out.Append('null')
    } elseif ($value -is [string]) {
        Add-JsonText $out $value
    } elseif ($value -is [bool]) {
        if ($value) { [void]$out.Append('true') } else { [void]$out.Append('false') }
    } elseif ($value -is [Collections.IDictionary]) {
        Add-JsonMap $out $value
    } elseif ($value -is [Collections.IEnumerable]) {
        Add-JsonList $out $value
    } elseif ($value -is [int] -or $value -is [long] -or $value -is [uint32] -or $value -is [uint64] -or $value -is [byte] -or $value -is [int16] -or $value -is [uint16]) {
        [void]$out.Append([Convert]::ToString($value, $AuditInvariant))
    } else {
        Add-JsonText $out ([Convert]::ToString($value, $AuditInvariant))
    }
}

function Get-Json($value) {
    $out = New-Object Text.StringBuilder
    Add-Json $out $value
    return $out.ToString()
}

# SHA-256; where FIPS mode forbids the managed class the system's own, and SHA-1 as the last: the frame names which.
function Get-Digest([byte[]]$bytes) {
    $classes = @(
        @('sha256', 'System.Security.Cryptography.SHA256Managed'),
        @('sha256', 'System.Security.Cryptography.SHA256CryptoServiceProvider'),
        @('sha1', 'System.Security.Cryptography.SHA1CryptoServiceProvider')
    )
    foreach ($class in $classes) {
        try {
            $hash = New-Object $class[1]
            return $class[0] + ':' + [BitConverter]::ToString($hash.ComputeHash($bytes)).Replace('-', '').ToLowerInvariant()
        } catch {
            continue
        }
    }
    throw 'no digest class can be used on this host'
}

function Get-Packed([byte[]]$bytes) {
    $packed = New-Object IO.MemoryStream
    $packer = New-Object IO.Compression.GZipStream ($packed, [IO.Compression.CompressionMode]::Compress, $true)
    $packer.Write($bytes, 0, $bytes.Length)
    $packer.Close()
    return [Convert]::ToBase64String($packed.ToArray())
}

function Write-Line([string]$line) {
    [Console]::Out.Write($line + "`r`n")
}

function Write-Block([string]$name, [byte[]]$bytes, [double]$seconds) {
    $took = $seconds.ToString('0.000', $AuditInvariant)
    Write-Line ('#AUD1 BLOCK ' + $name + ' ' + $bytes.Length + ' ' + (Get-Digest $bytes) + ' ' + $took)
    $text = Get-Packed $bytes
    for ($at = 0; $at -lt $text.Length; $at += 4000) {
        Write-Line $text.Substring($at, [Math]::Min(4000, $text.Length - $at))
    }
    Write-Line ('#AUD1 STOP ' + $name)
    [Console]::Out.Flush()
}

function Write-Hello {
    $hello = @{ powershell = $PSVersionTable.PSVersion.ToString(); bits = 8 * [IntPtr]::Size; utc_time = (Get-UtcText ([DateTime]::UtcNow)) }
    try {
        $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
        $hello['account'] = $identity.Name
        $principal = New-Object Security.Principal.WindowsPrincipal $identity
        $hello['elevated'] = $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
    } catch {
        $hello['elevated'] = $null
    }
    Write-Line ('#AUD1 HELLO ' + [Convert]::ToBase64String([Text.Encoding]::ASCII.GetBytes((Get-Json $hello))))
    [Console]::Out.Flush()
}

function Get-NewAnswer {
    $lists = @{ status = 'ok'; reason = ''; late = $null; child = $null }
    foreach ($name in 'rows', 'gaps', 'coverage') {
        $lists[$name] = [Collections.ArrayList]::Synchronized((New-Object Collections.ArrayList))
    }
    return [Hashtable]::Synchronized($lists)
}

# A runspace with the readers in it. Sections share one as long as it is healthy: to open one costs more than most sections do.
function Get-Runspace {
    $space = [Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace()
    $space.Open()
    $space.SessionStateProxy.SetVariable('Shared', $AuditShared)
    $space.SessionStateProxy.SetVariable('Parameters', $AuditAsked)
    $shell = [PowerShell]::Create()
    $shell.Runspace = $space
    [void]$shell.AddScript("`$ErrorActionPreference = 'Stop'`n" + $AuditReading.ToString())
    [void]$shell.Invoke()
    return $space
}

function Stop-Late($answer, $shell, [int]$milliseconds) {
    $words = 'given up after ' + [Math]::Round($milliseconds / 1000.0, 1).ToString($AuditInvariant) + ' s'
    if ($AuditShared['waiting']) {
        $words += ', waiting for ' + $AuditShared['waiting']
        $AuditShared[$AuditShared['waiting'] + ' hangs'] = $words
    }
    try { [void]$shell.BeginStop($null, $null) } catch { $words += '; it could not be stopped' }
    if ($null -ne $answer['child']) {
        # The only process that is ever ended: one that this script started itself.
        try { $answer['child'].Kill() } catch { $words += '; ' + (Get-Words $_) }
    }
    if ($null -eq $answer['late']) {
        $answer['status'] = 'timed_out'
        $answer['reason'] = $words
        return
    }
    foreach ($field in $answer['late']) {
        [void]$answer['gaps'].Add(@{ record = $field[0]; field = $field[1]; reason = $words })
    }
}

# Runs one section; true where its runspace can be used again.
function Invoke-Section([string]$name, $answer, $space, [int]$milliseconds) {
    $shell = [PowerShell]::Create()
    $shell.Runspace = $space
    $space.SessionStateProxy.SetVariable('Answer', $answer)
    $AuditShared['waiting'] = $null
    [void]$shell.AddScript($AuditSections[$name].ToString(), $true)
    $run = $shell.BeginInvoke()
    if (-not $run.AsyncWaitHandle.WaitOne($milliseconds, $false)) {
        Stop-Late $answer $shell $milliseconds
        return $false
    }
    try {
        [void]$shell.EndInvoke($run)
    } catch {
        $failure = Get-Failure $_
        $answer['status'] = $failure[0]
        $answer['reason'] = $failure[1]
    }
    return $true
}

function Get-Answered($answer) {
    $whole = @{ status = $answer['status']; reason = $answer['reason']; rows = $answer['rows'].ToArray(); gaps = $answer['gaps'].ToArray(); coverage = $answer['coverage'].ToArray() }
    if ($whole['status'] -eq 'ok' -and $whole['gaps'].Length -gt 0) {
        $whole['status'] = 'partial'
        $whole['reason'] = [string]$whole['gaps'].Length + ' not read, see gaps'
    }
    return $whole
}

function Get-Bare([string]$status, [string]$reason) {
    return @{ status = $status; reason = $reason; rows = @(); gaps = @(); coverage = @() }
}

function Get-Bytes($answer) {
    try {
        return , [Text.Encoding]::ASCII.GetBytes((Get-Json (Get-Answered $answer)))
    } catch {
        # A section that was given up may still change its rows while they are written.
        $words = $answer['reason'] + ' (its rows could not be written: ' + (Get-Words $_) + ')'
        if ($answer['status'] -eq 'ok') { $answer['status'] = 'failed' }
        return , [Text.Encoding]::ASCII.GetBytes((Get-Json (Get-Bare $answer['status'] $words)))
    }
}

function Invoke-All {
    $left = [long]$AuditAsked['answer_limit_bytes'][0]
    $whole = 1000 * [int]$AuditAsked['host_deadline_seconds'][0]
    $each = 1000 * [int]$AuditAsked['section_deadline_seconds'][0]
    $space = $null
    foreach ($name in $AuditAsked['sections']) {
        $from = $AuditClock.ElapsedMilliseconds
        $answer = Get-NewAnswer
        $milliseconds = [int][Math]::Min($each, $whole - $from)
        if ($milliseconds -lt 100) {
            $answer['status'] = 'timed_out'
            $answer['reason'] = 'the deadline of ' + ($whole / 1000) + ' s for the whole host was used up before this section'
        } else {
            try {
                if ($null -eq $space) { $space = Get-Runspace }
                if (-not (Invoke-Section $name $answer $space $milliseconds)) { $space = $null }
            } catch {
                $answer['status'] = 'failed'
                $answer['reason'] = 'no runspace: ' + (Get-Words $_)
                $space = $null
            }
        }
        $bytes = Get-Bytes $answer
        if ($bytes.Length -gt $left) {
            $bytes = [Text.Encoding]::ASCII.GetBytes((Get-Json (Get-Bare 'failed' ('its answer of ' + $bytes.Length + ' bytes passes the limit of the host'))))
        }
        $left -= $bytes.Length
        Write-Block $name $bytes (($AuditClock.ElapsedMilliseconds - $from) / 1000.0)
    }
    Write-Line ('#AUD1 END ' + $AuditAsked['sections'].Count)
    [Console]::Out.Flush()
}

$AuditClock = [Diagnostics.Stopwatch]::StartNew()
$AuditShared = [Hashtable]::Synchronized(@{})
. $AuditReading
$AuditAsked = Read-Parameters $AuditParameters
Write-Hello
# A script that is run by hand repeats what it was asked: its answer is read later and elsewhere.
if ($AuditAsked['echo_parameters'][0] -eq 'True') { Write-Line ('#AUD1 ASKED ' + $AuditParameters) }
Invoke-All
[Environment]::Exit(0)
