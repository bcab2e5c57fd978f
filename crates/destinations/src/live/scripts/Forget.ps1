# Takes the task of the jobs away.
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$Name)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
if (@(Get-ScheduledTask -ErrorAction Stop | Where-Object { $_.TaskName -eq $Name }).Count -gt 0) {
    # Nobody is there who could be asked.
    Unregister-ScheduledTask -TaskName $Name -ErrorAction Stop -Confirm:$false
}
