#requires -Version 3.0
# Functions of the kit. It is loaded by the other scripts of this folder and does nothing by itself.
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$Kit = $PSScriptRoot
$KitMachines = [System.IO.Path]::Combine($Kit, 'machines')
$KitState = [System.IO.Path]::Combine($Kit, 'state')
$KitLog = [System.IO.Path]::Combine($KitState, 'log.jsonl')
$KitBefore = [System.IO.Path]::Combine($KitState, 'host-settings-before.json')
$KitAdministrators = [System.IO.Path]::Combine($KitState, 'administrators-added.txt')
$KitHyperVKey = 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Virtualization'
$KitSwitchKey = 'HKLM:\SYSTEM\CurrentControlSet\Services\VMSMP\Parameters'

function Get-KitPath {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Relative)
    [System.IO.Path]::Combine($Kit, $Relative)
}

function Read-KitJson {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Path)
    ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($Path))
}

function Write-KitLog {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Step,
        [Parameter(Mandatory = $true)][string]$Result,
        [string]$Message = ''
    )
    if (-not [System.IO.Directory]::Exists($KitState)) {
        [void][System.IO.Directory]::CreateDirectory($KitState)
    }
    $record = New-Object -TypeName System.Management.Automation.PSObject -Property @{
        step = $Step
        result = $Result
        message = $Message
        at = [System.DateTime]::UtcNow.ToString('o')
    }
    $line = (ConvertTo-Json -InputObject $record -Compress) + "`r`n"
    [System.IO.File]::AppendAllText($KitLog, $line)
}

# The last result of each step, by its id.
function Read-KitLog {
    [CmdletBinding()]
    param()
    $results = @{}
    if ([System.IO.File]::Exists($KitLog)) {
        foreach ($line in [System.IO.File]::ReadAllLines($KitLog)) {
            if ($line.Trim().Length -gt 0) {
                # A line that was cut off when the computer stopped is no result.
                try {
                    $record = ConvertFrom-Json -InputObject $line
                    $results[$record.step] = $record.result
                }
                catch {
                    Write-Warning -Message 'A line of the log is damaged and is passed over.'
                }
            }
        }
    }
    $results
}

# True when a step is done: the log says so, and what it made is there.
function Test-KitStep {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Step,
        [Parameter(Mandatory = $true)][hashtable]$Results
    )
    if ($Results[$Step.id] -ne 'done') {
        return $false
    }
    $found = @(& (Get-KitPath -Relative $Step.file) -Mode 'Test')
    return ($found -notcontains $false)
}

function Test-KitAdministrator {
    [CmdletBinding()]
    param()
    $identity = [System.Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object -TypeName System.Security.Principal.WindowsPrincipal -ArgumentList $identity
    $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)
}

# ---- Virtual networks: found again by their notes, since names need not be unique.

function Get-KitSwitch {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][AllowEmptyString()][string]$Id)
    $mark = 'hvmigrate:' + $Id
    @(Get-VMSwitch | Where-Object { $_.Notes -ceq $mark }) | Select-Object -First 1
}

function Test-KitSwitch {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Id)
    $null -ne (Get-KitSwitch -Id $Id)
}

function Remove-KitSwitch {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Id)
    $switch = Get-KitSwitch -Id $Id
    if ($null -ne $switch) {
        Remove-VMSwitch -VMSwitch $switch -Force
    }
}

# Windows gives each internal network an adapter of the management operating system with the name of the network.
function Remove-KitAutomaticAdapter {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$SwitchId)
    $switch = Get-KitSwitch -Id $SwitchId
    $adapters = @(Get-VMNetworkAdapter -ManagementOS | Where-Object { $_.SwitchId -eq $switch.Id })
    foreach ($adapter in $adapters) {
        Remove-VMNetworkAdapter -VMNetworkAdapter $adapter
    }
}

function Write-KitReconnect {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$SwitchName,
        [Parameter(Mandatory = $true)][bool]$AllowManagementOS
    )
    Write-Warning -Message ("The virtual network '{0}' was external and is now internal. Connect it to a physical network adapter: " -f $SwitchName)
    Write-Warning -Message ("    Set-VMSwitch -Name '{0}' -NetAdapterName '<adapter, see Get-NetAdapter>' -AllowManagementOS `${1}" -f $SwitchName.Replace("'", "''"), $AllowManagementOS)
}

# ---- Virtual adapters of the management operating system, on the networks of the kit only.

