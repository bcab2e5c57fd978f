#requires -Version 3.0
# Functions of the kit for machines that are registered from their own configuration. It is loaded by the other scripts of this
# folder and does nothing by itself.
#
# The configuration of the old host stays in source-configuration. A copy of it in the folder of the machine is what is registered:
# Hyper-V removes that with the machine.
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

# Files of a machine that is registered in its folder, there or not.
function Get-KitRegisteredFiles {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][string]$Id
    )
    foreach ($ending in @('xml', 'vmcx', 'vmrs', 'vmgs')) {
        [System.IO.Path]::Combine($KitMachines, $Folder, 'Virtual Machines', $Id + '.' + $ending)
    }
}

function Test-KitRegistered {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][string]$Id
    )
    $machine = Get-KitMachine -Folder $Folder
    if ($null -eq $machine) {
        return $false
    }
    ([string]$machine.Id) -eq $Id
}

# Hyper-V keeps a planned machine until it is imported or taken away; no cmdlet takes one away.
function Remove-KitPlannedMachine {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Id)
    $query = "SELECT * FROM Msvm_PlannedComputerSystem WHERE Name = '{0}'" -f $Id
    foreach ($planned in @(Get-WmiObject -Namespace 'root\virtualization\v2' -Query $query)) {
        $service = Get-WmiObject -Namespace 'root\virtualization\v2' -Class 'Msvm_VirtualSystemManagementService'
        $result = $service.DestroySystem($planned.__PATH)
        Wait-KitJob -Result $result -Doing 'DestroySystem'
    }
}

# Takes the machine out of Hyper-V, planned or imported, and what it was registered from out of its folder. Its disks stay, and so
# does the original configuration.
function Remove-KitRegistered {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][string]$Id
    )
    Remove-KitMachine -Folder $Folder
    Remove-KitPlannedMachine -Id $Id
    foreach ($path in @(Get-KitRegisteredFiles -Folder $Folder -Id $Id)) {
        [System.IO.File]::Delete($path)
    }
    $place = [System.IO.Path]::Combine($KitMachines, $Folder, 'Virtual Machines')
    if ([System.IO.Directory]::Exists($place) -and (@([System.IO.Directory]::GetFileSystemEntries($place)).Count -eq 0)) {
        [System.IO.Directory]::Delete($place)
    }
}

# What an earlier run left unfinished is registered again from the beginning.
function Remove-KitHalfRegistered {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][string]$Id
    )
    Remove-KitHalfMachine -Folder $Folder
    Remove-KitRegistered -Folder $Folder -Id $Id
}

function Get-KitOtherWay {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Id)
    "To make the virtual machine anew around its disks instead, plan again with --answer machine.configuration@{0}=new." -f $Id.ToUpperInvariant()
}

# After a step that registers a machine has failed: what it left is taken away, as the next run would do, and the other way is told.
function Resolve-KitRegistration {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Step,
        [Parameter(Mandatory = $true)][AllowEmptyString()][string]$Message
    )
    $role = Read-KitJson -Path (Get-KitPath -Relative 'role.json')
    foreach ($machine in @($role.machines | Where-Object { $_.registered -and ([string]$Step.id).EndsWith([string]$_.id, [System.StringComparison]::OrdinalIgnoreCase) })) {
        try {
            Remove-KitHalfRegistered -Folder $machine.folder -Id $machine.id
        }
        catch {
            Write-Warning -Message ("What is left of the virtual machine '{0}' was not taken away: {1}" -f $machine.name, $_)
        }
        if (-not $Message.Contains('machine.configuration@')) {
            (Get-KitOtherWay -Id $machine.id) + ' '
        }
    }
}

