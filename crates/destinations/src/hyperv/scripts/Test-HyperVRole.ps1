#requires -Version 3.0
<#
.SYNOPSIS
Compares this host with what the kit wanted, setting by setting. Changes nothing on the host. Ends with code 4 when
something differs. What was seen is written to state\observed.json, for: hvmigrate verify --work ... --observed observed.json
#>
[CmdletBinding()]
param()
. ([System.IO.Path]::Combine($PSScriptRoot, 'Kit.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Machines.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Checkpoints.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Access.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Firewall.ps1'))
Import-Module -Name 'Hyper-V'

function ConvertTo-KitMac {
    [CmdletBinding()]
    param([AllowEmptyString()][string]$Mac)
    ($Mac -replace '(..)(?=.)', '$1-').ToUpperInvariant()
}

function ConvertTo-KitVlan {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Vlan)
    switch ([string]$Vlan.OperationMode) {
        'Access' {
            'access {0}' -f $Vlan.AccessVlanId
        }
        'Trunk' {
            'trunk native {0} allowed {1}' -f $Vlan.NativeVlanId, (@($Vlan.AllowedVlanIdList) -join ',')
        }
        default {
            ([string]$Vlan.OperationMode).ToLowerInvariant()
        }
    }
}

# Windows lists addresses in an order of its own: the wanted ones come first, as they were wanted.
function ConvertTo-KitOrder {
    [CmdletBinding()]
    param(
        [string[]]$Found = @(),
        [string[]]$Wanted = @()
    )
    $ordered = @($Wanted | Where-Object { $Found -contains $_ })
    $ordered += @($Found | Where-Object { $Wanted -notcontains $_ })
    $ordered -join ' '
}

