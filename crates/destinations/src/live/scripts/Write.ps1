# Writes one piece of a file, and after the last piece checks the whole and gives it its name.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$Path,
    [Parameter(Mandatory = $true)][long]$Offset,
    [byte[]]$Bytes = @(),
    [Parameter(Mandatory = $true)][string]$Hash,
    [Parameter(Mandatory = $true)][long]$Length,
    [string]$Whole = ''
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$sha = New-Object -TypeName System.Security.Cryptography.SHA256CryptoServiceProvider
$found = [System.BitConverter]::ToString($sha.ComputeHash($Bytes)).Replace('-', '')
if ($found -ne $Hash) {
    throw ("The piece at offset {0} of '{1}' arrived with the SHA-256 {2} instead of {3}." -f $Offset, $Path, $found, $Hash)
}
[void][System.IO.Directory]::CreateDirectory([System.IO.Path]::GetDirectoryName($Path))
$partial = $Path + '.carrying'
$file = [System.IO.File]::Open($partial, [System.IO.FileMode]::OpenOrCreate)
try {
    $file.Position = $Offset
    $file.Write($Bytes, 0, $Bytes.Length)
    if ($Whole.Length -gt 0) {
        $file.SetLength($Length)
        $file.Position = 0
        $found = [System.BitConverter]::ToString($sha.ComputeHash($file)).Replace('-', '')
    }
}
finally {
    $file.Dispose()
}
if ($Whole.Length -eq 0) {
    return 'written'
}
if ($found -ne $Whole) {
    [System.IO.File]::Delete($partial)
    return 'different'
}
[System.IO.File]::Delete($Path)
[System.IO.File]::Move($partial, $Path)
'equal'
