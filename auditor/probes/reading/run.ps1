# The one place that starts a program: one of Windows' own in System32, with fixed arguments that only list.

# Its output and its exit code.
function Read-Program([string]$program, [string]$arguments) {
    $start = New-Object Diagnostics.ProcessStartInfo
    $start.FileName = Get-RealPath ((Get-WindowsFolder) + '\System32\' + $program)
    $start.Arguments = $arguments
    $start.UseShellExecute = $false
    $start.CreateNoWindow = $true
    $start.RedirectStandardOutput = $true
    $start.StandardOutputEncoding = Get-CodePage 'OEMCP'
    $process = [Diagnostics.Process]::Start($start)
    $Answer['child'] = $process
    $text = $process.StandardOutput.ReadToEnd()
    $process.WaitForExit()
    $Answer['child'] = $null
    return @($text, $process.ExitCode)
}