function ConvertTo-KitTarget {
    [CmdletBinding()]
    param([AllowNull()][AllowEmptyString()][string]$Path)
    $start = $Kit.TrimEnd('\') + '\'
    if ($Path.StartsWith($start, [System.StringComparison]::OrdinalIgnoreCase)) {
        return $Path.Substring($start.Length).Replace('\', '/')
    }
    $Path
}

function Read-KitHostSettings {
    [CmdletBinding()]
    param()
    $settings = Get-VMHost
    $found = @{}
    $found['mac-range.minimum'] = ConvertTo-KitMac -Mac $settings.MacAddressMinimum
    $found['mac-range.maximum'] = ConvertTo-KitMac -Mac $settings.MacAddressMaximum
    $found['virtual-hard-disk-path'] = [string]$settings.VirtualHardDiskPath
    $found['virtual-machine-path'] = [string]$settings.VirtualMachinePath
    $found['numa-spanning'] = ([string]$settings.NumaSpanningEnabled).ToLowerInvariant()
    $found['vmq.ten-gigabit'] = [string](Get-KitRegistryValue -Path $KitSwitchKey -Name 'TenGigVmqEnabled')
    $found['vmq.below-ten-gigabit'] = [string](Get-KitRegistryValue -Path $KitSwitchKey -Name 'BelowTenGigVmqEnabled')
    $found
}

function Read-KitSwitchSettings {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Definition)
    $found = @{}
    $switch = Get-KitSwitch -Id $Definition.id
    if ($null -ne $switch) {
        $found['kind'] = ([string]$switch.SwitchType).ToLowerInvariant()
        # Hyper-V calls an internal network private while the management operating system has no adapter on it. Where the old host
        # shared none, that is how it shall be.
        $shared = $Definition.management_os -or ([string]$Definition.source_kind -eq 'internal')
        if (($found['kind'] -eq 'private') -and ([string]$Definition.kind -eq 'internal') -and (-not $shared)) {
            $found['kind'] = 'internal'
        }
        if ($found['kind'] -eq 'external') {
            $adapter = @(Get-NetAdapter -ErrorAction Stop | Where-Object { $_.InterfaceDescription -eq $switch.NetAdapterInterfaceDescription }) | Select-Object -First 1
            if ($null -ne $adapter) {
                $found['adapter'] = [string]$adapter.Name
            }
        }
    }
    $found
}

function Read-KitManagementAdapterSettings {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Definition)
    $found = @{}
    $adapter = Get-KitManagementAdapter -Name $Definition.name -SwitchId $Definition.switch
    if ($null -eq $adapter) {
        return $found
    }
    $found['switch'] = [string]$adapter.SwitchName
    $found['mac'] = ConvertTo-KitMac -Mac $adapter.MacAddress
    $found['vlan'] = ConvertTo-KitVlan -Vlan (Get-VMNetworkAdapterVlan -VMNetworkAdapter $adapter)
    $index = Wait-KitInterface -Name $Definition.name -SwitchId $Definition.switch
    $interface = @(Get-NetIPInterface -ErrorAction Stop | Where-Object { ($_.InterfaceIndex -eq $index) -and ([string]$_.AddressFamily -eq 'IPv4') }) | Select-Object -First 1
    $found['ip.dhcp'] = ([string]([string]$interface.Dhcp -eq 'Enabled')).ToLowerInvariant()
    $addresses = @(Get-NetIPAddress -ErrorAction Stop | Where-Object { ($_.InterfaceIndex -eq $index) -and ([string]$_.PrefixOrigin -eq 'Manual') })
    $texts = @($addresses | ForEach-Object { '{0}/{1}' -f $_.IPAddress, $_.PrefixLength })
    $found['ip.addresses'] = ConvertTo-KitOrder -Found $texts -Wanted ($Definition.ip.addresses)
    $routes = @(Get-NetRoute -ErrorAction Stop | Where-Object { ($_.InterfaceIndex -eq $index) -and (('0.0.0.0/0', '::/0') -contains $_.DestinationPrefix) })
    # What routers and DHCP tell is no setting: a router of IPv6 tells its link-local address.
    $told = $Definition.ip.dhcp -and ($found['ip.dhcp'] -eq 'true')
    $hops = @($routes | ForEach-Object { [string]$_.NextHop } | Where-Object { (@($Definition.ip.gateways) -contains $_) -or ((-not $told) -and (-not $_.StartsWith('fe80:', [System.StringComparison]::OrdinalIgnoreCase))) })
    $found['ip.gateways'] = ConvertTo-KitOrder -Found $hops -Wanted ($Definition.ip.gateways)
    $servers = @(Get-DnsClientServerAddress -ErrorAction Stop | Where-Object { $_.InterfaceIndex -eq $index } | ForEach-Object { $_.ServerAddresses })
    # Windows names these where IPv6 has no server set.
    $servers = @($servers | Where-Object { -not ([string]$_).StartsWith('fec0:0:0:ffff::', [System.StringComparison]::OrdinalIgnoreCase) })
    if ($told -and (@($Definition.ip.dns_servers).Count -eq 0)) {
        $servers = @()
    }
    $found['ip.dns'] = $servers -join ' '
    $found
}

function Add-KitDriveSettings {
    [CmdletBinding()]
    param(
        [object[]]$Drives = @(),
        [Parameter(Mandatory = $true)][hashtable]$Found,
        [Parameter(Mandatory = $true)]$Definition
    )
    foreach ($drive in $Drives) {
        $slot = '{0}{1}-{2}' -f ([string]$drive.ControllerType).ToLowerInvariant(), $drive.ControllerNumber, $drive.ControllerLocation
        if ($null -eq $drive.DiskNumber) {
            $Found['drive.' + $slot] = 'disk ' + (ConvertTo-KitTarget -Path $drive.Path)
            continue
        }
        # A physical disk: what it is told by is what was planned for the place.
        $Found['drive.' + $slot] = 'physical disk'
        $disk = @(Get-Disk -ErrorAction Stop | Where-Object { $_.Number -eq $drive.DiskNumber }) | Select-Object -First 1
        $wanted = @($Definition.physical | Where-Object { ('{0}{1}-{2}' -f $_.controller, $_.number, $_.slot) -eq $slot }) | Select-Object -First 1
        if (($null -ne $disk) -and ($null -ne $wanted)) {
            $Found['drive.' + $slot] = 'physical disk {0} {1}' -f $wanted.disk.by, (Get-KitDiskIdentity -Disk $disk -By $wanted.disk.by)
        }
    }
}

