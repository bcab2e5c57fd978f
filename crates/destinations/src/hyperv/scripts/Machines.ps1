#requires -Version 3.0
# Functions of the kit for virtual machines. It is loaded by the other scripts of this folder and does nothing by itself.
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

# A machine is found again by its folder: names need not be unique.
function Get-KitMachine {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Folder)
    $location = [System.IO.Path]::Combine($KitMachines, $Folder)
    @(Get-VM | Where-Object { ([string]$_.ConfigurationLocation).TrimEnd('\') -eq $location }) | Select-Object -First 1
}

function Test-KitMachine {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Folder)
    $null -ne (Get-KitMachine -Folder $Folder)
}

# Takes a machine out of Hyper-V; its disks stay.
function Remove-KitMachine {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Folder)
    $machine = Get-KitMachine -Folder $Folder
    if ($null -eq $machine) {
        return
    }
    if ([string]$machine.State -ne 'Off') {
        throw ("The virtual machine '{0}' is {1}. Turn it off first." -f $machine.Name, $machine.State)
    }
    Remove-VM -VM $machine -Force
}

# What an earlier run left unfinished is made again from the beginning.
function Remove-KitHalfMachine {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Folder)
    $machine = Get-KitMachine -Folder $Folder
    if (($null -ne $machine) -and (@(Get-VMSnapshot -VM $machine).Count -gt 0)) {
        throw ("The virtual machine '{0}' has checkpoints already. Undo the import and run it again." -f $machine.Name)
    }
    Remove-KitMachine -Folder $Folder
}

# A new machine has an adapter, a DVD drive and a SCSI controller that nobody asked for.
function Initialize-KitMachine {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][string]$SourceId,
        [Parameter(Mandatory = $true)][int]$ScsiControllers
    )
    Write-KitLog -Step ('machine-id.' + $SourceId) -Result 'note' -Message ([string]$Machine.Id)
    foreach ($adapter in @(Get-VMNetworkAdapter -VM $Machine)) {
        Remove-VMNetworkAdapter -VMNetworkAdapter $adapter
    }
    foreach ($drive in @(Get-VMDvdDrive -VM $Machine)) {
        Remove-VMDvdDrive -VMDvdDrive $drive
    }
    $controllers = @(Get-VMScsiController -VM $Machine)
    for ($index = $controllers.Count; $index -lt $ScsiControllers; $index++) {
        Add-VMScsiController -VM $Machine
    }
    for ($index = $controllers.Count - 1; $index -ge $ScsiControllers; $index--) {
        Remove-VMScsiController -VMScsiController $controllers[$index]
    }
}

function Get-KitSystemSettings {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Machine)
    $id = ([string]$Machine.Id).ToUpperInvariant()
    $query = "SELECT * FROM Msvm_VirtualSystemSettingData WHERE VirtualSystemIdentifier = '{0}' AND VirtualSystemType = 'Microsoft:Hyper-V:System:Realized'" -f $id
    Get-WmiObject -Namespace 'root\virtualization\v2' -Query $query
}

# What the guest sees of its computer: no cmdlet sets it.
function Set-KitFirmware {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [string]$BiosGuid,
        [string]$BiosSerialNumber,
        [string]$BaseBoardSerialNumber,
        [string]$ChassisSerialNumber,
        [string]$ChassisAssetTag
    )
    $settings = Get-KitSystemSettings -Machine $Machine
    if ($PSBoundParameters.ContainsKey('BiosGuid')) {
        $settings.BIOSGUID = '{' + $BiosGuid + '}'
    }
    foreach ($name in @('BiosSerialNumber', 'BaseBoardSerialNumber', 'ChassisSerialNumber', 'ChassisAssetTag')) {
        if ($PSBoundParameters.ContainsKey($name)) {
            $settings.$name = $PSBoundParameters[$name]
        }
    }
    $service = Get-WmiObject -Namespace 'root\virtualization\v2' -Class 'Msvm_VirtualSystemManagementService'
    $result = $service.ModifySystemSettings($settings.GetText([System.Management.TextFormat]::WmiDtd20))
    Wait-KitJob -Result $result -Doing 'ModifySystemSettings'
}

function Wait-KitJob {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Result,
        [Parameter(Mandatory = $true)][string]$Doing
    )
    if ($Result.ReturnValue -eq 0) {
        return
    }
    if ($Result.ReturnValue -ne 4096) {
        throw ('{0} answered {1}.' -f $Doing, $Result.ReturnValue)
    }
    $job = [wmi]$Result.Job
    while (($job.JobState -eq 3) -or ($job.JobState -eq 4)) {
        Start-Sleep -Milliseconds 200
        $job.Get()
    }
    if ($job.JobState -ne 7) {
        throw ('{0} failed: {1}' -f $Doing, $job.ErrorDescription)
    }
}

