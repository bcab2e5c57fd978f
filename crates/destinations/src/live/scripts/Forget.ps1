# Takes the task of the jobs away.
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$Name)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
if (@(Get-ScheduledTask | Where-Object { $_.TaskName -eq $Name }).Count -gt 0) {
    Unregister-ScheduledTask -TaskName $Name -Confirm:$false
}