# Hyper-V's report on the configuration, with a planned machine made of it.
function Compare-KitMachine {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][string]$Id,
        [Parameter(Mandatory = $true)][AllowEmptyString()][string]$Name,
        [Parameter(Mandatory = $true)][int]$Generation,
        [Parameter(Mandatory = $true)][string]$Configuration,
        [string]$RuntimeState = '',
        [string]$GuestState = ''
    )
    foreach ($other in @(Get-VM | Where-Object { ([string]$_.Id) -eq $Id })) {
        throw ("This host already has a virtual machine with the id {0}: '{1}' in '{2}'. Remove it when it is an earlier copy. {3}" -f $Id, $other.Name, $other.ConfigurationLocation, (Get-KitOtherWay -Id $Id))
    }
    $place = [System.IO.Path]::Combine($KitMachines, $Folder, 'Virtual Machines')
    [void][System.IO.Directory]::CreateDirectory($place)
    $registered = ''
    try {
        foreach ($path in @($RuntimeState, $GuestState, $Configuration)) {
            if ($path.Length -gt 0) {
                $registered = [System.IO.Path]::Combine($place, $Id + '.' + ($path -replace '^.*\.', ''))
                [System.IO.File]::Copy($path, $registered, $true)
            }
        }
        $report = Compare-VM -Path $registered -Register
        $planned = Get-KitPlannedMachine -Report $report
        if ((Get-KitGeneration -Machine $planned) -ne $Generation) {
            throw ("The configuration is not one of generation {0}." -f $Generation)
        }
    }
    catch {
        $message = [string]$_
        Remove-KitRegistered -Folder $Folder -Id $Id
        throw ("Hyper-V does not take the configuration of '{0}': {1} {2}" -f $Name, $message, (Get-KitOtherWay -Id $Id))
    }
    $report
}

function Get-KitPlannedMachine {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Report)
    $Report.VM
}

# Takes out of a planned machine what refers to the old host: networks, discs, and hard disks but those in the places of Disks. What does
# not get another one afterwards (devices of Adapters, places of Media) is told.
function Clear-KitPlannedMachine {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Report,
        [Parameter(Mandatory = $true)]$Machine,
        [string[]]$Disks = @(),
        [string[]]$Media = @(),
        [string[]]$Adapters = @()
    )
    # 33012: the virtual network is not there.
    foreach ($missing in @($Report.Incompatibilities | Where-Object { ($null -ne $_) -and ($_.MessageId -eq 33012) })) {
        $id = [string]$missing.Source.Id
        if (@($Adapters | Where-Object { $id.EndsWith('\' + $_, [System.StringComparison]::OrdinalIgnoreCase) }).Count -eq 0) {
            Write-Warning -Message ("The network adapter '{0}' of '{1}' was connected to a virtual network that is not in this kit; it stays unconnected." -f $missing.Source.Name, $Machine.Name)
        }
    }
    foreach ($adapter in @(Get-VMNetworkAdapter -VM $Machine)) {
        Disconnect-VMNetworkAdapter -VMNetworkAdapter $adapter
    }
    foreach ($drive in @(Get-VMDvdDrive -VM $Machine)) {
        $slot = '{0}{1}-{2}' -f $drive.ControllerType, $drive.ControllerNumber, $drive.ControllerLocation
        if ((([string]$drive.Path).Length -gt 0) -and ($Media -notcontains $slot)) {
            Write-Warning -Message ("The DVD drive {0} of '{1}' held '{2}' on the old host; it is empty now." -f $slot, $Machine.Name, $drive.Path)
        }
        Set-VMDvdDrive -VMDvdDrive $drive -Path $null
    }
    foreach ($drive in @(Get-KitFloppyDrive -Machine $Machine)) {
        if ((([string]$drive.Path).Length -gt 0) -and ($Media -notcontains 'floppy')) {
            Write-Warning -Message ("The floppy drive of '{0}' held '{1}' on the old host; it is empty now." -f $Machine.Name, $drive.Path)
        }
        Set-VMFloppyDiskDrive -VMFloppyDiskDrive $drive -Path $null
    }
    foreach ($drive in @(Get-VMHardDiskDrive -VM $Machine)) {
        $slot = '{0}{1}-{2}' -f $drive.ControllerType, $drive.ControllerNumber, $drive.ControllerLocation
        if ($Disks -notcontains $slot) {
            Write-Warning -Message ("The drive {0} of '{1}' held '{2}' on the old host, which is not in this kit; the drive is taken out." -f $slot, $Machine.Name, $drive.Path)
            Remove-VMHardDiskDrive -VMHardDiskDrive $drive
        }
    }
}

# A hard disk of the configuration gets the file of the kit.
function Set-KitDisk {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][ValidateSet('IDE', 'SCSI')][string]$ControllerType,
        [Parameter(Mandatory = $true)][int]$ControllerNumber,
        [Parameter(Mandatory = $true)][int]$ControllerLocation,
        [Parameter(Mandatory = $true)][string]$Path
    )
    $drives = @(Get-VMHardDiskDrive -VM $Machine -ControllerType $ControllerType -ControllerNumber $ControllerNumber -ControllerLocation $ControllerLocation)
    if ($drives.Count -ne 1) {
        throw ("The configuration of '{0}' has no hard disk at {1} {2}-{3}. {4}" -f $Machine.Name, $ControllerType, $ControllerNumber, $ControllerLocation, (Get-KitOtherWay -Id $Machine.Id))
    }
    Set-VMHardDiskDrive -VMHardDiskDrive $drives[0] -Path $Path
}

