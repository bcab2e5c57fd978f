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
$releases = @{ '6.2.' = '2012'; '6.3.' = '2012R2'; '10.0.14393' = '2016'; '10.0.17763' = '2019'; '10.0.20348' = '2022'; '10.0.26100' = '2025' }
foreach ($version in @($releases.Keys)) {
    if (([string]$system.Version).StartsWith($version)) {
        $os = $releases[$version]
    }
}
# That a host has no physical network adapter may be told as an error.
$physical = @()
try {
    $physical = @(Get-NetAdapter -Physical -ErrorAction Stop)
}
catch {
    if ([string]$_.CategoryInfo.Category -ne 'ObjectNotFound') {
        throw $_
    }
}
# Adapters that are no PCI devices have no place, and a host without others answers with an error: the place is told where it is known.
$places = @(Get-NetAdapterHardwareInfo -ErrorAction SilentlyContinue)
$ownAddresses = @(Get-NetIPAddress -ErrorAction Stop)
$facts = @{
    os = $os
    processors = [int]$computer.NumberOfLogicalProcessors
    memory = [long]$computer.TotalPhysicalMemory
    free = [long](New-Object -TypeName System.IO.DriveInfo -ArgumentList $Drive).AvailableFreeSpace
    language = '{0:x4}' -f [int]$system.OSLanguage
    adapters = @($physical | ForEach-Object { [string]$_.Name })
    adapter_details = @()
    machines = @()
    machine_ids = @()
    switches = @()
    macs = @()
}
foreach ($adapter in $physical) {
    $detail = @{ name = [string]$adapter.Name; description = [string]$adapter.InterfaceDescription; addresses = @() }
    $mac = [string]$adapter.MacAddress
    if ($mac.Length -eq 17) {
        $detail['mac'] = $mac
    }
    foreach ($place in @($places | Where-Object { $_.Name -eq $adapter.Name })) {
        $detail['location'] = 'PCI bus {0}, device {1}, function {2}' -f $place.BusNumber, $place.DeviceNumber, $place.FunctionNumber
    }
    foreach ($address in @($ownAddresses | Where-Object { $_.InterfaceIndex -eq $adapter.InterfaceIndex })) {
        $detail['addresses'] += @('{0}/{1}' -f ([string]$address.IPAddress).Split('%')[0], $address.PrefixLength)
    }
    $facts['adapter_details'] += @($detail)
}
$editions = @{ 7 = 'standard'; 13 = 'standard'; 8 = 'datacenter'; 12 = 'datacenter'; 42 = 'hyper-v-server' }
$sku = [int]$system.OperatingSystemSKU
if ($editions.ContainsKey($sku)) {
    $facts['edition'] = $editions[$sku]
}
if ($null -ne (Get-Module -ListAvailable -Name 'Hyper-V')) {
    Import-Module -Name 'Hyper-V'
    $facts['machines'] = @(Get-VM | ForEach-Object { [string]$_.Name })
    $facts['machine_ids'] = @(Get-VM | ForEach-Object { ([string]$_.Id).ToUpperInvariant() })
    $facts['switches'] = @(Get-VMSwitch | ForEach-Object { [string]$_.Name })
    $macs = @(Get-VMNetworkAdapter -All | ForEach-Object { [string]$_.MacAddress })
    $facts['macs'] = @($macs | Where-Object { ($_.Length -eq 12) -and ($_ -ne '000000000000') })
}
$target = $PSCmdlet.GetUnresolvedProviderPathFromPSPath($Path)
[System.IO.File]::WriteAllText($target, (ConvertTo-Json -InputObject $facts -Depth 4))
Write-Output -InputObject ("Written: {0}" -f $target)
