# Starts a job of the kit as a scheduled task, unless it runs or has succeeded already.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$Folder,
    [Parameter(Mandatory = $true)][string]$Name,
    [Parameter(Mandatory = $true)][string]$Argument,
    [Parameter(Mandatory = $true)][string]$Job,
    [Parameter(Mandatory = $true)][string]$Run
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$tasks = @(Get-ScheduledTask | Where-Object { $_.TaskName -eq $Name })
if (($tasks.Count -gt 0) -and (@('Queued', 'Running') -contains ([string]$tasks[0].State))) {
    return 'running'
}
$live = [System.IO.Path]::Combine($Folder, 'live')
[void][System.IO.Directory]::CreateDirectory($live)
$result = [System.IO.Path]::Combine($live, $Job + '.json')
if ([System.IO.File]::Exists($result)) {
    $before = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($result))
    if (($before.run -eq $Run) -and $before.succeeded) {
        return 'ended'
    }
}
# What an earlier job left is no answer to this one, and after this one no answer any more.
foreach ($other in @('Import', 'Test', 'Undo')) {
    [System.IO.File]::Delete([System.IO.Path]::Combine($live, $other + '.json'))
}
$action = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument $Argument
# The system by its identifier: its name is translated with Windows.
$principal = New-ScheduledTaskPrincipal -UserId 'S-1-5-18' -LogonType ServiceAccount -RunLevel Highest
$settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
[void](Register-ScheduledTask -TaskName $Name -Action $action -Principal $principal -Settings $settings -Force)
Start-ScheduledTask -TaskName $Name
'started'