function Add-KitImageSettings {
    [CmdletBinding()]
    param(
        [object[]]$Dvds = @(),
        [object[]]$Floppies = @(),
        [Parameter(Mandatory = $true)][hashtable]$Found
    )
    foreach ($drive in $Dvds) {
        $slot = '{0}{1}-{2}' -f ([string]$drive.ControllerType).ToLowerInvariant(), $drive.ControllerNumber, $drive.ControllerLocation
        $value = 'empty dvd'
        if (([string]$drive.Path).Length -gt 0) {
            $value = 'image ' + (ConvertTo-KitTarget -Path $drive.Path)
        }
        $Found['drive.' + $slot] = $value
    }
    foreach ($drive in $Floppies) {
        if (([string]$drive.Path).Length -gt 0) {
            $Found['drive.floppy0-0'] = 'image ' + (ConvertTo-KitTarget -Path $drive.Path)
        }
    }
}

function Add-KitAdapterSettings {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][hashtable]$Found,
        [Parameter(Mandatory = $true)]$Definition
    )
    # The adapters are listed in an order of their own: each one of the kit is looked up by its kind, name and static address; one
    # whose address was changed, by its kind and name among those that are left.
    $left = New-Object -TypeName System.Collections.ArrayList
    foreach ($adapter in @(Get-VMNetworkAdapter -VM $Machine)) {
        [void]$left.Add($adapter)
    }
    $fits = @{}
    foreach ($exact in @($true, $false)) {
        $number = 0
        foreach ($wanted in @($Definition.configuration.adapters)) {
            if (-not $fits.ContainsKey($number)) {
                $fitting = @($left | Where-Object { ($_.Name -ceq $wanted.name) -and ($_.IsLegacy -eq ($wanted.kind -eq 'legacy')) })
                if ($exact) {
                    $mac = ([string]$wanted.mac).Replace('-', '')
                    $fitting = @($fitting | Where-Object { $_.DynamicMacAddressEnabled -ne $wanted.mac_is_static })
                    $fitting = @($fitting | Where-Object { (-not $wanted.mac_is_static) -or ($_.MacAddress -eq $mac) })
                }
                if ($fitting.Count -gt 0) {
                    $fits[$number] = $fitting[0]
                    $left.Remove($fitting[0])
                }
            }
            $number++
        }
    }
    foreach ($number in @($fits.Keys)) {
        $adapter = $fits[$number]
        $key = 'adapter{0}.' -f $number
        $Found[$key + 'name'] = [string]$adapter.Name
        $Found[$key + 'kind'] = 'Synthetic'
        if ($adapter.IsLegacy) {
            $Found[$key + 'kind'] = 'Legacy'
        }
        $Found[$key + 'mac-is-static'] = ([string](-not $adapter.DynamicMacAddressEnabled)).ToLowerInvariant()
        $Found[$key + 'mac'] = ConvertTo-KitMac -Mac $adapter.MacAddress
        $Found[$key + 'switch'] = [string]$adapter.SwitchName
        $Found[$key + 'vlan'] = ConvertTo-KitVlan -Vlan (Get-VMNetworkAdapterVlan -VMNetworkAdapter $adapter)
        $flags = @{
            'mac-spoofing' = $adapter.MacAddressSpoofing
            'dhcp-guard' = $adapter.DhcpGuard
            'router-guard' = $adapter.RouterGuard
            'teaming' = $adapter.AllowTeaming
            'priority-tag' = $adapter.IeeePriorityTag
        }
        foreach ($item in @($flags.Keys)) {
            $Found[$key + $item] = ([string]([string]$flags[$item] -eq 'On')).ToLowerInvariant()
        }
        $Found[$key + 'vmq-weight'] = [string]$adapter.VmqWeight
        $Found[$key + 'iov-weight'] = [string]$adapter.IovWeight
        $Found[$key + 'ipsec-offload-limit'] = [string]$adapter.IPsecOffloadMaxSA
        # Nothing when no bandwidth was ever set.
        $bandwidth = $adapter.BandwidthSetting
        if ($null -ne $bandwidth) {
            $Found[$key + 'minimum-bandwidth'] = [string]$bandwidth.MinimumBandwidthAbsolute
            $Found[$key + 'minimum-bandwidth-weight'] = [string]$bandwidth.MinimumBandwidthWeight
            $Found[$key + 'maximum-bandwidth'] = [string]$bandwidth.MaximumBandwidth
        }
    }
}

