#requires -Version 3.0
# Functions of the kit for checkpoints. It is loaded by the other scripts of this folder and does nothing by itself.
#
# A tree of checkpoints is built state by state, parents first: the machine gets what it consisted of, with the disks of the kit
# as they were, and then a checkpoint is made of it. Hyper-V puts empty disks of its own above those; they are taken out again
# before the next state, so that no disk of the kit is written to or removed.
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

# Where it is noted which checkpoint of this host stands for one of the old host.
function Get-KitCheckpointNote {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Id)
    [System.IO.Path]::Combine($KitState, 'checkpoint-' + $Id + '.txt')
}

# The checkpoint that stands for one of the old host: the one that was noted, or one that was made and not noted any more, whose
# name is still that id.
function Get-KitCheckpoint {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][string]$Id
    )
    $noted = ''
    $note = Get-KitCheckpointNote -Id $Id
    if ([System.IO.File]::Exists($note)) {
        $noted = [System.IO.File]::ReadAllText($note)
    }
    @(Get-VMSnapshot -VM $Machine | Where-Object { (([string]$_.Id) -eq $noted) -or ($_.Name -eq $Id) }) | Select-Object -First 1
}

# The same by the folder of the machine; nothing when that is not there.
function Find-KitCheckpoint {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][string]$Id
    )
    $machine = Get-KitMachine -Folder $Folder
    if ($null -ne $machine) {
        Get-KitCheckpoint -Machine $machine -Id $Id
    }
}

function Test-KitCheckpoint {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][string]$Id
    )
    $null -ne (Find-KitCheckpoint -Folder $Folder -Id $Id)
}

# True when the checkpoint is there; it is noted then, and has its name.
function Complete-KitCheckpoint {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][string]$Id,
        [Parameter(Mandatory = $true)][string]$Name
    )
    $checkpoint = Find-KitCheckpoint -Folder $Folder -Id $Id
    if ($null -eq $checkpoint) {
        return $false
    }
    [void][System.IO.Directory]::CreateDirectory($KitState)
    [System.IO.File]::WriteAllText((Get-KitCheckpointNote -Id $Id), [string]$checkpoint.Id)
    if ($checkpoint.Name -cne $Name) {
        Rename-VMSnapshot -VMSnapshot $checkpoint -NewName $Name
    }
    return $true
}

function Save-KitCheckpoint {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][string]$Id,
        [Parameter(Mandatory = $true)][string]$Name
    )
    Checkpoint-VM -VM $Machine -SnapshotName $Id
    if (-not (Complete-KitCheckpoint -Folder $Folder -Id $Id -Name $Name)) {
        throw ("Hyper-V made no checkpoint '{0}'. Look into the event log of Hyper-V-VMMS and run the script again." -f $Name)
    }
}

# Takes the disks out of a machine. Those of the kit stay; the empty ones that Hyper-V made above them go.
function Remove-KitMachineDisks {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Machine)
    $role = Read-KitJson -Path (Get-KitPath -Relative 'role.json')
    $ours = @($role.files | ForEach-Object { Get-KitPath -Relative $_.path })
    foreach ($drive in @(Get-VMHardDiskDrive -VM $Machine)) {
        $path = [string]$drive.Path
        $made = @(@('.avhd', '.avhdx') | Where-Object { $path.EndsWith($_, [System.StringComparison]::OrdinalIgnoreCase) }).Count -gt 0
        $here = $path.StartsWith($Kit.TrimEnd('\') + '\', [System.StringComparison]::OrdinalIgnoreCase)
        # The file before the drive, so that none is left over when the computer stops in between.
        if ($made -and $here -and ($ours -notcontains $path)) {
            [System.IO.File]::Delete($path)
        }
        Remove-VMHardDiskDrive -VMHardDiskDrive $drive
    }
}

# Takes out of a machine what its next state may not have.
function Clear-KitMachine {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Machine)
    if ([string]$Machine.State -ne 'Off') {
        throw ("The virtual machine '{0}' is {1}. Turn it off first." -f $Machine.Name, $Machine.State)
    }
    Remove-KitMachineDisks -Machine $Machine
    foreach ($drive in @(Get-KitFloppyDrive -Machine $Machine)) {
        if (([string]$drive.Path).Length -gt 0) {
            Set-VMFloppyDiskDrive -VMFloppyDiskDrive $drive -Path $null
        }
    }
    foreach ($service in @(Get-VMIntegrationService -VM $Machine)) {
        # Guest services are off in a new machine, all others are on.
        $wanted = -not ([string]$service.Id).EndsWith('6C09BB55-D683-4DA0-8931-C9BF705F6480', [System.StringComparison]::OrdinalIgnoreCase)
        if ($wanted -and (-not $service.Enabled)) {
            Enable-VMIntegrationService -VMIntegrationService $service
        }
        if ((-not $wanted) -and $service.Enabled) {
            Disable-VMIntegrationService -VMIntegrationService $service
        }
    }
}

