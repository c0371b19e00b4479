# Crash, shutdown, disk, memory and service events of the system log, installer, disk-check and asked providers of the application log.

$system = @(
    'EventLog=6005,6006,6008,6009', 'Microsoft-Windows-Kernel-Power=41,109', 'Microsoft-Windows-Kernel-General=12,13',
    'BugCheck=1001', 'Microsoft-Windows-WER-SystemErrorReporting=1001', 'Save Dump=1001', 'System Error=1003',
    # Some providers are spelt differently from Windows to Windows, and XPath tells upper from lower case.
    'USER32=1074,1076', 'User32=1074,1076', 'volsnap=24,25,33,36', 'Volsnap=24,25,33,36', 'Srv=2011,2019,2020', 'srv=2011,2019,2020',
    'Service Control Manager=7000,7001,7022,7023,7024,7026,7031,7034,7045', 'disk=7,11,15,51,52,153,154,157',
    'Ntfs=50,55,57,98,137,140', 'Microsoft-Windows-Ntfs=50,55,57,98,137,140',
    'Microsoft-Windows-WHEA-Logger=1,17,18,19,20,46,47', 'Microsoft-Windows-Kernel-IO=1205', 'Microsoft-Windows-Resource-Exhaustion-Detector=2004',
    'Application Popup=26,333', 'SAVRT=1005',
    'volmgr=45,46,49,161', 'Microsoft-Windows-WindowsUpdateClient=19,20', 'Windows Update Agent=19,20'
)
$application = @(
    'Chkdsk=1001,26212,26214,26226', 'Microsoft-Windows-Chkdsk=1001,26212,26214,26226', 'Wininit=1001', 'Microsoft-Windows-Wininit=1001',
    'Winlogon=1001', 'MsiInstaller=1033,1034,1035,11707,11724', 'Application Error=1000'
)
foreach ($source in $Parameters['event_sources']) { $application += ($source + '=*') }

$now = [DateTime]::UtcNow
$from = $now.AddDays(-[int]$Parameters['event_days'][0])
$limit = [int]$Parameters['event_limit'][0]

Read-Log 'System' $system $from $now $limit | Add-Rows
Add-Coverage 'System' $from
$restart = Get-Around
if ($null -eq $restart) { $restart = Find-Restart $Answer['rows'] }
$Shared['restart'] = $restart
$Shared['restart known'] = $true
if ($null -ne $restart) {
    # Starts and stops of services are too many for the whole window.
    Read-Log 'System' @('Service Control Manager=7035,7036') $restart.AddHours(-2) $restart.AddMinutes(10) $limit | Add-Rows
}
Read-Log 'Application' $application $from $now $limit | Add-Rows
Add-Coverage 'Application' $from

# Definitions, engine, platform and protection of Defender, in a log of its own that older Windows does not have.
if ((Get-Generation) -ge 602) {
    $log = 'Microsoft-Windows-Windows Defender/Operational'
    Set-Late @(, @($log, ''))
    try {
        Read-Log $log @('Microsoft-Windows-Windows Defender=2000,2001,2002,2003,2004,2005,2014,5000,5001,5004,5007,5008,5010,5012') $from $now $limit | Add-Rows
        Add-Coverage $log $from
    } catch {
        $Shared['waiting'] = $null
        $failure = Get-Failure $_
        if ($failure[0] -ne 'unsupported') { Add-Gap $log '' $failure[1] }
    }
}
