# The text of a file.
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$Path)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
[System.IO.File]::ReadAllText($Path)
