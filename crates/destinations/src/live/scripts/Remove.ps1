# Removes files with what is unfinished of them, then whole folders, then folders that are empty; names those that are not.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$Folder,
    [Parameter(Mandatory = $true)][string]$Names
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$document = ConvertFrom-Json -InputObject $Names
foreach ($name in @($document.files)) {
    $path = [System.IO.Path]::Combine($Folder, $name)
    foreach ($file in @($path, ($path + '.carrying'))) {
        if ([System.IO.File]::Exists($file)) {
            [System.IO.File]::Delete($file)
        }
    }
}
foreach ($name in @($document.trees)) {
    $path = [System.IO.Path]::Combine($Folder, $name)
    if ([System.IO.Directory]::Exists($path)) {
        [System.IO.Directory]::Delete($path, $true)
    }
}
foreach ($name in @($document.folders)) {
    $path = [System.IO.Path]::Combine($Folder, $name)
    if ([System.IO.Directory]::Exists($path)) {
        if (@([System.IO.Directory]::GetFileSystemEntries($path)).Count -eq 0) {
            [System.IO.Directory]::Delete($path)
        }
        else {
            $path
        }
    }
}
