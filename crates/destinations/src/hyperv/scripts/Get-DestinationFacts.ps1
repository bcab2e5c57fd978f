#requires -Version 3.0
<#
.SYNOPSIS
Writes what hvmigrate has to know of this host into a file, for the parameter facts= of the kit.
.PARAMETER Path
The file to write.
.PARAMETER Drive
The drive where the virtual machines will lie; its free space is told.
.EXAMPLE
.\Get-DestinationFacts.ps1 -Path facts.json -Drive D
#>
[CmdletBinding()]
param(
    [string]$Path = 'facts.json',
    [string]$Drive = 'C'
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$system = Get-WmiObject -Class 'Win32_OperatingSystem'
$computer = Get-WmiObject -Class 'Win32_ComputerSystem'
$os = [string]$system.Version
if ($os.StartsWith('6.2.')) {
    $os = '2012'
}
$facts = @{
    os = $os
    processors = [int]$computer.NumberOfLogicalProcessors
    memory = [long]$computer.TotalPhysicalMemory
    free = [long](New-Object -TypeName System.IO.DriveInfo -ArgumentList $Drive).AvailableFreeSpace
    language = '{0:x4}' -f [int]$system.OSLanguage
    adapters = @(Get-NetAdapter -Physical | ForEach-Object { [string]$_.Name })
    machines = @()
    switches = @()
    macs = @()
}
$editions = @{ 7 = 'standard'; 13 = 'standard'; 8 = 'datacenter'; 12 = 'datacenter'; 42 = 'hyper-v-server' }
$sku = [int]$system.OperatingSystemSKU
if ($editions.ContainsKey($sku)) {
    $facts['edition'] = $editions[$sku]
}
if ($null -ne (Get-Module -ListAvailable -Name 'Hyper-V')) {
    Import-Module -Name 'Hyper-V'
    $facts['machines'] = @(Get-VM | ForEach-Object { [string]$_.Name })
    $facts['switches'] = @(Get-VMSwitch | ForEach-Object { [string]$_.Name })
    $macs = @(Get-VMNetworkAdapter -All | ForEach-Object { [string]$_.MacAddress })
    $facts['macs'] = @($macs | Where-Object { ($_.Length -eq 12) -and ($_ -ne '000000000000') })
}
$target = $PSCmdlet.GetUnresolvedProviderPathFromPSPath($Path)
[System.IO.File]::WriteAllText($target, (ConvertTo-Json -InputObject $facts))
Write-Output -InputObject ("Written: {0}" -f $target)
