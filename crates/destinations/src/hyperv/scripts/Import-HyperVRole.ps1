#requires -Version 3.0
<#
.SYNOPSIS
Creates the settings, virtual networks and virtual machines of this kit on this host.
.DESCRIPTION
Runs the steps of the kit in order. Each step first tests whether it is already done, so the script can be run again after
any failure. It stops at the first failure. Results are kept in state\log.jsonl, everything shown in state\transcript.txt.
.PARAMETER SourceIsOff
Confirms that the old host is turned off or removed from the network. Nothing is done without it.
.EXAMPLE
.\Import-HyperVRole.ps1 -SourceIsOff -WhatIf
.EXAMPLE
.\Import-HyperVRole.ps1 -SourceIsOff
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [switch]$SourceIsOff
)
. ([System.IO.Path]::Combine($PSScriptRoot, 'Kit.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Machines.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Registration.ps1'))
. ([System.IO.Path]::Combine($PSScriptRoot, 'Checkpoints.ps1'))

function Test-KitSystem {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Role)
    if (-not (Test-KitAdministrator)) {
        'Run this script in a PowerShell that was started as administrator.'
    }
    $system = Get-WmiObject -Class 'Win32_OperatingSystem'
    if (-not ([string]$system.Version).StartsWith([string]$Role.version)) {
        "This kit is for {0} ({1}); this is '{2}' ({3}). Write another kit for it." -f $Role.system, $Role.version, $system.Caption, $system.Version
    }
    $feature = Get-WindowsFeature -Name 'Hyper-V'
    if (($null -eq $feature) -or (-not $feature.Installed)) {
        'The Hyper-V role is not installed. Run: Install-WindowsFeature -Name Hyper-V -IncludeManagementTools -Restart'
    }
    elseif (@(Get-Service -Name 'vmms' | Where-Object { [string]$_.Status -eq 'Running' }).Count -eq 0) {
        'The service Hyper-V Virtual Machine Management (vmms) is not running. Run: Start-Service -Name vmms'
    }
}

function Test-KitResources {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Role)
    $computer = Get-WmiObject -Class 'Win32_ComputerSystem'
    $processors = [int]$computer.NumberOfLogicalProcessors
    $memory = [long]$computer.TotalPhysicalMemory
    foreach ($machine in @($Role.machines)) {
        if ([int]$machine.processors -gt $processors) {
            "The virtual machine '{0}' has {1} virtual processors, this host has {2} logical processors." -f $machine.name, $machine.processors, $processors
        }
        if ([long]$machine.startup_bytes -gt $memory) {
            "The virtual machine '{0}' wants {1:N0} bytes of memory, this host has {2:N0}." -f $machine.name, [long]$machine.startup_bytes, $memory
        }
        foreach ($disk in @($machine.physical)) {
            Get-KitPhysicalDiskFault -Name $machine.name -By $disk.by -Value $disk.value
        }
    }
    # Hyper-V keeps room for the memory of each machine beside its configuration.
    $wanted = [long]0
    foreach ($machine in @($Role.machines)) {
        $wanted += [long]$machine.startup_bytes
    }
    $root = [System.IO.Path]::GetPathRoot($Kit)
    $drive = New-Object -TypeName System.IO.DriveInfo -ArgumentList $root
    if ($drive.AvailableFreeSpace -lt $wanted) {
        "The volume {0} has {1:N0} bytes free; the virtual machines need {2:N0} when they run." -f $root, $drive.AvailableFreeSpace, $wanted
    }
}

function Test-KitFiles {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Role)
    foreach ($file in @($Role.files)) {
        $path = Get-KitPath -Relative $file.path
        if (-not [System.IO.File]::Exists($path)) {
            "The file '{0}' is missing. Copy the whole kit again." -f $path
            continue
        }
        $info = New-Object -TypeName System.IO.FileInfo -ArgumentList $path
        if ($info.Length -ne [long]$file.length) {
            "The file '{0}' has {1} bytes instead of {2}. Copy it again." -f $path, $info.Length, $file.length
        }
        $unfit = [System.IO.FileAttributes]'SparseFile, Compressed, Encrypted'
        if (($info.Attributes -band $unfit) -ne 0) {
            "The file '{0}' is sparse, compressed or encrypted, which Hyper-V refuses for disks. Copy it to a plain file." -f $path
        }
    }
}

