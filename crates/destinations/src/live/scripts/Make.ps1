# Makes a folder that only the system and administrators can open.
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$Folder)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$security = New-Object -TypeName System.Security.AccessControl.DirectorySecurity
$security.SetSecurityDescriptorSddlForm('O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)')
# An empty one is made anew: who has opened it could change its rights again whatever they are now. This fails when it is not empty.
if ([System.IO.Directory]::Exists($Folder)) {
    [System.IO.Directory]::Delete($Folder)
}
[void][System.IO.Directory]::CreateDirectory($Folder, $security)
if (@([System.IO.Directory]::GetFileSystemEntries($Folder)).Count -gt 0) {
    throw ("Somebody else wrote into '{0}' at the same time." -f $Folder)
}
