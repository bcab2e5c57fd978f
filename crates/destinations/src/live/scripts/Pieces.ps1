# The SHA-256 of pieces of a file, from an offset on; fewer where it ends. Somebody else may have the file open.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$Path,
    [Parameter(Mandatory = $true)][long]$Offset,
    [Parameter(Mandatory = $true)][int]$Piece,
    [Parameter(Mandatory = $true)][int]$Count
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$sha = New-Object -TypeName System.Security.Cryptography.SHA256CryptoServiceProvider
$buffer = New-Object -TypeName 'byte[]' -ArgumentList $Piece
$file = [System.IO.File]::Open($Path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, [System.IO.FileShare]::ReadWrite)
try {
    $file.Position = $Offset
    for ($number = 0; $number -lt $Count; $number++) {
        $there = 0
        $read = 1
        while (($read -gt 0) -and ($there -lt $Piece)) {
            $read = $file.Read($buffer, $there, $Piece - $there)
            $there += $read
        }
        if ($there -gt 0) {
            [System.BitConverter]::ToString($sha.ComputeHash($buffer, 0, $there)).Replace('-', '')
        }
    }
}
finally {
    $file.Dispose()
}