function Get-KitManagementAdapter {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][string]$SwitchId
    )
    $switch = Get-KitSwitch -Id $SwitchId
    if ($null -ne $switch) {
        @(Get-VMNetworkAdapter -ManagementOS | Where-Object { ($_.Name -ceq $Name) -and ($_.SwitchId -eq $switch.Id) }) | Select-Object -First 1
    }
}

# The cmdlet knows a network by its name only, which later releases take as a pattern.
function Add-KitManagementAdapter {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][string]$SwitchId,
        [Parameter(Mandatory = $true)][string]$SwitchName,
        [string]$StaticMacAddress = ''
    )
    $named = @(Get-VMSwitch | Where-Object { $_.Name -eq $SwitchName })
    if ($named.Count -ne 1) {
        throw ("This host has {0} virtual networks with the name '{1}', and a network adapter is made by that name. Rename the others and run the script again." -f $named.Count, $SwitchName)
    }
    # Windows Server 2016 and later take a pattern; what the earlier ones take is not known.
    $texts = @([System.Management.Automation.WildcardPattern]::Escape($SwitchName))
    $role = Read-KitJson -Path (Get-KitPath -Relative 'role.json')
    if ((@('2012', '2012R2') -contains $role.release) -and ($texts[0] -cne $SwitchName)) {
        $texts += $SwitchName
    }
    $message = 'it gave no reason.'
    foreach ($text in $texts) {
        try {
            if ($StaticMacAddress.Length -gt 0) {
                Add-VMNetworkAdapter -ManagementOS -Name $Name -SwitchName $text -StaticMacAddress $StaticMacAddress
            }
            else {
                Add-VMNetworkAdapter -ManagementOS -Name $Name -SwitchName $text
            }
        }
        catch {
            $message = [string]$_
        }
        $adapter = Get-KitManagementAdapter -Name $Name -SwitchId $SwitchId
        if ($null -ne $adapter) {
            return $adapter
        }
    }
    throw ("Hyper-V made no network adapter '{0}' on the virtual network '{1}': {2}" -f $Name, $SwitchName, $message)
}

function Test-KitManagementAdapter {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][string]$SwitchId
    )
    $null -ne (Get-KitManagementAdapter -Name $Name -SwitchId $SwitchId)
}

function Remove-KitManagementAdapter {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][string]$SwitchId
    )
    $adapter = Get-KitManagementAdapter -Name $Name -SwitchId $SwitchId
    if ($null -ne $adapter) {
        Remove-VMNetworkAdapter -VMNetworkAdapter $adapter
    }
}

# The interface index of a new adapter; Windows needs some seconds until it is there, and some more until it has an IP interface.
function Wait-KitInterface {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][string]$SwitchId
    )
    $alias = 'vEthernet (' + $Name + ')'
    $fault = ''
    for ($attempt = 0; $attempt -lt 60; $attempt++) {
        $id = ''
        $adapter = Get-KitManagementAdapter -Name $Name -SwitchId $SwitchId
        if ($null -ne $adapter) {
            $id = [string]$adapter.DeviceId
        }
        # While an interface comes and goes, lists of interfaces may fail; the last reason is told.
        try {
            # The id first: another network of this host may have an adapter of the same name.
            $all = @(Get-NetAdapter -ErrorAction Stop)
            $found = @($all | Where-Object { ($id.Length -gt 0) -and ($_.InterfaceGuid -eq $id) })
            if (($found.Count -eq 0) -and ($id.Length -eq 0)) {
                $found = @($all | Where-Object { $_.Name -ceq $alias })
            }
            if ($found.Count -gt 0) {
                $index = $found[0].InterfaceIndex
                $interfaces = @(Get-NetIPInterface -ErrorAction Stop | Where-Object { ($_.InterfaceIndex -eq $index) -and ([string]$_.AddressFamily -eq 'IPv4') })
                if ($interfaces.Count -gt 0) {
                    return $index
                }
            }
        }
        catch {
            $fault = ' ' + [string]$_
        }
        Start-Sleep -Seconds 1
    }
    throw ("The network adapter '{0}' did not appear with an IPv4 interface within a minute. Look into Get-NetAdapter and Get-NetIPInterface, and run the script again.{1}" -f $alias, $fault)
}

