# A new file for a moment.
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
[System.IO.Path]::GetTempFileName()
