#requires -Version 3.0
# Functions for the firewall rules. The file is loaded by other scripts of this folder and does nothing by itself.
$KitFirewallBefore = [System.IO.Path]::Combine($KitState, 'firewall-before.json')

# Rules are found by their ids, since their names for people are translated.
function Get-KitFirewallRule {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Name)
    @(Get-NetFirewallRule -ErrorAction Stop | Where-Object { $_.Name -eq $Name }) | Select-Object -First 1
}

# A rule by the items of firewall.json; an empty table when there is none.
function Read-KitFirewallRule {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Name)
    $found = @{}
    $rule = Get-KitFirewallRule -Name $Name
    if ($null -eq $rule) {
        return $found
    }
    $address = Get-NetFirewallAddressFilter -AssociatedNetFirewallRule $rule -ErrorAction Stop
    $port = Get-NetFirewallPortFilter -AssociatedNetFirewallRule $rule -ErrorAction Stop
    $application = Get-NetFirewallApplicationFilter -AssociatedNetFirewallRule $rule -ErrorAction Stop
    $service = Get-NetFirewallServiceFilter -AssociatedNetFirewallRule $rule -ErrorAction Stop
    $found['enabled'] = [string]$rule.Enabled
    $found['action'] = [string]$rule.Action
    $found['direction'] = [string]$rule.Direction
    $found['profile'] = [string]$rule.Profile
    $found['local-address'] = @($address.LocalAddress) -join ' '
    $found['remote-address'] = @($address.RemoteAddress) -join ' '
    $found['protocol'] = [string]$port.Protocol
    $found['local-port'] = @($port.LocalPort) -join ' '
    $found['remote-port'] = @($port.RemotePort) -join ' '
    $found['program'] = [string]$application.Program
    $found['service'] = [string]$service.Service
    $found
}

# What a rule has of a setting of firewall.json. Windows may list addresses and ports in another order than they were given.
function Get-KitFirewallValue {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][hashtable]$Found,
        [Parameter(Mandatory = $true)]$Setting
    )
    if (-not $Found.ContainsKey($Setting.item)) {
        return 'nothing'
    }
    $value = [string]$Found[$Setting.item]
    $words = @($value.Split(' '))
    $wanted = @(([string]$Setting.value).Split(' '))
    $others = @($words | Where-Object { $wanted -notcontains $_ })
    if (($words.Count -eq $wanted.Count) -and ($others.Count -eq 0)) {
        return [string]$Setting.value
    }
    $value
}

# True when a rule is as firewall.json has it.
function Test-KitFirewallRule {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][hashtable]$Found,
        [Parameter(Mandatory = $true)]$Checked
    )
    foreach ($setting in @($Checked.settings)) {
        if ((Get-KitFirewallValue -Found $Found -Setting $setting) -ne [string]$setting.value) {
            return $false
        }
    }
    $true
}

# ---- What was there before is kept once, so that Undo-HyperVRole.ps1 can put it back.

function Read-KitFirewallBefore {
    [CmdletBinding()]
    param()
    if ([System.IO.File]::Exists($KitFirewallBefore)) {
        foreach ($kept in @((Read-KitJson -Path $KitFirewallBefore).rules)) {
            $kept
        }
    }
}

function Save-KitFirewall {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Document)
    if ([System.IO.File]::Exists($KitFirewallBefore)) {
        return
    }
    $rules = New-Object -TypeName System.Collections.ArrayList
    foreach ($checked in @($Document.checked)) {
        $found = Read-KitFirewallRule -Name $checked.id
        [void]$rules.Add(@{ id = [string]$checked.id; existed = ($found.Count -gt 0); settings = $found })
    }
    [void][System.IO.Directory]::CreateDirectory($KitState)
    $new = $KitFirewallBefore + '.new'
    [System.IO.File]::WriteAllText($new, (ConvertTo-Json -InputObject @{ rules = @($rules) } -Depth 4))
    [System.IO.File]::Move($new, $KitFirewallBefore)
}

# Removes a rule that this kit made, so that it can be made anew.
function Remove-KitFirewallRule {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Name)
    if ($null -eq (Get-KitFirewallRule -Name $Name)) {
        return
    }
    $kept = @(Read-KitFirewallBefore | Where-Object { $_.id -eq $Name }) | Select-Object -First 1
    if (($null -eq $kept) -or $kept.existed) {
        throw ("There is a firewall rule '{0}' already that this kit did not make. Remove it, or take the rule out of steps\firewall.ps1." -f $Name)
    }
    Remove-NetFirewallRule -Name $Name -ErrorAction Stop -Confirm:$false
}

# Puts one rule back and says what became of it: 'restored', 'same', or 'left' with a warning when somebody changed it since.
function Restore-KitFirewallRule {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Kept,
        [Parameter(Mandatory = $true)]$Checked
    )
    $found = Read-KitFirewallRule -Name $Kept.id
    if ($found.Count -eq 0) {
        return 'same'
    }
    if ($Kept.existed) {
        $same = $true
        foreach ($item in @('enabled', 'action', 'profile', 'local-address', 'remote-address')) {
            if ([string]$found[$item] -ne [string]$Kept.settings.$item) {
                $same = $false
            }
        }
        if ($same) {
            return 'same'
        }
    }
    if (-not (Test-KitFirewallRule -Found $found -Checked $Checked)) {
        Write-Warning -Message ("The firewall rule '{0}' was changed by somebody else and is left as it is. What it was before is in the file '{1}'." -f $Kept.id, $KitFirewallBefore)
        return 'left'
    }
    if (-not $Kept.existed) {
        Remove-NetFirewallRule -Name $Kept.id -ErrorAction Stop -Confirm:$false
        return 'restored'
    }
    $before = $Kept.settings
    $profiles = @(([string]$before.profile).Replace(' ', '').Split(','))
    $local = @(([string]$before.'local-address').Split(' '))
    $remote = @(([string]$before.'remote-address').Split(' '))
    Set-NetFirewallRule -Name $Kept.id -Enabled $before.enabled -Action $before.action -Profile $profiles -LocalAddress $local -RemoteAddress $remote -ErrorAction Stop -Confirm:$false
    'restored'
}