function Get-KitAdapterConfiguration {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][int]$InterfaceIndex)
    Get-WmiObject -Class 'Win32_NetworkAdapterConfiguration' -Filter ('InterfaceIndex = {0}' -f $InterfaceIndex)
}

function Set-KitNetbios {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][int]$InterfaceIndex,
        [string[]]$WinsServers = @(),
        [int]$Mode = -1
    )
    $configuration = Get-KitAdapterConfiguration -InterfaceIndex $InterfaceIndex
    if ($WinsServers.Count -gt 0) {
        $second = ''
        if ($WinsServers.Count -gt 1) {
            $second = $WinsServers[1]
        }
        $result = $configuration.SetWINSServer($WinsServers[0], $second)
        if ($result.ReturnValue -gt 1) {
            throw ('SetWINSServer answered {0}.' -f $result.ReturnValue)
        }
    }
    if ($Mode -ge 0) {
        $result = $configuration.SetTcpipNetbios($Mode)
        if ($result.ReturnValue -gt 1) {
            throw ('SetTcpipNetbios answered {0}.' -f $result.ReturnValue)
        }
    }
}

function Set-KitBinding {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][int]$InterfaceIndex,
        [Parameter(Mandatory = $true)][string]$ComponentID,
        [Parameter(Mandatory = $true)][bool]$Enabled
    )
    $adapter = @(Get-NetAdapter -ErrorAction Stop | Where-Object { $_.InterfaceIndex -eq $InterfaceIndex }) | Select-Object -First 1
    $bindings = @(Get-NetAdapterBinding -ErrorAction Stop | Where-Object { ($_.Name -ceq $adapter.Name) -and ($_.ComponentID -eq $ComponentID) })
    foreach ($binding in $bindings) {
        if ($Enabled) {
            Enable-NetAdapterBinding -InputObject $binding -ErrorAction Stop -Confirm:$false
        }
        else {
            Disable-NetAdapterBinding -InputObject $binding -ErrorAction Stop -Confirm:$false
        }
    }
    if ($bindings.Count -eq 0) {
        Write-Warning -Message ("'{0}' has no component '{1}' to bind." -f $adapter.Name, $ComponentID)
    }
}

# ---- Settings of the host.

function Get-KitRegistryValue {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Path,
        [Parameter(Mandatory = $true)][string]$Name
    )
    if (-not (Test-Path -LiteralPath $Path)) {
        return $null
    }
    $key = Get-Item -LiteralPath $Path
    $key.GetValue($Name, $null)
}

# The advanced properties of a network adapter with one of the keywords, the hidden ones too. -Name and -RegistryKeyword take patterns,
# in which * ? [ ] stand for other characters, and the usual keywords begin with *: all are asked for and compared.
function Find-KitAdapterProperty {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Adapter,
        [Parameter(Mandatory = $true)][string[]]$Keywords
    )
    try {
        $all = @(Get-NetAdapterAdvancedProperty -AllProperties -ErrorAction Stop)
    }
    catch {
        # That no adapter of the host has any is told as an error.
        if ([string]$_.CategoryInfo.Category -ne 'ObjectNotFound') {
            throw $_
        }
        $all = @()
    }
    $all | Where-Object { ($_.Name -eq $Adapter) -and ($Keywords -contains $_.RegistryKeyword) }
}

# The same as they are kept: those that hold one value each.
function Get-KitAdapterProperty {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Adapter,
        [Parameter(Mandatory = $true)][string[]]$Keywords
    )
    foreach ($property in @(Find-KitAdapterProperty -Adapter $Adapter -Keywords $Keywords)) {
        $values = @($property.RegistryValue)
        if ($values.Count -eq 1) {
            New-Object -TypeName System.Management.Automation.PSObject -Property @{
                adapter = $Adapter
                keyword = [string]$property.RegistryKeyword
                value = [string]$values[0]
            }
        }
    }
}

# Sets a property of a network adapter, which its driver may not have: another device takes the place of the old host's.
function Set-KitAdapterProperty {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Adapter,
        [Parameter(Mandatory = $true)][string]$Keyword,
        [Parameter(Mandatory = $true)][AllowEmptyString()][string]$Value
    )
    if (@(Get-NetAdapter -ErrorAction Stop | Where-Object { $_.Name -eq $Adapter }).Count -eq 0) {
        throw ("There is no network adapter '{0}'. Give it this name, or run hvmigrate again with another adapter, and run the script again." -f $Adapter)
    }
    $properties = @(Find-KitAdapterProperty -Adapter $Adapter -Keywords $Keyword)
    if ($properties.Count -eq 0) {
        Write-Warning -Message ("The network adapter '{0}' has no property '{1}', which was '{2}' on the old host. Look into Get-NetAdapterAdvancedProperty for what is like it." -f $Adapter, $Keyword, $Value)
    }
    foreach ($property in $properties) {
        Set-NetAdapterAdvancedProperty -InputObject $property -RegistryValue $Value -NoRestart -ErrorAction Stop -Confirm:$false
    }
}

