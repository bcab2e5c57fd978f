#requires -Version 3.0
<#
.SYNOPSIS
Gives accounts the rights on WMI namespaces of this host that they had on the old host beyond what Windows gives. Nothing is removed.
.DESCRIPTION
The entries are in wmi.json. Accounts that this host does not know are left out with a warning. The script can be run again:
what is there already stays as it is. The old values are kept in the folder state, and Undo-HyperVRole.ps1 puts them back.
.EXAMPLE
.\Merge-WmiNamespace.ps1 -WhatIf
#>
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
param()
. ([System.IO.Path]::Combine($PSScriptRoot, 'Kit.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Access.ps1'))

if (-not (Test-KitAdministrator)) {
    throw 'Run this script in a PowerShell that was started as administrator.'
}
$document = Read-KitJson -Path (Get-KitPath -Relative 'wmi.json')
foreach ($rights in @($document.namespaces)) {
    $namespace = [string]$rights.namespace
    $bytes = Get-KitNamespaceSecurity -Namespace $namespace
    if ($null -eq $bytes) {
        continue
    }
    $merge = Merge-KitDescriptor -Name $namespace -Bytes $bytes -Entries $rights.added
    if ($null -eq $merge) {
        continue
    }
    if ($null -eq $merge.bytes) {
        Write-Output -InputObject ("'{0}' needs no change." -f $namespace)
        continue
    }
    if ($PSCmdlet.ShouldProcess($namespace, 'Merge rights on the WMI namespace')) {
        $name = Get-KitNamespaceName -Namespace $namespace
        Save-KitRestriction -Name $name -Present $bytes -Merged $merge.bytes
        Set-KitNamespaceSecurity -Namespace $namespace -Bytes $merge.bytes
        Write-Output -InputObject ("'{0}' is merged." -f $namespace)
    }
}
