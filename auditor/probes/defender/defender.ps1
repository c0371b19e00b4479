# Microsoft Defender's own words, and on clients those of Security Center. Either may hang: this section runs late, and rows come first.

$place = 'root\Microsoft\Windows\Defender'
$own = 'Microsoft Defender Antivirus'
$kinds = @(@('ExclusionPath', 'path'), @('ExclusionExtension', 'extension'), @('ExclusionProcess', 'process'), @('ExclusionIpAddress', 'address'))

function Get-UpToDate($status) {
    $late = Get-Property $status 'DefenderSignaturesOutOfDate'
    if ($null -eq $late) { return $null }
    return -not $late
}

function Add-Status($status) {
    $row = @{
        source = 'defender'; name = $own; running_mode = (Get-PropertyText $status 'AMRunningMode'); product_version = (Get-PropertyText $status 'AMProductVersion')
        engine_version = (Get-PropertyText $status 'AMEngineVersion'); enabled = (Get-Property $status 'AntivirusEnabled'); real_time = (Get-Property $status 'RealTimeProtectionEnabled')
        up_to_date = (Get-UpToDate $status); tamper_protected = (Get-Property $status 'IsTamperProtected'); exclusions = $null
        definitions_version = (Get-PropertyText $status 'AntivirusSignatureVersion'); definitions_updated = (Get-PropertyTime $status 'AntivirusSignatureLastUpdated')
    }
    Add-Row $row
    return $row
}

# Without rights, or where a policy hides them, each list holds one sentence that begins with N/A:.
function Add-Exclusions($row) {
    $found = New-Object Collections.ArrayList
    foreach ($preference in (Get-Instances 'MSFT_MpPreference' '' $place)) {
        foreach ($kind in $kinds) {
            foreach ($text in (Get-PropertyList $preference $kind[0])) {
                if ($text.StartsWith('N/A:')) {
                    Add-Gap $own 'exclusions' ('hidden from this account: ' + $text)
                    return
                }
                [void]$found.Add($kind[1] + ' ' + $text)
            }
        }
    }
    $row['exclusions'] = $found
}

function Add-Own {
    $found = Get-Instances 'MSFT_MpComputerStatus' '' $place
    if ($found.Count -eq 0) { throw 'Defender is there, and says nothing of its state' }
    $row = Add-Status $found[0]
    Set-Late @(, @($own, 'exclusions'))
    try { Add-Exclusions $row } catch { Add-Gap $own 'exclusions' (Get-Words $_) }
    $Answer['late'] = $null
}

# productState: the second byte says whether it is on (1) and the third whether definitions are out of date (10).
function Add-Registered($product) {
    $row = @{ source = 'securitycenter'; name = (Get-PropertyText $product 'displayName'); product_state = (Get-PropertyNumber $product 'productState'); enabled = $null; up_to_date = $null }
    if ($null -ne $row['product_state']) {
        $on = ($row['product_state'] -band 0xf000) / 4096
        $late = $row['product_state'] -band 0xff
        if ($on -le 3) { $row['enabled'] = ($on -eq 1) }
        if ($late -eq 0) { $row['up_to_date'] = $true } elseif ($late -eq 0x10) { $row['up_to_date'] = $false }
    } else {
        $row['enabled'] = Get-Property $product 'onAccessScanningEnabled'
        $row['up_to_date'] = Get-Property $product 'productUptoDate'
    }
    Add-Row $row
}

function Add-SecurityCenter {
    if ((Get-Generation) -ge 600) { $center = 'root\SecurityCenter2' } else { $center = 'root\SecurityCenter' }
    foreach ($product in (Get-Instances 'AntiVirusProduct' '' $center)) { Add-Registered $product }
}

# Whether Windows of this generation came without Defender on servers (before 2016) and none was added: then none is to be told of.
function Test-NoDefender {
    $build = Get-PathText $AuditVersionKey 'CurrentBuildNumber'
    if (-not ($build -match '^\d{1,9}$')) { return $false }
    return ([int]$build -lt 14393) -and -not (Test-Key ($AuditServicesKey + '\WinDefend'))
}

$client = (Get-PathText 'SYSTEM\CurrentControlSet\Control\ProductOptions' 'ProductType') -eq 'WinNT'
if ($client) {
    try { Add-SecurityCenter } catch { Add-Gap 'securitycenter' '' (Get-Words $_) }
}
try {
    Add-Own
} catch {
    $failure = Get-Failure $_
    if ($failure[0] -eq 'unsupported' -and -not $client -and (Test-NoDefender)) { return }
    if (-not $client -or $Answer['rows'].Count -eq 0) {
        if ($failure[0] -eq 'unsupported') { $failure[1] = 'this Windows has no Defender that tells of itself, and Security Center is on clients only (' + $failure[1] + ')' }
        Set-Status $failure[0] $failure[1]
    } elseif ($failure[0] -ne 'unsupported') {
        Add-Gap $own '' $failure[1]
    }
}