# Keeps what was set before, once, so that Undo-HyperVRole.ps1 can put it back.
function Save-KitHostSettings {
    [CmdletBinding()]
    param(
        [string[]]$Adapters = @(),
        [string[]]$Keywords = @()
    )
    if ([System.IO.File]::Exists($KitBefore)) {
        return
    }
    if (-not [System.IO.Directory]::Exists($KitState)) {
        [void][System.IO.Directory]::CreateDirectory($KitState)
    }
    $settings = Get-VMHost
    $properties = @($Adapters | ForEach-Object { Get-KitAdapterProperty -Adapter $_ -Keywords $Keywords })
    $before = New-Object -TypeName System.Management.Automation.PSObject -Property @{
        MacAddressMinimum = $settings.MacAddressMinimum
        MacAddressMaximum = $settings.MacAddressMaximum
        VirtualHardDiskPath = $settings.VirtualHardDiskPath
        VirtualMachinePath = $settings.VirtualMachinePath
        NumaSpanningEnabled = $settings.NumaSpanningEnabled
        StoreLocation = Get-KitRegistryValue -Path $KitHyperVKey -Name 'StoreLocation'
        TenGigVmqEnabled = Get-KitRegistryValue -Path $KitSwitchKey -Name 'TenGigVmqEnabled'
        BelowTenGigVmqEnabled = Get-KitRegistryValue -Path $KitSwitchKey -Name 'BelowTenGigVmqEnabled'
        AdapterProperties = $properties
    }
    [System.IO.File]::WriteAllText($KitBefore, (ConvertTo-Json -InputObject $before))
}

function Restore-KitHostSettings {
    [CmdletBinding()]
    param()
    if (-not [System.IO.File]::Exists($KitBefore)) {
        return
    }
    $before = Read-KitJson -Path $KitBefore
    Set-VMHost -MacAddressMinimum $before.MacAddressMinimum -MacAddressMaximum $before.MacAddressMaximum
    Set-VMHost -VirtualHardDiskPath $before.VirtualHardDiskPath
    Set-VMHost -VirtualMachinePath $before.VirtualMachinePath
    Set-VMHost -NumaSpanningEnabled $before.NumaSpanningEnabled
    foreach ($name in @('TenGigVmqEnabled', 'BelowTenGigVmqEnabled')) {
        Restore-KitRegistryValue -Path $KitSwitchKey -Name $name -Type 'DWord' -Value $before.$name
    }
    Restore-KitRegistryValue -Path $KitHyperVKey -Name 'StoreLocation' -Type 'String' -Value $before.StoreLocation
    foreach ($sid in @(Read-KitAddedAdministrators)) {
        Remove-KitHyperVAdministrator -Sid $sid
    }
    foreach ($property in @($before.AdapterProperties)) {
        $now = @(Get-KitAdapterProperty -Adapter $property.adapter -Keywords $property.keyword) | Select-Object -First 1
        if (($null -ne $now) -and ($now.value -cne $property.value)) {
            Set-KitAdapterProperty -Adapter $property.adapter -Keyword $property.keyword -Value $property.value
        }
    }
    Restart-Service -Name 'vmms' -Force
    # What is kept is of this import only: a later one keeps what it finds.
    [System.IO.File]::Delete($KitBefore)
    [System.IO.File]::Delete($KitAdministrators)
}

function Restore-KitRegistryValue {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Path,
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][string]$Type,
        [AllowNull()]$Value
    )
    if ($null -ne $Value) {
        [void](New-ItemProperty -LiteralPath $Path -Name $Name -PropertyType $Type -Value $Value -Force)
    }
    elseif ($null -ne (Get-KitRegistryValue -Path $Path -Name $Name)) {
        Remove-ItemProperty -LiteralPath $Path -Name $Name
    }
}