# Takes the pipe of a serial port away. No documentation says how: WMI changes ports, and the configuration of a machine has an empty
# text where a port has no pipe. So what came of it is looked at, and where the pipe is still there, that is told.
function Clear-KitComPort {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][int]$Number,
        [Parameter(Mandatory = $true)][string]$Class
    )
    $port = Get-VMComPort -VM $Machine -Number $Number
    $pipe = [string]$port.Path
    if ($pipe.Length -eq 0) {
        return
    }
    $why = 'Hyper-V kept it.'
    try {
        $query = "SELECT * FROM {0} WHERE InstanceID = '{1}'" -f $Class, ([string]$port.Id).Replace('\', '\\')
        $settings = Get-WmiObject -Namespace 'root\virtualization\v2' -Query $query
        $settings.Connection = @('')
        $service = Get-WmiObject -Namespace 'root\virtualization\v2' -Class 'Msvm_VirtualSystemManagementService'
        $result = $service.ModifyResourceSettings(@($settings.GetText([System.Management.TextFormat]::WmiDtd20)))
        Wait-KitJob -Result $result -Doing 'ModifyResourceSettings'
        if (([string](Get-VMComPort -VM $Machine -Number $Number).Path).Length -eq 0) {
            return
        }
    }
    catch {
        $why = [string]$_
    }
    Write-Warning -Message ("The serial port {0} of '{1}' is still connected to '{2}', which an earlier checkpoint has there and this state had not: {3} Set it to None in the settings of the machine; a checkpoint that is made of this state keeps it." -f $Number, $Machine.Name, $pipe, $why)
}

# Gives the machine the state of a checkpoint.
function Restore-KitCheckpoint {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][string]$Id
    )
    $checkpoint = Find-KitCheckpoint -Folder $Folder -Id $Id
    if ($null -eq $checkpoint) {
        return
    }
    # Hyper-V removes the disks that are in the machine now.
    Clear-KitMachine -Machine (Get-KitMachine -Folder $Folder)
    Restore-VMSnapshot -VMSnapshot $checkpoint
}

# The machine, bare, as one that derives from a checkpoint.
function Open-KitMachine {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][int]$Generation,
        [Parameter(Mandatory = $true)][string]$Parent,
        [string]$SecureBootTemplateId = ''
    )
    $machine = Get-KitMachine -Folder $Folder
    $checkpoint = $null
    if ($null -ne $machine) {
        $checkpoint = Get-KitCheckpoint -Machine $machine -Id $Parent
    }
    if ($null -eq $checkpoint) {
        throw ("The virtual machine in '{0}' or its checkpoint {1} is not there any more. Undo the import and run it again." -f $Folder, $Parent)
    }
    if ((Get-KitGeneration -Machine $machine) -ne $Generation) {
        throw ("The virtual machine '{0}' is not of generation {1}." -f $machine.Name, $Generation)
    }
    Clear-KitMachine -Machine $machine
    if ([string]$machine.ParentSnapshotId -ne [string]$checkpoint.Id) {
        Restore-VMSnapshot -VMSnapshot $checkpoint
        $machine = Get-KitMachine -Folder $Folder
        Clear-KitMachine -Machine $machine
    }
    if (($SecureBootTemplateId.Length -gt 0) -and (([string](Get-KitSystemSettings -Machine $machine).SecureBootTemplateId).Trim('{', '}') -ne $SecureBootTemplateId)) {
        throw ("The virtual machine '{0}' has another template of Secure Boot than this kit gave it. Undo the import and run it again." -f $machine.Name)
    }
    $machine
}

# Takes a checkpoint back; the machine gets the state of the one before it. Hyper-V removes the disks of the checkpoint.
function Remove-KitCheckpoint {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][string]$Id,
        [Parameter(Mandatory = $true)][string]$Before
    )
    $checkpoint = Find-KitCheckpoint -Folder $Folder -Id $Id
    if ($null -eq $checkpoint) {
        return
    }
    Restore-KitCheckpoint -Folder $Folder -Id $Before
    Write-Warning -Message ("With the checkpoint '{0}' Hyper-V removes its disks. Before this kit is imported again, copy its files again." -f $checkpoint.Name)
    Remove-VMSnapshot -VMSnapshot $checkpoint
    [System.IO.File]::Delete((Get-KitCheckpointNote -Id $Id))
}

# The present state of a machine with checkpoints: it is there when that was noted.
function Get-KitPresentNote {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Id)
    [System.IO.Path]::Combine($KitState, 'present-' + $Id + '.txt')
}

function Test-KitPresent {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][string]$Id
    )
    $machine = Get-KitMachine -Folder $Folder
    if ($null -eq $machine) {
        return $false
    }
    $note = Get-KitPresentNote -Id $Id
    if (-not [System.IO.File]::Exists($note)) {
        return $false
    }
    [System.IO.File]::ReadAllText($note) -eq [string]$machine.Id
}

function Save-KitPresent {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][string]$Id
    )
    [void][System.IO.Directory]::CreateDirectory($KitState)
    [System.IO.File]::WriteAllText((Get-KitPresentNote -Id $Id), [string]$Machine.Id)
}

function Remove-KitPresent {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Folder,
        [Parameter(Mandatory = $true)][string]$Id,
        [Parameter(Mandatory = $true)][string]$Before
    )
    Restore-KitCheckpoint -Folder $Folder -Id $Before
    [System.IO.File]::Delete((Get-KitPresentNote -Id $Id))
}