function Add-KitTpmSettings {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][hashtable]$Found
    )
    $id = ([string]$Machine.Id).ToUpperInvariant()
    try {
        $all = @(Get-WmiObject -Namespace 'root\virtualization\v2' -Class 'Msvm_SecuritySettingData')
    }
    catch {
        return
    }
    foreach ($settings in $all) {
        if (([string]$settings.InstanceID).ToUpperInvariant().Contains($id)) {
            $Found['firmware.tpm'] = ([string]$settings.TpmEnabled).ToLowerInvariant()
        }
    }
}

# Whether this host has what Windows Server 2016 brought: templates of Secure Boot, and nested virtualization.
function Test-KitLaterSettings {
    [CmdletBinding()]
    param()
    $role = Read-KitJson -Path (Get-KitPath -Relative 'role.json')
    @('2012', '2012R2') -notcontains $role.release
}

function Add-KitFirmwareSettings {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][hashtable]$Found,
        [Parameter(Mandatory = $true)]$Definition
    )
    $settings = Get-KitSystemSettings -Machine $Machine
    $Found['firmware.bios-guid'] = ([string]$settings.BIOSGUID).Trim('{', '}').ToUpperInvariant()
    $Found['firmware.bios-serial-number'] = [string]$settings.BIOSSerialNumber
    $Found['firmware.base-board-serial-number'] = [string]$settings.BaseBoardSerialNumber
    $Found['firmware.chassis-serial-number'] = [string]$settings.ChassisSerialNumber
    $Found['firmware.chassis-asset-tag'] = [string]$settings.ChassisAssetTag
    $words = @{ 'Floppy' = 'floppy'; 'CD' = 'optical'; 'IDE' = 'hard-drive'; 'LegacyNetworkAdapter' = 'network' }
    if ((Get-KitGeneration -Machine $Machine) -eq 2) {
        $Found['firmware.secure-boot'] = ([string]$settings.SecureBootEnabled).ToLowerInvariant()
        # Only of a machine that shall have another than that of Windows: 2012 R2 has no such property.
        if (($null -ne $Definition.secure_boot_template) -and (Test-KitLaterSettings)) {
            $Found['firmware.secure-boot-template'] = ([string]$settings.SecureBootTemplateId).Trim('{', '}').ToUpperInvariant()
        }
        # Only of a machine that shall have one: releases without it have no such class.
        if ($null -ne $Definition.configuration.firmware.tpm) {
            Add-KitTpmSettings -Machine $Machine -Found $Found
        }
        return
    }
    $bios = Get-VMBios -VM $Machine
    $Found['firmware.boot-order'] = @($bios.StartupOrder | ForEach-Object { $words[[string]$_] }) -join ' '
}

