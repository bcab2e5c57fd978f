#requires -Version 3.0
<#
.SYNOPSIS
Takes back what Set-HyperVFirewall.ps1, Merge-WmiNamespace.ps1, Merge-DcomRestriction.ps1 and Import-HyperVRole.ps1 did, in the reverse
order. The copied disks and files stay.
.EXAMPLE
.\Undo-HyperVRole.ps1 -WhatIf
#>
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
param()
. ([System.IO.Path]::Combine($PSScriptRoot, 'Kit.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Machines.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Registration.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Checkpoints.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Access.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Firewall.ps1'))

if (-not (Test-KitAdministrator)) {
    throw 'Run this script in a PowerShell that was started as administrator.'
}
Import-Module -Name 'Hyper-V'
$kept = @(Read-KitFirewallBefore)
if (($kept.Count -gt 0) -and ($PSCmdlet.ShouldProcess($env:COMPUTERNAME, 'Take back the changes of firewall rules'))) {
    $asked = $ConfirmPreference
    $ConfirmPreference = 'None'
    $left = 0
    $firewall = Read-KitJson -Path (Get-KitPath -Relative 'firewall.json')
    foreach ($checked in @($firewall.checked)) {
        $before = @($kept | Where-Object { $_.id -eq $checked.id }) | Select-Object -First 1
        if ($null -ne $before) {
            $became = Restore-KitFirewallRule -Kept $before -Checked $checked
            if ($became -eq 'restored') {
                Write-Output -InputObject ("Taken back: firewall rule '{0}'" -f $checked.id)
            }
            if ($became -eq 'left') {
                $left++
            }
        }
    }
    if ($left -eq 0) {
        [System.IO.File]::Delete($KitFirewallBefore)
    }
    $ConfirmPreference = $asked
}
$wmi = Read-KitJson -Path (Get-KitPath -Relative 'wmi.json')
foreach ($rights in @($wmi.namespaces)) {
    $namespace = [string]$rights.namespace
    $kept = Get-KitKeptPath -Name (Get-KitNamespaceName -Namespace $namespace) -Which 'before'
    if (([System.IO.File]::Exists($kept)) -and ($PSCmdlet.ShouldProcess($namespace, 'Take back the merge of rights on the WMI namespace'))) {
        $asked = $ConfirmPreference
        $ConfirmPreference = 'None'
        if (Restore-KitNamespace -Namespace $namespace) {
            Write-Output -InputObject ("Taken back: rights on the WMI namespace '{0}'" -f $namespace)
        }
        $ConfirmPreference = $asked
    }
}
if (([System.IO.File]::Exists($KitDcomUsers)) -and ($PSCmdlet.ShouldProcess($env:COMPUTERNAME, 'Take back the members of Distributed COM Users'))) {
    $asked = $ConfirmPreference
    $ConfirmPreference = 'None'
    Remove-KitDcomUsers
    $ConfirmPreference = $asked
}
$dcom = Read-KitJson -Path (Get-KitPath -Relative 'dcom.json')
foreach ($restriction in @($dcom.restrictions)) {
    $name = [string]$restriction.name
    $kept = Get-KitKeptPath -Name $name -Which 'before'
    if (([System.IO.File]::Exists($kept)) -and ($PSCmdlet.ShouldProcess($name, 'Take back the merge of the DCOM restriction'))) {
        $asked = $ConfirmPreference
        $ConfirmPreference = 'None'
        if (Restore-KitRestriction -Name $name) {
            Write-Output -InputObject ("Taken back: DCOM restriction '{0}'" -f $name)
        }
        $ConfirmPreference = $asked
    }
}
$role = Read-KitJson -Path (Get-KitPath -Relative 'role.json')
$results = Read-KitLog
$steps = @($role.steps)
[System.Array]::Reverse($steps)
foreach ($step in $steps) {
    $result = $results[$step.id]
    # A step that was begun or failed may have made something too.
    if (($null -eq $result) -or ($result -eq 'undone')) {
        continue
    }
    if ($PSCmdlet.ShouldProcess($env:COMPUTERNAME, 'Take back: ' + $step.title)) {
        $asked = $ConfirmPreference
        $ConfirmPreference = 'None'
        & (Get-KitPath -Relative $step.file) -Mode 'Undo'
        Write-KitLog -Step $step.id -Result 'undone'
        Write-Output -InputObject ('Taken back: ' + $step.title)
        $ConfirmPreference = $asked
    }
}