# The planned machine becomes one of this host, when Hyper-V has nothing against it any more.
function Import-KitMachine {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][string]$Id,
        [Parameter(Mandatory = $true)][AllowEmptyString()][string]$Name,
        [Parameter(Mandatory = $true)]$Report
    )
    $compared = Compare-VM -CompatibilityReport $Report
    $left = @($compared.Incompatibilities | Where-Object { $null -ne $_ })
    if ($left.Count -gt 0) {
        $lines = @($left | ForEach-Object { '{0} ({1})' -f ([string]$_.Message).Trim(), $_.MessageId })
        Remove-KitRegistered -Folder $Folder -Id $Id
        throw ("Hyper-V cannot import the configuration of '{0}': {1} {2}" -f $Name, ($lines -join ' '), (Get-KitOtherWay -Id $Id))
    }
    [void](Import-VM -CompatibilityReport $compared)
    $location = [System.IO.Path]::Combine($KitMachines, $Folder)
    $machine = Get-KitMachine -Folder $Folder
    if (-not (Test-KitRegistered -Folder $Folder -Id $Id)) {
        foreach ($other in @(Get-VM | Where-Object { ([string]$_.Id) -eq $Id })) {
            Remove-VM -VM $other -Force
        }
        Remove-KitRegistered -Folder $Folder -Id $Id
        throw ("Hyper-V did not register '{0}' with the id {1} in '{2}'. {3}" -f $Name, $Id, $location, (Get-KitOtherWay -Id $Id))
    }
    Write-KitLog -Step ('machine-id.' + $Id) -Result 'note' -Message ([string]$machine.Id)
    # The configuration may name folders of the old host.
    Set-VM -VM $machine -SnapshotFileLocation $location -SmartPagingFilePath $location
    $machine
}

# A DVD drive with an image of the kit, or an empty one.
function Set-KitDvd {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][int]$ControllerNumber,
        [Parameter(Mandatory = $true)][int]$ControllerLocation,
        [string]$Path = ''
    )
    $drives = @(Get-VMDvdDrive -VM $Machine -ControllerNumber $ControllerNumber -ControllerLocation $ControllerLocation)
    if ($drives.Count -eq 0) {
        Add-VMDvdDrive -VM $Machine -ControllerNumber $ControllerNumber -ControllerLocation $ControllerLocation
        $drives = @(Get-VMDvdDrive -VM $Machine -ControllerNumber $ControllerNumber -ControllerLocation $ControllerLocation)
    }
    if ($Path.Length -gt 0) {
        Set-VMDvdDrive -VMDvdDrive $drives[0] -Path $Path
    }
}

# The drive is there, its disc stayed behind.
function Set-KitEmptyDvd {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][int]$ControllerNumber,
        [Parameter(Mandatory = $true)][int]$ControllerLocation,
        [Parameter(Mandatory = $true)][AllowEmptyString()][string]$Was
    )
    Set-KitDvd -Machine $Machine -ControllerNumber $ControllerNumber -ControllerLocation $ControllerLocation
    Write-Warning -Message ("The DVD drive of '{0}' held '{1}' on the old host; it is empty now." -f $Machine.Name, $Was)
}

# A network adapter of the configuration, by the id of its device.
function Get-KitAdapter {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][string]$DeviceId,
        [Parameter(Mandatory = $true)][AllowEmptyString()][string]$Name,
        [Parameter(Mandatory = $true)][bool]$IsLegacy
    )
    $end = '\' + $DeviceId
    $adapters = @(Get-VMNetworkAdapter -VM $Machine | Where-Object { ([string]$_.Id).EndsWith($end, [System.StringComparison]::OrdinalIgnoreCase) })
    if (($adapters.Count -ne 1) -or ($adapters[0].IsLegacy -ne $IsLegacy)) {
        throw ("The virtual machine '{0}' has no such network adapter: {1}. {2}" -f $Machine.Name, $DeviceId, (Get-KitOtherWay -Id $Machine.Id))
    }
    if ($adapters[0].Name -cne $Name) {
        Rename-VMNetworkAdapter -VMNetworkAdapter $adapters[0] -NewName $Name
    }
    $adapters[0]
}
