# A part of a file: 'f|LENGTH' with the length of the whole file, then the bytes in base64, fewer at its end. 'e|NUMBER|MESSAGE'
# alone says why it cannot be read. The file is opened for reading only, and everybody else may go on with it.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$Path,
    [Parameter(Mandatory = $true)][long]$Offset,
    [Parameter(Mandatory = $true)][int]$Count
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$file = $null
try {
    $share = [System.IO.FileShare]'ReadWrite, Delete'
    $file = [System.IO.File]::Open($Path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, $share)
    $length = $file.Length
    $file.Position = $Offset
    $buffer = New-Object -TypeName 'byte[]' -ArgumentList $Count
    $filled = 0
    while ($filled -lt $Count) {
        $read = $file.Read($buffer, $filled, $Count - $filled)
        if ($read -eq 0) {
            break
        }
        $filled += $read
    }
    'f|{0}' -f $length
    [System.Convert]::ToBase64String($buffer, 0, $filled)
}
catch {
    $cause = $_.Exception.GetBaseException()
    'e|{0}|{1}' -f [System.Runtime.InteropServices.Marshal]::GetHRForException($cause), $cause.Message
}
finally {
    if ($null -ne $file) {
        $file.Dispose()
    }
}