function Read-KitMachineSettings {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Definition)
    $found = @{}
    $machine = Get-KitMachine -Folder $Definition.folder
    if ($null -eq $machine) {
        return $found
    }
    $mib = 1048576
    $found['name'] = [string]$machine.Name
    Add-KitNoteSettings -Notes ([string]$machine.Notes) -Found $found
    $found['generation'] = [string](Get-KitGeneration -Machine $machine)
    $memory = Get-VMMemory -VM $machine
    $found['memory.startup-mib'] = [string]($memory.Startup / $mib)
    $found['memory.dynamic'] = ([string]$memory.DynamicMemoryEnabled).ToLowerInvariant()
    $found['memory.minimum-mib'] = [string]($memory.Minimum / $mib)
    $found['memory.maximum-mib'] = [string]($memory.Maximum / $mib)
    $found['memory.buffer-percent'] = [string]$memory.Buffer
    $found['memory.weight'] = [string]($memory.Priority * 100)
    $processor = Get-VMProcessor -VM $machine
    $found['processors.count'] = [string]$processor.Count
    $found['processors.limit'] = [string]($processor.Maximum * 1000)
    $found['processors.reserve'] = [string]($processor.Reserve * 1000)
    $found['processors.weight'] = [string]$processor.RelativeWeight
    $found['numa.processors-per-node'] = [string]$processor.MaximumCountPerNumaNode
    $found['numa.nodes-per-socket'] = [string]$processor.MaximumCountPerNumaSocket
    $found['numa.mib-per-node'] = [string]$memory.MaximumPerNumaNode
    $found['processors.compatibility-for-migration'] = ([string]$processor.CompatibilityForMigrationEnabled).ToLowerInvariant()
    $found['processors.compatibility-for-older-systems'] = ([string]$processor.CompatibilityForOlderOperatingSystemsEnabled).ToLowerInvariant()
    if ($Definition.nested_virtualization -and (Test-KitLaterSettings)) {
        $found['processors.nested-virtualization'] = ([string]$processor.ExposeVirtualizationExtensions).ToLowerInvariant()
    }
    Add-KitFirmwareSettings -Machine $machine -Found $found -Definition $Definition
    $disks = @(Get-VMHardDiskDrive -VM $machine)
    Add-KitDriveSettings -Drives $disks -Found $found -Definition $Definition
    $dvds = @(Get-VMDvdDrive -VM $machine)
    $floppies = @(Get-KitFloppyDrive -Machine $machine)
    Add-KitImageSettings -Dvds $dvds -Floppies $floppies -Found $found
    Add-KitAdapterSettings -Machine $machine -Found $found -Definition $Definition
    foreach ($number in @(1, 2)) {
        Add-KitPortSetting -Port (Get-VMComPort -VM $machine -Number $number) -Number $number -Found $found
    }
    Add-KitServiceSettings -Machine $machine -Found $found
    $found['action.start'] = [string]$machine.AutomaticStartAction
    $found['action.stop'] = [string]$machine.AutomaticStopAction
    $found['action.start-delay'] = [string]$machine.AutomaticStartDelay
    $found['current-checkpoint'] = ConvertTo-KitCheckpointId -Folder $Definition.folder -Id ([string]$machine.ParentSnapshotId)
    $found
}

# The last line of the notes tells whose a machine is that was made anew.
function Add-KitNoteSettings {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][AllowEmptyString()][string]$Notes,
        [Parameter(Mandatory = $true)][hashtable]$Found
    )
    $Found['notes'] = $Notes
    $lines = @($Notes -split "`n")
    $last = $lines[$lines.Count - 1]
    if ($last.StartsWith('Owner: ', [System.StringComparison]::Ordinal) -and ($last.Substring(7) -match '^S-1-5-21-[0-9]+(-[0-9]+)*$')) {
        $Found['owner'] = $last.Substring(7)
        $others = $Notes.Substring(0, $Notes.Length - $last.Length)
        # Whatever Hyper-V makes of the ends of lines.
        foreach ($newline in @("`r`n", "`n")) {
            if ($others.EndsWith($newline, [System.StringComparison]::Ordinal)) {
                $others = $others.Substring(0, $others.Length - $newline.Length)
                break
            }
        }
        $Found['notes'] = $others
    }
}

# The checkpoint of the old host that one of this host stands for.
function ConvertTo-KitCheckpointId {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][AllowEmptyString()][string]$Id
    )
    if ($Id.Length -eq 0) {
        return 'none'
    }
    $role = Read-KitJson -Path (Get-KitPath -Relative 'role.json')
    foreach ($machine in @($role.machines | Where-Object { $_.folder -ceq $Folder })) {
        foreach ($checkpoint in @($machine.checkpoints)) {
            $note = Get-KitCheckpointNote -Id $checkpoint
            if ([System.IO.File]::Exists($note) -and ([System.IO.File]::ReadAllText($note) -eq $Id)) {
                return $checkpoint
            }
        }
    }
    $Id
}

