# Whose a folder is: 'ours' when it has the mark, 'free' when there is none or an empty one, else 'theirs'.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$Folder,
    [Parameter(Mandatory = $true)][string]$Mark
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
if ([System.IO.Directory]::Exists([System.IO.Path]::Combine($Folder, $Mark))) {
    return 'ours'
}
if ([System.IO.File]::Exists($Folder)) {
    return 'theirs'
}
if (([System.IO.Directory]::Exists($Folder)) -and (@([System.IO.Directory]::GetFileSystemEntries($Folder)).Count -gt 0)) {
    return 'theirs'
}
'free'
