# How far a job is: the state of its task, the lines of its log from a number on, and its result when it has one.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$Folder,
    [Parameter(Mandatory = $true)][string]$Name,
    [Parameter(Mandatory = $true)][string]$Job,
    [Parameter(Mandatory = $true)][int]$From
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
# The state first: when the task has ended, what it left is complete.
$tasks = @(Get-ScheduledTask -ErrorAction Stop | Where-Object { $_.TaskName -eq $Name })
$state = 'None'
if ($tasks.Count -gt 0) {
    $state = [string]$tasks[0].State
}
'state:' + $state
$log = [System.IO.Path]::Combine($Folder, ('live\' + $Job + '.log'))
if ([System.IO.File]::Exists($log)) {
    # The job writes into it at the same time and must not be kept from it.
    $file = [System.IO.File]::Open($log, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, [System.IO.FileShare]::ReadWrite)
    try {
        $reader = New-Object -TypeName System.IO.StreamReader -ArgumentList $file
        $lines = @($reader.ReadToEnd().Replace("`r", '').Split("`n"))
    }
    finally {
        $file.Dispose()
    }
    for ($index = $From; $index -lt ($lines.Count - 1); $index++) {
        'line:' + $lines[$index]
    }
}
$result = [System.IO.Path]::Combine($Folder, ('live\' + $Job + '.json'))
if ([System.IO.File]::Exists($result)) {
    'result:' + [System.IO.File]::ReadAllText($result)
}
