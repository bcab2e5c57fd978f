# What there is of a file: its length, or -1; the length of an unfinished one, or -1; and the SHA-256 of one of the wanted length.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$Path,
    [Parameter(Mandatory = $true)][long]$Length
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$whole = -1
$partial = -1
$hash = '-'
if ([System.IO.File]::Exists($Path)) {
    $info = New-Object -TypeName System.IO.FileInfo -ArgumentList $Path
    $whole = $info.Length
    if ($whole -eq $Length) {
        $sha = New-Object -TypeName System.Security.Cryptography.SHA256CryptoServiceProvider
        $file = [System.IO.File]::OpenRead($Path)
        try {
            $hash = [System.BitConverter]::ToString($sha.ComputeHash($file)).Replace('-', '')
        }
        finally {
            $file.Dispose()
        }
    }
}
if ([System.IO.File]::Exists($Path + '.carrying')) {
    $info = New-Object -TypeName System.IO.FileInfo -ArgumentList ($Path + '.carrying')
    $partial = $info.Length
}
'{0} {1} {2}' -f $whole, $partial, $hash
