# Whether a folder is empty or of this migration: 'free', 'ours' or 'theirs'. A free one is taken when that is wanted.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$Folder,
    [Parameter(Mandatory = $true)][string]$Owner,
    [Parameter(Mandatory = $true)][bool]$Take
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$live = [System.IO.Path]::Combine($Folder, 'live')
$mark = [System.IO.Path]::Combine($live, 'owner.txt')
if ([System.IO.File]::Exists($mark)) {
    if ([System.IO.File]::ReadAllText($mark) -ceq $Owner) {
        return 'ours'
    }
    return 'theirs'
}
if ([System.IO.File]::Exists($Folder)) {
    return 'theirs'
}
if (([System.IO.Directory]::Exists($Folder)) -and (@([System.IO.Directory]::GetFileSystemEntries($Folder)).Count -gt 0)) {
    return 'theirs'
}
if ($Take) {
    [void][System.IO.Directory]::CreateDirectory($live)
    [System.IO.File]::WriteAllText($mark, $Owner)
    return 'ours'
}
'free'
