#requires -Version 3.0
<#
.SYNOPSIS
Adds what the old host's DCOM restrictions allowed or denied beyond the default to those of this host. Nothing is removed.
.DESCRIPTION
The entries are in dcom.json. Accounts that this host does not know are left out with a warning. The old values are kept in
the folder state.
.EXAMPLE
.\Merge-DcomRestriction.ps1 -WhatIf
#>
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
param()
. ([System.IO.Path]::Combine($PSScriptRoot, 'Kit.ps1'))
$key = 'HKLM:\SOFTWARE\Microsoft\Ole'

function Test-KitAccount {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][System.Security.Principal.SecurityIdentifier]$Sid)
    try {
        [void]$Sid.Translate([System.Security.Principal.NTAccount])
        return $true
    }
    catch {
        return $false
    }
}

function Merge-KitEntry {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][System.Security.AccessControl.RawAcl]$List,
        [Parameter(Mandatory = $true)][System.Security.Principal.SecurityIdentifier]$Sid,
        [Parameter(Mandatory = $true)][System.Security.AccessControl.AceQualifier]$Effect,
        [Parameter(Mandatory = $true)][int]$Mask
    )
    foreach ($entry in $List) {
        if (($entry.SecurityIdentifier -eq $Sid) -and ($entry.AceQualifier -eq $Effect)) {
            $entry.AccessMask = $entry.AccessMask -bor $Mask
            return
        }
    }
    $none = [System.Security.AccessControl.AceFlags]::None
    $entry = New-Object -TypeName System.Security.AccessControl.CommonAce -ArgumentList $none, $Effect, $Mask, $Sid, $false, $null
    # Denying entries stand first.
    $place = 0
    if ($Effect -eq [System.Security.AccessControl.AceQualifier]::AccessAllowed) {
        $place = $List.Count
    }
    $List.InsertAce($place, $entry)
}

if (-not (Test-KitAdministrator)) {
    throw 'Run this script in a PowerShell that was started as administrator.'
}
$document = Read-KitJson -Path (Get-KitPath -Relative 'dcom.json')
foreach ($restriction in @($document.restrictions)) {
    $name = [string]$restriction.name
    $bytes = Get-KitRegistryValue -Path $key -Name $name
    if ($null -eq $bytes) {
        Write-Warning -Message ("'{0}' is not written on this host, so its default is in force. Open dcomcnfg, My Computer, Properties, COM Security, Edit Limits, confirm with OK so that Windows writes it, and run this script again." -f $name)
        continue
    }
    $descriptor = New-Object -TypeName System.Security.AccessControl.RawSecurityDescriptor -ArgumentList ([byte[]]$bytes), 0
    foreach ($added in @($restriction.added)) {
        $sid = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList ([string]$added.sid)
        if (-not (Test-KitAccount -Sid $sid)) {
            Write-Warning -Message ("The account {0} is not known here; its entry in '{1}' is left out." -f $sid.Value, $name)
            continue
        }
        $effect = [System.Security.AccessControl.AceQualifier]::AccessAllowed
        if ($added.effect -eq 'deny') {
            $effect = [System.Security.AccessControl.AceQualifier]::AccessDenied
        }
        Merge-KitEntry -List $descriptor.DiscretionaryAcl -Sid $sid -Effect $effect -Mask ([int]$added.mask)
    }
    $merged = New-Object -TypeName 'byte[]' -ArgumentList $descriptor.BinaryLength
    $descriptor.GetBinaryForm($merged, 0)
    if ($PSCmdlet.ShouldProcess($name, 'Merge DCOM restriction')) {
        [void][System.IO.Directory]::CreateDirectory($KitState)
        $backup = [System.IO.Path]::Combine($KitState, $name + '-before.bin')
        if (-not [System.IO.File]::Exists($backup)) {
            [System.IO.File]::WriteAllBytes($backup, [byte[]]$bytes)
        }
        [void](New-ItemProperty -LiteralPath $key -Name $name -PropertyType 'Binary' -Value $merged -Force)
    }
}