function Read-KitCheckpointSettings {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Definition)
    $found = @{}
    $checkpoint = $null
    $machine = Get-KitMachine -Folder $Definition.folder
    if ($null -ne $machine) {
        $checkpoint = Get-KitCheckpoint -Machine $machine -Id $Definition.checkpoint.id
    }
    if ($null -eq $checkpoint) {
        return $found
    }
    $found['name'] = [string]$checkpoint.Name
    $found['parent'] = ConvertTo-KitCheckpointId -Folder $Definition.folder -Id ([string]$checkpoint.ParentSnapshotId)
    $found['memory.startup-mib'] = [string]((Get-VMMemory -VMSnapshot $checkpoint).Startup / 1048576)
    $found['processors.count'] = [string](Get-VMProcessor -VMSnapshot $checkpoint).Count
    $disks = @(Get-VMHardDiskDrive -VMSnapshot $checkpoint)
    Add-KitDriveSettings -Drives $disks -Found $found -Definition $Definition
    $dvds = @(Get-VMDvdDrive -VMSnapshot $checkpoint)
    $floppies = @(Get-KitFloppyDrive -Machine $machine -Checkpoint $checkpoint)
    Add-KitImageSettings -Dvds $dvds -Floppies $floppies -Found $found
    foreach ($number in @(1, 2)) {
        Add-KitPortSetting -Port (Get-VMComPort -VMSnapshot $checkpoint -Number $number) -Number $number -Found $found
    }
    $found
}

function Add-KitPortSetting {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Port,
        [Parameter(Mandatory = $true)][int]$Number,
        [Parameter(Mandatory = $true)][hashtable]$Found
    )
    $Found['com' + $Number] = 'none'
    if (([string]$Port.Path).Length -gt 0) {
        $Found['com' + $Number] = [string]$Port.Path
    }
}

function Add-KitServiceSettings {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][hashtable]$Found
    )
    $classes = @{
        '84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47' = 'Heartbeat'
        '2A34B1C2-FD73-4043-8A5B-DD2159BC743F' = 'KeyValuePairExchange'
        '9F8233AC-BE49-4C79-8EE3-E7E1985B2077' = 'Shutdown'
        '2497F4DE-E9FA-4204-80E4-4B75C46419C0' = 'TimeSynchronization'
        '5CED1297-4598-4915-A5FC-AD21BB4D02A4' = 'Vss'
        '6C09BB55-D683-4DA0-8931-C9BF705F6480' = 'GuestServices'
    }
    foreach ($service in @(Get-VMIntegrationService -VM $Machine)) {
        $class = ([string]$service.Id).Substring([System.Math]::Max(0, ([string]$service.Id).Length - 36)).ToUpperInvariant()
        if ($classes.ContainsKey($class)) {
            if (-not $service.Enabled) {
                $Found['integration-service.' + $classes[$class]] = 'disabled'
            }
            elseif ($classes[$class] -eq 'GuestServices') {
                $Found['integration-service.GuestServices'] = 'enabled'
            }
        }
    }
}

