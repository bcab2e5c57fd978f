#requires -Version 3.0
<#
.SYNOPSIS
Makes the changes of the old host's firewall rules for Hyper-V on this host. A manual step: read firewall.json first.
.DESCRIPTION
The script can be run again. What the rules were before is kept in the folder state, and Undo-HyperVRole.ps1 puts them back.
.EXAMPLE
.\Set-HyperVFirewall.ps1 -WhatIf
#>
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
param()
. ([System.IO.Path]::Combine($PSScriptRoot, 'Kit.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Firewall.ps1'))

if (-not (Test-KitAdministrator)) {
    throw 'Run this script in a PowerShell that was started as administrator.'
}
if ($PSCmdlet.ShouldProcess($env:COMPUTERNAME, 'Change firewall rules as steps\firewall.ps1 lists them')) {
    $ConfirmPreference = 'None'
    Save-KitFirewall -Document (Read-KitJson -Path (Get-KitPath -Relative 'firewall.json'))
    & (Get-KitPath -Relative 'steps\firewall.ps1') -Mode 'Perform'
}