function Test-KitNames {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Role)
    $ours = $KitMachines.TrimEnd('\') + '\'
    $others = @(Get-VM | Where-Object { -not (([string]$_.ConfigurationLocation) + '\').StartsWith($ours, [System.StringComparison]::OrdinalIgnoreCase) })
    foreach ($machine in @($Role.machines)) {
        if (@($others | Where-Object { $_.Name -eq $machine.name }).Count -gt 0) {
            "This host already has a virtual machine '{0}'." -f $machine.name
        }
        if ($machine.registered) {
            foreach ($other in @($others | Where-Object { ([string]$_.Id) -eq [string]$machine.id })) {
                "This host already has a virtual machine with the id {0}: '{1}'. Remove it when it is an earlier copy. {2}" -f $machine.id, $other.Name, (Get-KitOtherWay -Id $machine.id)
            }
        }
    }
    $networks = @(Get-VMSwitch | Where-Object { -not ([string]$_.Notes).StartsWith('hvmigrate:') })
    foreach ($network in @($Role.switches)) {
        if (@($networks | Where-Object { $_.Name -eq $network.name }).Count -gt 0) {
            "This host already has a virtual network '{0}'." -f $network.name
        }
    }
}

function Invoke-KitStep {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param(
        [Parameter(Mandatory = $true)]$Step,
        [Parameter(Mandatory = $true)][hashtable]$Results
    )
    if (Test-KitStep -Step $Step -Results $Results) {
        Write-Output -InputObject ('Already done: ' + $Step.title)
        return
    }
    if (-not $PSCmdlet.ShouldProcess($env:COMPUTERNAME, $Step.title)) {
        return
    }
    # The question was asked for the step as a whole.
    $ConfirmPreference = 'None'
    Write-Output -InputObject $Step.title
    Write-KitLog -Step $Step.id -Result 'begun'
    try {
        & (Get-KitPath -Relative $Step.file) -Mode 'Perform'
    }
    catch {
        $message = [string]$_
        Write-KitLog -Step $Step.id -Result 'failed' -Message $message
        $hint = Resolve-KitRegistration -Step $Step -Message $message
        throw ("The step '{0}' failed: {1} {2}Mend the cause and run the script again; what is done stays done." -f $Step.title, $message, $hint)
    }
    Write-KitLog -Step $Step.id -Result 'done'
}

if (-not $SourceIsOff) {
    throw 'Turn the old host off or remove it from the network first: its virtual machines and these must never run at the same time. Then run this script with -SourceIsOff.'
}
$role = Read-KitJson -Path (Get-KitPath -Relative 'role.json')
$problems = @(Test-KitSystem -Role $role)
if ($problems.Count -eq 0) {
    $problems += @(Test-KitResources -Role $role)
    $problems += @(Test-KitFiles -Role $role)
    $problems += @(Test-KitNames -Role $role)
}
if ($problems.Count -gt 0) {
    foreach ($problem in $problems) {
        Write-Warning -Message $problem
    }
    throw 'Nothing was changed: the points above have to be settled first.'
}
Import-Module -Name 'Hyper-V'
$transcript = $false
if (-not $WhatIfPreference) {
    [void][System.IO.Directory]::CreateDirectory($KitState)
    # Some hosts of PowerShell keep no transcript; that is no reason to stop.
    try {
        Start-Transcript -Path ([System.IO.Path]::Combine($KitState, 'transcript.txt')) -Append
        $transcript = $true
    }
    catch {
        Write-Warning -Message 'This PowerShell host keeps no transcript; state\log.jsonl is written all the same.'
    }
}
try {
    $results = Read-KitLog
    foreach ($step in @($role.steps)) {
        Invoke-KitStep -Step $step -Results $results
    }
    Write-Output -InputObject 'All steps are done. Next: .\Test-HyperVRole.ps1, and the manual steps of README.txt.'
}
finally {
    if ($transcript) {
        Stop-Transcript
    }
}