function Test-KitHostSetting {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Property,
        [Parameter(Mandatory = $true)]$Value
    )
    $settings = Get-VMHost
    ([string]$settings.$Property) -eq ([string]$Value)
}

function New-KitFolder {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Path)
    $drive = [System.IO.Path]::GetPathRoot($Path)
    if (-not [System.IO.Directory]::Exists($drive)) {
        throw ("The folder '{0}' of the old host is wanted as a default folder, but this host has no '{1}'. Add the volume, or leave the setting out and run hvmigrate again." -f $Path, $drive)
    }
    [void][System.IO.Directory]::CreateDirectory($Path)
}

function Test-KitQueueValue {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][int]$Value
    )
    (Get-KitRegistryValue -Path $KitSwitchKey -Name $Name) -eq $Value
}

function Set-KitQueueValue {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][int]$Value
    )
    if (-not (Test-Path -LiteralPath $KitSwitchKey)) {
        [void](New-Item -Path $KitSwitchKey -Force)
    }
    [void](New-ItemProperty -LiteralPath $KitSwitchKey -Name $Name -PropertyType 'DWord' -Value $Value -Force)
    Write-Warning -Message ('{0} = {1} takes effect when the host has been started again.' -f $Name, $Value)
}

function Get-KitStorePath {
    [CmdletBinding()]
    param()
    [System.IO.Path]::Combine($env:ProgramData, 'Microsoft\Windows\Hyper-V\MigratedStore.xml')
}

function Test-KitAuthorizationStore {
    [CmdletBinding()]
    param()
    (Get-KitRegistryValue -Path $KitHyperVKey -Name 'StoreLocation') -eq ('msxml://' + (Get-KitStorePath))
}

# The old store lies beside the new host's own one, and Hyper-V is told to use it. The own one stays as it is.
function Set-KitAuthorizationStore {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Path)
    $target = Get-KitStorePath
    [System.IO.File]::Copy($Path, $target, $true)
    [void](New-ItemProperty -LiteralPath $KitHyperVKey -Name 'StoreLocation' -PropertyType 'String' -Value ('msxml://' + $target) -Force)
    Restart-Service -Name 'vmms' -Force
}

# ---- Who administers Hyper-V: the local group Hyper-V Administrators, whose name is translated with Windows.

function Get-KitAdministratorGroup {
    [CmdletBinding()]
    param()
    Get-KitGroup -Sid 'S-1-5-32-578'
}

function Get-KitGroup {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Sid)
    $group = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList $Sid
    $name = $group.Translate([System.Security.Principal.NTAccount]).Value
    [ADSI]('WinNT://./' + ($name -replace '^.*\\', '') + ',group')
}

# `WinNT://DOMAIN/name` of an account; nothing when this host does not know it.
function Get-KitAccountPath {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Sid)
    $account = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList $Sid
    try {
        $name = $account.Translate([System.Security.Principal.NTAccount]).Value
    }
    catch {
        return
    }
    'WinNT://' + $name.Replace('\', '/')
}

function Test-KitHyperVAdministrator {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Sid)
    $path = Get-KitAccountPath -Sid $Sid
    if ($null -eq $path) {
        return $false
    }
    $group = Get-KitAdministratorGroup
    $group.IsMember($path)
}

# The ones that the kit made members, so that Undo-HyperVRole.ps1 takes away no other.
function Read-KitAddedAdministrators {
    [CmdletBinding()]
    param()
    if ([System.IO.File]::Exists($KitAdministrators)) {
        [System.IO.File]::ReadAllLines($KitAdministrators)
    }
}

function Add-KitHyperVAdministrator {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Sid)
    $path = Get-KitAccountPath -Sid $Sid
    if ($null -eq $path) {
        throw ("The account {0} administered Hyper-V on the old host, but this host does not know it. Join the domain that it belongs to, or leave the account out, and run the script again." -f $Sid)
    }
    $group = Get-KitAdministratorGroup
    if ($group.IsMember($path)) {
        return
    }
    # Noted before it is done: what was noted and is no member is passed over by Undo.
    [System.IO.File]::AppendAllText($KitAdministrators, ($Sid + "`r`n"))
    [void]$group.Add($path)
}

function Remove-KitHyperVAdministrator {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Sid)
    if (Test-KitHyperVAdministrator -Sid $Sid) {
        $group = Get-KitAdministratorGroup
        [void]$group.Remove((Get-KitAccountPath -Sid $Sid))
    }
}