# The drive is there, its disc stayed behind.
function Add-KitEmptyDvd {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][int]$ControllerNumber,
        [Parameter(Mandatory = $true)][int]$ControllerLocation,
        [Parameter(Mandatory = $true)][AllowEmptyString()][string]$Was
    )
    Add-VMDvdDrive -VM $Machine -ControllerNumber $ControllerNumber -ControllerLocation $ControllerLocation
    Write-Warning -Message ("The DVD drive of '{0}' held '{1}' on the old host; it is empty now." -f $Machine.Name, $Was)
}

# What tells a physical disk from all others, in capitals and without braces; its number changes.
function Get-KitDiskIdentity {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Disk,
        [Parameter(Mandatory = $true)][string]$By
    )
    switch ($By) {
        'signature' {
            if ($null -eq $Disk.Signature) {
                return ''
            }
            return '{0:X8}' -f $Disk.Signature
        }
        'gpt-id' {
            return ([string]$Disk.Guid).Trim('{', '}').ToUpperInvariant()
        }
        default {
            return ([string]$Disk.SerialNumber).Trim()
        }
    }
}

function Get-KitPhysicalDisk {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$By,
        [Parameter(Mandatory = $true)][string]$Value
    )
    @(Get-Disk -ErrorAction Stop | Where-Object { (Get-KitDiskIdentity -Disk $_ -By $By) -eq $Value })
}

# Why the physical disk cannot be given to a machine; nothing when it can.
function Get-KitPhysicalDiskFault {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][AllowEmptyString()][string]$Name,
        [Parameter(Mandatory = $true)][string]$By,
        [Parameter(Mandatory = $true)][string]$Value
    )
    $disks = @(Get-KitPhysicalDisk -By $By -Value $Value)
    if ($disks.Count -ne 1) {
        "The virtual machine '{0}' wants the physical disk with the {1} '{2}', and this host has {3} of them. Connect it alone." -f $Name, $By, $Value, $disks.Count
    }
    elseif (-not $disks[0].IsOffline) {
        "The physical disk {0} with the {1} '{2}' is online. Run: Set-Disk -Number {0} -IsOffline `$true" -f $disks[0].Number, $By, $Value
    }
}

function Add-KitPhysicalDisk {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][ValidateSet('IDE', 'SCSI')][string]$ControllerType,
        [Parameter(Mandatory = $true)][int]$ControllerNumber,
        [Parameter(Mandatory = $true)][int]$ControllerLocation,
        [Parameter(Mandatory = $true)][ValidateSet('signature', 'gpt-id', 'serial-number')][string]$By,
        [Parameter(Mandatory = $true)][string]$Value
    )
    $fault = Get-KitPhysicalDiskFault -Name $Machine.Name -By $By -Value $Value
    if ($null -ne $fault) {
        throw $fault
    }
    $number = @(Get-KitPhysicalDisk -By $By -Value $Value)[0].Number
    Add-VMHardDiskDrive -VM $Machine -ControllerType $ControllerType -ControllerNumber $ControllerNumber -ControllerLocation $ControllerLocation -DiskNumber $number
}

function Connect-KitAdapter {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Adapter,
        [Parameter(Mandatory = $true)][AllowEmptyString()][string]$SwitchId,
        [string]$SwitchName = ''
    )
    $switch = Get-KitSwitch -Id $SwitchId
    if ($null -eq $switch) {
        Write-Warning -Message ("The virtual network '{0}' is not there: the network adapter '{1}' stays unconnected." -f $SwitchName, $Adapter.Name)
        return
    }
    Connect-VMNetworkAdapter -VMNetworkAdapter $Adapter -VMSwitch $switch
}

# By class: the names of the services are translated with Windows.
function Set-KitService {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        [Parameter(Mandatory = $true)][string]$ClassId,
        [Parameter(Mandatory = $true)][ValidateSet('On', 'Off')][string]$State
    )
    $services = @(Get-VMIntegrationService -VM $Machine | Where-Object { ([string]$_.Id).EndsWith($ClassId, [System.StringComparison]::OrdinalIgnoreCase) })
    if ($services.Count -eq 0) {
        throw ("'{0}' has no integration service of the class {1}." -f $Machine.Name, $ClassId)
    }
    foreach ($service in $services) {
        if ($State -eq 'On') {
            Enable-VMIntegrationService -VMIntegrationService $service
        }
        else {
            Disable-VMIntegrationService -VMIntegrationService $service
        }
    }
}

# The floppy drive of a machine, or of its checkpoint; one of generation 2 has none, and Hyper-V refuses the question.
function Get-KitFloppyDrive {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)]$Machine,
        $Checkpoint = $null
    )
    if ((Get-KitGeneration -Machine $Machine) -ne 1) {
        return
    }
    if ($null -eq $Checkpoint) {
        Get-VMFloppyDiskDrive -VM $Machine
    }
    else {
        Get-VMFloppyDiskDrive -VMSnapshot $Checkpoint
    }
}

# Windows Server 2012 knows one generation, and its machines have no such property.
function Get-KitGeneration {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Machine)
    $role = Read-KitJson -Path (Get-KitPath -Relative 'role.json')
    if ($role.release -eq '2012') {
        return 1
    }
    [int]$Machine.Generation
}
