# What lets others than administrators change what lies in a folder or put something else in its place: 'KIND|PATH|SID|NAME'
# for each, 'safe' without any. Of a folder that is not taken yet only what is above it counts.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$Folder,
    [Parameter(Mandatory = $true)][bool]$Taken
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$trusted = @('S-1-5-18', 'S-1-5-32-544')
# Owns the folders that Windows brings.
$installer = 'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464'
# The bits of a mask to delete what is in a folder, to change its rights or its owner, and all of them; to delete it; to write.
$replace = 0x100C0040
$delete = 0x00010000
$write = 0x40000116

function Get-AccountName {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Sid)
    try {
        $Sid.Translate([System.Security.Principal.NTAccount]).Value
    }
    catch {
        ''
    }
}

function Test-Administrator {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Sid)
    if (($trusted -contains $Sid.Value) -or ($Sid.Value -eq $installer)) {
        return $true
    }
    $name = Get-AccountName -Sid $Sid
    $administrators = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList 'S-1-5-32-544'
    $local = (Get-AccountName -Sid $administrators) -replace '^.*\\', ''
    if (($name.Length -eq 0) -or ($local.Length -eq 0)) {
        return $false
    }
    # Not all accounts can be members of a group.
    try {
        $group = [ADSI]('WinNT://./' + $local + ',group')
        return $group.IsMember('WinNT://' + $name.Replace('\', '/'))
    }
    catch {
        return $false
    }
}

# Hyper-V gives machines rights where their files lie; to read the folder of the kit is none that matters.
function Test-ReadingMachine {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Entry)
    ([string]$Entry.SecurityIdentifier.Value).StartsWith('S-1-5-83-', [System.StringComparison]::Ordinal) -and (($Entry.AccessMask -band ($replace -bor $delete -bor $write)) -eq 0)
}

function Get-Fault {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Path)
    $security = [System.IO.Directory]::GetAccessControl($Path)
    $bytes = $security.GetSecurityDescriptorBinaryForm()
    $parts = @($bytes, 0)
    $descriptor = New-Object -TypeName System.Security.AccessControl.RawSecurityDescriptor -ArgumentList $parts
    $isFolder = $Path -eq $Folder
    $owner = $descriptor.Owner
    if (($trusted -notcontains $owner.Value) -and ($isFolder -or (-not (Test-Administrator -Sid $owner)))) {
        'owner|{0}|{1}|{2}' -f $Path, $owner.Value, (Get-AccountName -Sid $owner)
    }
    if ($isFolder -and (([int]$descriptor.ControlFlags -band 0x1000) -eq 0)) {
        'inherits|{0}||' -f $Path
    }
    if ($null -eq $descriptor.DiscretionaryAcl) {
        'open|{0}|S-1-1-0|' -f $Path
        return
    }
    $moves = $replace
    # The root of a volume cannot be deleted or get another name.
    if ($null -ne [System.IO.Path]::GetDirectoryName($Path)) {
        $moves = $replace -bor $delete
    }
    foreach ($entry in $descriptor.DiscretionaryAcl) {
        $sid = $entry.SecurityIdentifier
        if (($entry.AceQualifier -ne [System.Security.AccessControl.AceQualifier]::AccessAllowed) -or ($trusted -contains $sid.Value)) {
            continue
        }
        if ($isFolder) {
            $harmless = Test-ReadingMachine -Entry $entry
        }
        else {
            # An entry for what is made below later says nothing of what is there.
            $harmless = (([int]$entry.AceFlags -band 8) -ne 0) -or (($entry.AccessMask -band $moves) -eq 0) -or (Test-Administrator -Sid $sid)
        }
        if (-not $harmless) {
            'open|{0}|{1}|{2}' -f $Path, $sid.Value, (Get-AccountName -Sid $sid)
        }
    }
}

$faults = @()
$path = [System.IO.Path]::Combine($Folder, 'live')
while ($null -ne $path) {
    if (([System.IO.Directory]::Exists($path)) -or ([System.IO.File]::Exists($path))) {
        if (([System.IO.File]::GetAttributes($path) -band [System.IO.FileAttributes]::ReparsePoint) -ne 0) {
            $faults += @('link|{0}||' -f $path)
        }
        elseif (($path.Length -lt $Folder.Length) -or ($Taken -and ($path -eq $Folder))) {
            $faults += @(Get-Fault -Path $path)
        }
    }
    $path = [System.IO.Path]::GetDirectoryName($path)
}
if ($faults.Count -eq 0) {
    return 'safe'
}
$faults
