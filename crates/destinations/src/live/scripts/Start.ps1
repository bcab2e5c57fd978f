# Starts a job of the kit as a scheduled task, unless it runs or has succeeded already, or there is no kit.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$Folder,
    [Parameter(Mandatory = $true)][string]$Name,
    [Parameter(Mandatory = $true)][string]$Runner,
    [Parameter(Mandatory = $true)][string]$Argument,
    [Parameter(Mandatory = $true)][string]$Job,
    [Parameter(Mandatory = $true)][string]$Run
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$tasks = @(Get-ScheduledTask -ErrorAction Stop | Where-Object { $_.TaskName -eq $Name })
if (($tasks.Count -gt 0) -and (@('Queued', 'Running') -contains ([string]$tasks[0].State))) {
    return 'running'
}
if (-not [System.IO.File]::Exists($Runner)) {
    return 'gone'
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
# Made anew: what is registered over a task of somebody else might stay in his hands. Nobody is there who could be asked.
if ($tasks.Count -gt 0) {
    Unregister-ScheduledTask -TaskName $Name -ErrorAction Stop -Confirm:$false
}
# With its folder: it is looked for in all folders of the path else.
$program = [System.IO.Path]::Combine([System.Environment]::SystemDirectory, 'WindowsPowerShell\v1.0\powershell.exe')
$action = New-ScheduledTaskAction -Execute $program -Argument $Argument -ErrorAction Stop
# The system by its identifier: its name is translated with Windows.
$principal = New-ScheduledTaskPrincipal -UserId 'S-1-5-18' -LogonType ServiceAccount -RunLevel Highest -ErrorAction Stop
$settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -ErrorAction Stop
[void](Register-ScheduledTask -TaskName $Name -Action $action -Principal $principal -Settings $settings -ErrorAction Stop)
Start-ScheduledTask -TaskName $Name -ErrorAction Stop
'started'
