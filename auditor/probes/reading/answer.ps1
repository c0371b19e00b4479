# Rows, gaps and the words of errors. $Answer is the section's answer; only this file writes to it.

function Add-Row($row) {
    [void]$Answer['rows'].Add($row)
}

# Rows of a pipeline, each as it comes: at the deadline those that came are kept.
function Add-Rows {
    process { Add-Row $_ }
}

function Add-Gap([string]$record, [string]$field, [string]$reason) {
    $count = $Answer['gaps'].Count
    if ($count -lt 1000) {
        [void]$Answer['gaps'].Add(@{ record = $record; field = $field; reason = $reason })
    } elseif ($count -eq 1000) {
        [void]$Answer['gaps'].Add(@{ record = ''; field = ''; reason = 'more than 1000 gaps: the rest is not listed' })
    }
}

# Says that all rows are complete but for these fields (pairs of record and field): at the deadline they become gaps.
function Set-Late($fields) {
    $Answer['late'] = $fields
}

function Set-Status([string]$status, [string]$reason) {
    $Answer['status'] = $status
    $Answer['reason'] = $reason
}

function Get-UtcText($time) {
    if ($null -eq $time) { return $null }
    return $time.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture)
}

function Get-OrNull($text) {
    if ($null -eq $text -or $text -eq '') { return $null }
    return [string]$text
}

function Get-Trimmed($text) {
    if ($null -eq $text) { return $null }
    return Get-OrNull ([string]$text).Trim()
}

# The chain of exceptions behind an error record, outermost first.
function Get-Chain($record) {
    $chain = New-Object Collections.ArrayList
    $next = $record.Exception
    while ($null -ne $next -and $chain.Count -lt 12) {
        [void]$chain.Add($next)
        if ($null -ne $next.ErrorRecord -and $null -ne $next.ErrorRecord.Exception -and $next.GetType().Name -eq 'ActionPreferenceStopException') {
            $next = $next.ErrorRecord.Exception
        } else {
            $next = $next.InnerException
        }
    }
    return , $chain
}

# The host's own words, in one line of at most 300 characters.
function Get-Words($record) {
    $words = ''
    foreach ($exception in (Get-Chain $record)) {
        if ($exception.Message) { $words = [string]$exception.Message }
    }
    $words = [Text.RegularExpressions.Regex]::Replace($words, '\s+', ' ').Trim()
    if ($words.Length -gt 300) { $words = $words.Substring(0, 300) }
    return $words
}

function Get-Code($exception) {
    foreach ($code in @($exception.ErrorCode, $exception.HResult)) {
        if ($null -ne $code) {
            try { return [int]$code } catch { continue }
        }
    }
    return 0
}

# Status and words of an error: denied, unsupported, timed_out or failed.
function Get-Failure($record) {
    $status = 'failed'
    foreach ($exception in (Get-Chain $record)) {
        $kind = $exception.GetType().Name
        $code = Get-Code $exception
        $text = [string]$exception.MessageId + ' ' + [string]$exception.Message
        # 0x80070005 access denied; 0x80041003 WMI access denied
        if ($kind -eq 'UnauthorizedAccessException' -or $kind -eq 'SecurityException' -or $code -eq -2147024891 -or $code -eq -2147217405 -or $text -match '0x80041003|0x80070005' -or ($kind -eq 'Win32Exception' -and $exception.NativeErrorCode -eq 5)) {
            $status = 'denied'
        }
        # 0x80041010 invalid class; 0x8004100e invalid namespace; 0x8004100c not supported
        if ($kind -eq 'CommandNotFoundException' -or $kind -eq 'EventLogNotFoundException' -or $kind -eq 'PlatformNotSupportedException' -or $code -eq -2147217392 -or $code -eq -2147217394 -or $code -eq -2147217396 -or $text -match '0x80041010|0x8004100e|0x8004100c|^ ?Invalid (class|namespace)') {
            $status = 'unsupported'
        }
        if ($text -match '^ ?not asked again: ') { $status = 'timed_out' }
    }
    return @($status, (Get-Words $record))
}
