#requires -Version 3.0
<#
.SYNOPSIS
Adds what the old host's DCOM restrictions allowed or denied beyond the default to those of this host, and makes the members of its
group Distributed COM Users members here. Nothing is removed.
.DESCRIPTION
The entries are in dcom.json. Accounts that this host does not know are left out with a warning. The script can be run again:
what is there already stays as it is. The old values are kept in the folder state, and Undo-HyperVRole.ps1 puts them back.
.EXAMPLE
.\Merge-DcomRestriction.ps1 -WhatIf
#>
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
param()
. ([System.IO.Path]::Combine($PSScriptRoot, 'Kit.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Access.ps1'))

if (-not (Test-KitAdministrator)) {
    throw 'Run this script in a PowerShell that was started as administrator.'
}
$document = Read-KitJson -Path (Get-KitPath -Relative 'dcom.json')
foreach ($restriction in @($document.restrictions)) {
    $name = [string]$restriction.name
    $bytes = Get-KitRegistryValue -Path $KitOleKey -Name $name
    if ($null -eq $bytes) {
        Write-Warning -Message ("'{0}' is not written on this host, so its default is in force. Open dcomcnfg, My Computer, Properties, COM Security, Edit Limits, confirm with OK so that Windows writes it, and run this script again." -f $name)
        continue
    }
    $merge = Merge-KitDescriptor -Name $name -Bytes $bytes -Entries $restriction.added
    if ($null -eq $merge) {
        continue
    }
    if ($null -eq $merge.bytes) {
        Write-Output -InputObject ("'{0}' needs no change." -f $name)
        continue
    }
    if ($PSCmdlet.ShouldProcess($name, 'Merge DCOM restriction')) {
        Save-KitRestriction -Name $name -Present $bytes -Merged $merge.bytes
        [void](New-ItemProperty -LiteralPath $KitOleKey -Name $name -PropertyType 'Binary' -Value $merge.bytes -Force)
        Write-Output -InputObject ("'{0}' is merged." -f $name)
    }
}
foreach ($member in @($document.members)) {
    if ((Get-KitMemberState -Member $member) -eq 'member') {
        Write-Output -InputObject ("'{0}' is a member of Distributed COM Users already." -f $member.shown)
        continue
    }
    if ($PSCmdlet.ShouldProcess([string]$member.shown, 'Make a member of Distributed COM Users')) {
        Add-KitDcomUser -Member $member
    }
}