$checked = 0
$different = 0
$observed = New-Object -TypeName System.Collections.ArrayList
$role = Read-KitJson -Path (Get-KitPath -Relative 'role.json')
foreach ($step in @($role.steps)) {
    $document = Read-KitJson -Path (Get-KitPath -Relative $step.definition)
    switch ($step.kind) {
        'settings' {
            $found = Read-KitHostSettings
        }
        'network' {
            $found = Read-KitSwitchSettings -Definition $document.definition
        }
        'management-adapter' {
            $found = Read-KitManagementAdapterSettings -Definition $document.definition
        }
        'checkpoint' {
            $found = Read-KitCheckpointSettings -Definition $document.definition
        }
        'machine' {
            $found = Read-KitMachineSettings -Definition $document.definition
        }
    }
    if ($step.kind -eq 'settings') {
        foreach ($setting in @($document.settings | Where-Object { ([string]$_.item).StartsWith('hyper-v-administrator.') })) {
            $sid = ([string]$setting.item).Replace('hyper-v-administrator.', '')
            if (Test-KitHyperVAdministrator -Sid $sid) {
                $found[$setting.item] = 'member'
            }
        }
    }
    if (($step.kind -eq 'settings') -and (Test-KitAuthorizationStore)) {
        $wanted = @($document.settings | Where-Object { $_.item -eq 'authorization-store' }) | Select-Object -First 1
        if ($null -ne $wanted) {
            $found['authorization-store'] = [string]$wanted.value
        }
    }
    foreach ($setting in @($document.settings)) {
        $checked++
        $value = 'nothing'
        if ($found.ContainsKey($setting.item)) {
            $value = [string]$found[$setting.item]
            [void]$observed.Add(@{ subject = [string]$setting.subject; item = [string]$setting.item; value = $value })
        }
        if ($value -cne [string]$setting.value) {
            $different++
            Write-Warning -Message ("{0}: {1} is '{2}' instead of '{3}'." -f $step.title, $setting.item, $value, $setting.value)
        }
    }
}
# The entries that Merge-DcomRestriction.ps1 adds.
$dcom = Read-KitJson -Path (Get-KitPath -Relative 'dcom.json')
foreach ($restriction in @($dcom.restrictions)) {
    $name = [string]$restriction.name
    $descriptor = Get-KitDescriptor -Name $name
    foreach ($added in @($restriction.added | Where-Object { @('allow', 'deny') -contains $_.effect })) {
        $checked++
        $item = '{0}.{1}' -f $added.sid, $added.effect
        $wanted = '0x{0:x}' -f (ConvertTo-KitMask -Mask $added.mask)
        $value = Get-KitAddedState -Descriptor $descriptor -Added $added
        if ($value -cne 'nothing') {
            [void]$observed.Add(@{ subject = 'DCOM restriction ' + $name; item = $item; value = $value })
        }
        if ($value -cne $wanted) {
            $different++
            Write-Warning -Message ("DCOM restriction '{0}': {1} is '{2}' instead of '{3}'." -f $name, $item, $value, $wanted)
        }
    }
}
# The members that it makes.
foreach ($member in @($dcom.members)) {
    $checked++
    $value = Get-KitMemberState -Member $member
    if ($value -ceq 'member') {
        [void]$observed.Add(@{ subject = 'DCOM users'; item = [string]$member.item; value = $value })
    }
    else {
        $different++
        Write-Warning -Message ("Distributed COM Users: '{0}' is no member." -f $member.shown)
    }
}
# The entries that Merge-WmiNamespace.ps1 adds.
$wmi = Read-KitJson -Path (Get-KitPath -Relative 'wmi.json')
foreach ($rights in @($wmi.namespaces)) {
    $namespace = [string]$rights.namespace
    $descriptor = $null
    $bytes = Get-KitNamespaceSecurity -Namespace $namespace
    if ($null -ne $bytes) {
        $descriptor = ConvertTo-KitDescriptor -Name $namespace -Bytes $bytes
    }
    foreach ($added in @($rights.added | Where-Object { @('allow', 'deny') -contains $_.effect })) {
        $checked++
        $item = '{0}.{1}' -f $added.sid, $added.effect
        $wanted = '0x{0:x}' -f (ConvertTo-KitMask -Mask $added.mask)
        $value = Get-KitAddedState -Descriptor $descriptor -Added $added
        if ($value -cne 'nothing') {
            [void]$observed.Add(@{ subject = 'WMI namespace ' + $namespace; item = $item; value = $value })
        }
        if ($value -cne $wanted) {
            $different++
            Write-Warning -Message ("WMI namespace '{0}': {1} is '{2}' instead of '{3}'." -f $namespace, $item, $value, $wanted)
        }
    }
}
# The rules that Set-HyperVFirewall.ps1 changes and makes.
$firewall = Read-KitJson -Path (Get-KitPath -Relative 'firewall.json')
foreach ($rule in @($firewall.checked)) {
    $found = Read-KitFirewallRule -Name $rule.id
    foreach ($setting in @($rule.settings)) {
        $checked++
        $value = Get-KitFirewallValue -Found $found -Setting $setting
        if ($value -cne 'nothing') {
            [void]$observed.Add(@{ subject = [string]$setting.subject; item = [string]$setting.item; value = $value })
        }
        if ($value -ne [string]$setting.value) {
            $different++
            Write-Warning -Message ("Firewall rule '{0}': {1} is '{2}' instead of '{3}'." -f $rule.id, $setting.item, $value, $setting.value)
        }
    }
}
$document = @{
    schema = 1
    host = [string]$env:COMPUTERNAME
    source_host = [string]$role.source_host
    at = [System.DateTime]::UtcNow.ToString('o')
    settings = @($observed)
}
[void][System.IO.Directory]::CreateDirectory($KitState)
[System.IO.File]::WriteAllText([System.IO.Path]::Combine($KitState, 'observed.json'), (ConvertTo-Json -InputObject $document -Depth 4))
Write-Output -InputObject ('{0} settings were compared, {1} differ.' -f $checked, $different)
if ($different -gt 0) {
    exit 4
}
