# Marks a folder as one of this migration, at once or not at all.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$Folder,
    [Parameter(Mandatory = $true)][string]$Mark
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
[void][System.IO.Directory]::CreateDirectory([System.IO.Path]::Combine($Folder, $Mark))
