#requires -Version 3.0
<#
.SYNOPSIS
Runs one script of this kit to its end, whether anybody is connected or not.
.DESCRIPTION
hvmigrate starts it as a scheduled task. In the folder live it leaves a log while it works, and at the end the result.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][ValidateSet('Import', 'Test', 'Undo')][string]$Job,
    [Parameter(Mandatory = $true)][string]$Run
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$live = [System.IO.Path]::Combine($PSScriptRoot, 'live')
$log = [System.IO.Path]::Combine($live, $Job + '.log')
$result = [System.IO.Path]::Combine($live, $Job + '.json')

function Write-KitLine {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][AllowNull()]$Said)
    if ($Said -is [System.Management.Automation.WarningRecord]) {
        $line = 'Warning: ' + [string]$Said
    }
    elseif ($Said -is [System.Management.Automation.ErrorRecord]) {
        # One that did not end the script. What it was to do may be missing, so the job has not succeeded.
        $line = 'Error: ' + [string]$Said
        [void]$faults.Add([string]$Said)
    }
    elseif ($Said -is [string]) {
        $line = $Said
    }
    else {
        # What a cmdlet gives out as an object tells nobody anything.
        return
    }
    # A line that cannot be written is no reason to stop in the middle of an import.
    try {
        [System.IO.File]::AppendAllText($log, $line + "`r`n")
    }
    catch {
        Write-Verbose -Message 'A line of the log was lost.'
    }
}

[void][System.IO.Directory]::CreateDirectory($live)
# One at a time: nobody else can open this file until it is closed here. Who comes second ends and leaves no result.
$lock = [System.IO.File]::Open([System.IO.Path]::Combine($live, 'job.lock'), [System.IO.FileMode]::OpenOrCreate)
[System.IO.File]::WriteAllText($log, '')
$faults = New-Object -TypeName System.Collections.ArrayList
$outcome = @{ schema = 1; job = $Job; run = $Run; succeeded = $false; message = '' }
try {
    switch ($Job) {
        'Import' {
            & ([System.IO.Path]::Combine($PSScriptRoot, 'Import-HyperVRole.ps1')) -SourceIsOff 2>&1 3>&1 | ForEach-Object {
                Write-KitLine -Said $_
            }
        }
        'Test' {
            & ([System.IO.Path]::Combine($PSScriptRoot, 'Test-HyperVRole.ps1')) 2>&1 3>&1 | ForEach-Object {
                Write-KitLine -Said $_
            }
        }
        'Undo' {
            & ([System.IO.Path]::Combine($PSScriptRoot, 'Undo-HyperVRole.ps1')) -Confirm:$false 2>&1 3>&1 | ForEach-Object {
                Write-KitLine -Said $_
            }
        }
    }
    if ($faults.Count -gt 0) {
        throw ('It went on after {0} errors, the first of which was: {1}' -f $faults.Count, $faults[0])
    }
    $outcome['succeeded'] = $true
}
catch {
    $outcome['message'] = [string]$_
}
# Under another name first, so that nobody reads half of it.
[System.IO.File]::WriteAllText($result + '.new', (ConvertTo-Json -InputObject $outcome))
[System.IO.File]::Delete($result)
[System.IO.File]::Move($result + '.new', $result)
$lock.Dispose()
