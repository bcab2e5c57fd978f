# What is in a folder, a line for each entry: 'd|NAME' for a folder, 'f|LENGTH|TIME|NAME' for a file, 'r|d|0|TIME|NAME' or
# 'r|f|LENGTH|TIME|NAME' for one with a reparse point, followed by what fsutil says of it with a '+' before each line. No name
# holds a '|'. 'e|NUMBER|MESSAGE' alone says why the folder cannot be listed. Only reads.
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$Path)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$entries = @()
try {
    $entries = @([System.IO.Directory]::GetFileSystemEntries($Path))
}
catch {
    $cause = $_.Exception.GetBaseException()
    'e|{0}|{1}' -f [System.Runtime.InteropServices.Marshal]::GetHRForException($cause), $cause.Message
    return
}
foreach ($entry in $entries) {
    $name = [System.IO.Path]::GetFileName($entry)
    try {
        $info = New-Object -TypeName System.IO.FileInfo -ArgumentList $entry
        $attributes = [int]$info.Attributes
        $time = $info.LastWriteTimeUtc.ToFileTimeUtc()
        $length = 0
        $kind = 'd'
        if (($attributes -band 0x10) -eq 0) {
            $length = $info.Length
            $kind = 'f'
        }
    }
    catch {
        # It was taken away in the meantime, or its path is longer than this Windows takes.
        continue
    }
    if (($attributes -band 0x400) -ne 0) {
        'r|{0}|{1}|{2}|{3}' -f $kind, $length, $time, $name
        foreach ($line in @(fsutil.exe reparsepoint query $entry)) {
            '+{0}' -f $line
        }
    }
    elseif ($kind -eq 'd') {
        'd|{0}' -f $name
    }
    else {
        'f|{0}|{1}|{2}' -f $length, $time, $name
    }
}
