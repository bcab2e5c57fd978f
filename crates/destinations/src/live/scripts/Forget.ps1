# Takes the task of the jobs away.
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$Name)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
# Nobody is there who could be asked.
$ConfirmPreference = 'None'
if (@(Get-ScheduledTask | Where-Object { $_.TaskName -eq $Name }).Count -gt 0) {
    Unregister-ScheduledTask -TaskName $Name
}
