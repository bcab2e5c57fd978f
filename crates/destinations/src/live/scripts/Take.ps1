# The text of a file, which is removed.
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$Path)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
[System.IO.File]::ReadAllText($Path)
[System.IO.File]::Delete($Path)
