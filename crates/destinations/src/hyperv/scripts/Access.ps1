#requires -Version 3.0
# Functions for the DCOM restrictions and for the rights on WMI namespaces. The file is loaded by other scripts of this folder and does
# nothing by itself.
$KitOleKey = 'HKLM:\SOFTWARE\Microsoft\Ole'

function Test-KitAccount {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][System.Security.Principal.SecurityIdentifier]$Sid)
    try {
        [void]$Sid.Translate([System.Security.Principal.NTAccount])
        return $true
    }
    catch {
        return $false
    }
}

# A mask is a number without a sign in dcom.json and wmi.json, and one with a sign in .NET.
function ConvertTo-KitMask {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][long]$Mask)
    if ($Mask -gt 2147483647) {
        return [int]($Mask - 4294967296)
    }
    [int]$Mask
}

# Bytes as one text, so that they can be compared; an empty text for nothing.
function ConvertTo-KitHex {
    [CmdletBinding()]
    param([AllowNull()]$Bytes)
    if ($null -eq $Bytes) {
        return ''
    }
    [System.BitConverter]::ToString([byte[]]$Bytes)
}

# The descriptor in the bytes; nothing, with a warning, when no entry can be added to it.
function ConvertTo-KitDescriptor {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][byte[]]$Bytes
    )
    $parts = @($Bytes, 0)
    try {
        $descriptor = New-Object -TypeName System.Security.AccessControl.RawSecurityDescriptor -ArgumentList $parts
    }
    catch {
        Write-Warning -Message ("'{0}' of this host is no security descriptor that can be read, and is left as it is: {1}" -f $Name, $_)
        return
    }
    if ($null -eq $descriptor.DiscretionaryAcl) {
        Write-Warning -Message ("'{0}' of this host has no list of entries, so everybody is let in; it is left as it is." -f $Name)
        return
    }
    $descriptor
}

# A restriction as it is on this host; nothing when it is not written or cannot be read.
function Get-KitDescriptor {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Name)
    $bytes = Get-KitRegistryValue -Path $KitOleKey -Name $Name
    if ($null -ne $bytes) {
        ConvertTo-KitDescriptor -Name $Name -Bytes $bytes
    }
}

# Whether an entry holds for the namespaces below too; the restrictions of DCOM have nothing below.
function Get-KitFlag {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Added)
    if ($Added.subnamespaces) {
        return [System.Security.AccessControl.AceFlags]::ContainerInherit
    }
    [System.Security.AccessControl.AceFlags]::None
}

# The plain entries of an account with these flags: neither inherited ones nor ones with a condition.
function Get-KitEntry {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][System.Security.AccessControl.RawSecurityDescriptor]$Descriptor,
        [Parameter(Mandatory = $true)][System.Security.Principal.SecurityIdentifier]$Sid,
        [Parameter(Mandatory = $true)][ValidateSet('allow', 'deny')][string]$Effect,
        [Parameter(Mandatory = $true)][System.Security.AccessControl.AceFlags]$Flag
    )
    $kind = [System.Security.AccessControl.AceType]::AccessAllowed
    if ($Effect -eq 'deny') {
        $kind = [System.Security.AccessControl.AceType]::AccessDenied
    }
    foreach ($entry in $Descriptor.DiscretionaryAcl) {
        if (($entry.AceType -eq $kind) -and ($entry.AceFlags -eq $Flag) -and ($entry.SecurityIdentifier -eq $Sid)) {
            $entry
        }
    }
}

# The bits that those entries allow or deny together.
function Get-KitAccess {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][System.Security.AccessControl.RawSecurityDescriptor]$Descriptor,
        [Parameter(Mandatory = $true)][System.Security.Principal.SecurityIdentifier]$Sid,
        [Parameter(Mandatory = $true)][ValidateSet('allow', 'deny')][string]$Effect,
        [Parameter(Mandatory = $true)][System.Security.AccessControl.AceFlags]$Flag
    )
    $mask = 0
    foreach ($entry in @(Get-KitEntry -Descriptor $Descriptor -Sid $Sid -Effect $Effect -Flag $Flag)) {
        $mask = $mask -bor $entry.AccessMask
    }
    $mask
}

# Adds the bits to the entry of the account, or a new entry. True when that changed anything.
function Merge-KitEntry {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][System.Security.AccessControl.RawSecurityDescriptor]$Descriptor,
        [Parameter(Mandatory = $true)][System.Security.Principal.SecurityIdentifier]$Sid,
        [Parameter(Mandatory = $true)][ValidateSet('allow', 'deny')][string]$Effect,
        [Parameter(Mandatory = $true)][int]$Mask,
        [Parameter(Mandatory = $true)][System.Security.AccessControl.AceFlags]$Flag
    )
    $there = Get-KitAccess -Descriptor $Descriptor -Sid $Sid -Effect $Effect -Flag $Flag
    if (($there -band $Mask) -eq $Mask) {
        return $false
    }
    $entries = @(Get-KitEntry -Descriptor $Descriptor -Sid $Sid -Effect $Effect -Flag $Flag)
    if ($entries.Count -gt 0) {
        $entry = $entries[0]
        $entry.AccessMask = $entry.AccessMask -bor $Mask
        return $true
    }
    # Denying entries stand first.
    $qualifier = [System.Security.AccessControl.AceQualifier]::AccessDenied
    $place = 0
    if ($Effect -eq 'allow') {
        $qualifier = [System.Security.AccessControl.AceQualifier]::AccessAllowed
        $place = $Descriptor.DiscretionaryAcl.Count
    }
    $parts = @($Flag, $qualifier, $Mask, $Sid, $false, $null)
    $entry = New-Object -TypeName System.Security.AccessControl.CommonAce -ArgumentList $parts
    $Descriptor.DiscretionaryAcl.InsertAce($place, $entry)
    $true
}

# Merges one entry of dcom.json or wmi.json. True when that changed anything; what cannot be merged is named and left out.
function Merge-KitAdded {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][System.Security.AccessControl.RawSecurityDescriptor]$Descriptor,
        [Parameter(Mandatory = $true)]$Added
    )
    if (@('allow', 'deny') -notcontains $Added.effect) {
        Write-Warning -Message ("The entry of {0} in '{1}' neither allows nor denies; it is left out." -f $Added.sid, $Name)
        return $false
    }
    $sid = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList ([string]$Added.sid)
    if (-not (Test-KitAccount -Sid $sid)) {
        Write-Warning -Message ("The account {0} is not known here; its entry in '{1}' is left out." -f $sid.Value, $Name)
        return $false
    }
    $mask = ConvertTo-KitMask -Mask $Added.mask
    $flag = Get-KitFlag -Added $Added
    Merge-KitEntry -Descriptor $Descriptor -Sid $sid -Effect $Added.effect -Mask $mask -Flag $flag
}

# The descriptor in the bytes with these entries merged, as bytes; no bytes when it has them all. Nothing, with a warning, when no entry
# can be added to it.
function Merge-KitDescriptor {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][byte[]]$Bytes,
        [Parameter(Mandatory = $true)]$Entries
    )
    $descriptor = ConvertTo-KitDescriptor -Name $Name -Bytes $Bytes
    if ($null -eq $descriptor) {
        return
    }
    $changed = $false
    foreach ($added in @($Entries)) {
        if (Merge-KitAdded -Name $Name -Descriptor $descriptor -Added $added) {
            $changed = $true
        }
    }
    $merged = $null
    if ($changed) {
        $merged = New-Object -TypeName 'byte[]' -ArgumentList $descriptor.BinaryLength
        $descriptor.GetBinaryForm($merged, 0)
    }
    @{ bytes = $merged }
}

# What this host has of an entry of dcom.json or wmi.json: its bits as text, or why there are none.
function Get-KitAddedState {
    [CmdletBinding()]
    param(
        [AllowNull()]$Descriptor,
        [Parameter(Mandatory = $true)]$Added
    )
    $sid = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList ([string]$Added.sid)
    $mask = ConvertTo-KitMask -Mask $Added.mask
    $there = 0
    if ($null -ne $Descriptor) {
        $flag = Get-KitFlag -Added $Added
        $there = (Get-KitAccess -Descriptor $Descriptor -Sid $sid -Effect $Added.effect -Flag $flag) -band $mask
    }
    if (($there -ne $mask) -and (-not (Test-KitAccount -Sid $sid))) {
        return 'account not known here'
    }
    if (($there -eq 0) -and ($mask -ne 0)) {
        return 'nothing'
    }
    '0x{0:x}' -f $there
}

# ---- What was there before the merge and what the merge wrote are kept, so that Undo-HyperVRole.ps1 can put it back.

function Get-KitKeptPath {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][ValidateSet('before', 'merged')][string]$Which
    )
    [System.IO.Path]::Combine($KitState, ($Name + '-' + $Which + '.bin'))
}

function Read-KitKept {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Path)
    if (-not [System.IO.File]::Exists($Path)) {
        return ''
    }
    $bytes = [System.IO.File]::ReadAllBytes($Path)
    ConvertTo-KitHex -Bytes $bytes
}

# Written beside its place and moved there, so that a copy is whole or not there.
function Write-KitKept {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Path,
        [Parameter(Mandatory = $true)][byte[]]$Bytes
    )
    $new = $Path + '.new'
    [System.IO.File]::WriteAllBytes($new, $Bytes)
    [System.IO.File]::Delete($Path)
    [System.IO.File]::Move($new, $Path)
}

function Save-KitRestriction {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][byte[]]$Present,
        [Parameter(Mandatory = $true)][byte[]]$Merged
    )
    [void][System.IO.Directory]::CreateDirectory($KitState)
    $before = Get-KitKeptPath -Name $Name -Which 'before'
    $written = Get-KitKeptPath -Name $Name -Which 'merged'
    if ([System.IO.File]::Exists($before)) {
        $known = @((Read-KitKept -Path $before), (Read-KitKept -Path $written))
        if ($known -cnotcontains (ConvertTo-KitHex -Bytes $Present)) {
            Write-Warning -Message ("'{0}' was changed by somebody else after an earlier merge, so Undo-HyperVRole.ps1 will leave it as it is." -f $Name)
            return
        }
    }
    else {
        Write-KitKept -Path $before -Bytes $Present
    }
    Write-KitKept -Path $written -Bytes $Merged
}

# What is to be done with a merge that is taken back: 'restore' it, 'forget' its copies because nothing is left of it, or 'leave' what
# somebody else changed.
function Get-KitTakingBack {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Name,
        [AllowNull()]$Present
    )
    $before = Get-KitKeptPath -Name $Name -Which 'before'
    $written = Get-KitKeptPath -Name $Name -Which 'merged'
    $now = ConvertTo-KitHex -Bytes $Present
    if ($now -ceq (Read-KitKept -Path $before)) {
        return 'forget'
    }
    if (($now.Length -gt 0) -and ($now -ceq (Read-KitKept -Path $written))) {
        return 'restore'
    }
    Write-Warning -Message ("'{0}' is not what the merge wrote and is left as it is. What was there before the merge is in the file '{1}'." -f $Name, $before)
    'leave'
}

# The copies are of this merge only: a later one keeps what it finds.
function Remove-KitKept {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Name)
    $before = Get-KitKeptPath -Name $Name -Which 'before'
    $written = Get-KitKeptPath -Name $Name -Which 'merged'
    [System.IO.File]::Delete($written)
    [System.IO.File]::Delete($before)
}

# Puts the kept value back where the present one is what the merge wrote. True when it did.
function Restore-KitRestriction {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Name)
    $present = Get-KitRegistryValue -Path $KitOleKey -Name $Name
    $what = Get-KitTakingBack -Name $Name -Present $present
    if ($what -eq 'leave') {
        return $false
    }
    if ($what -eq 'restore') {
        $bytes = [System.IO.File]::ReadAllBytes((Get-KitKeptPath -Name $Name -Which 'before'))
        [void](New-ItemProperty -LiteralPath $KitOleKey -Name $Name -PropertyType 'Binary' -Value $bytes -Force)
    }
    Remove-KitKept -Name $Name
    $what -eq 'restore'
}

# ---- WMI namespaces

# The name under which copies of a namespace's descriptor are kept: it is part of a file name.
function Get-KitNamespaceName {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Namespace)
    $Namespace.Replace('\', '.')
}

# The bytes of a namespace's descriptor; nothing, with a warning, when it cannot be read.
function Get-KitNamespaceSecurity {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Namespace)
    try {
        $security = Get-WmiObject -Namespace $Namespace -Class '__SystemSecurity'
    }
    catch {
        Write-Warning -Message ("The WMI namespace '{0}' cannot be opened on this host: {1}" -f $Namespace, $_)
        return
    }
    $answer = @($null)
    $code = $security.PsBase.InvokeMethod('GetSD', $answer)
    if ($code -ne 0) {
        Write-Warning -Message ("The rights on the WMI namespace '{0}' cannot be read: GetSD answered {1}." -f $Namespace, $code)
        return
    }
    $answer[0]
}

function Set-KitNamespaceSecurity {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Namespace,
        [Parameter(Mandatory = $true)][byte[]]$Bytes
    )
    $security = Get-WmiObject -Namespace $Namespace -Class '__SystemSecurity'
    $given = , $Bytes
    $code = $security.PsBase.InvokeMethod('SetSD', $given)
    if ($code -ne 0) {
        throw ("The rights on the WMI namespace '{0}' cannot be set: SetSD answered {1}." -f $Namespace, $code)
    }
}

# Puts the kept descriptor back where the present one is what the merge wrote. True when it did.
function Restore-KitNamespace {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Namespace)
    $name = Get-KitNamespaceName -Namespace $Namespace
    $present = Get-KitNamespaceSecurity -Namespace $Namespace
    $what = Get-KitTakingBack -Name $name -Present $present
    if ($what -eq 'leave') {
        return $false
    }
    if ($what -eq 'restore') {
        $bytes = [System.IO.File]::ReadAllBytes((Get-KitKeptPath -Name $name -Which 'before'))
        Set-KitNamespaceSecurity -Namespace $Namespace -Bytes $bytes
    }
    Remove-KitKept -Name $name
    $what -eq 'restore'
}

# ---- Members of the local group Distributed COM Users.
$KitDcomUsers = [System.IO.Path]::Combine($KitState, 'dcom-users-added.txt')

# `WinNT://DOMAIN/name` of a member; nothing for an account of a domain that this host does not know.
function Get-KitMemberPath {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Member)
    if (([string]$Member.local_name).Length -gt 0) {
        return 'WinNT://' + $env:COMPUTERNAME + '/' + $Member.local_name
    }
    if (([string]$Member.sid).Length -gt 0) {
        return Get-KitAccountPath -Sid $Member.sid
    }
    'WinNT://' + ([string]$Member.item).Replace('\', '/')
}

function Test-KitDcomUser {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Path)
    $group = Get-KitGroup -Sid 'S-1-5-32-562'
    # An account that is not there is no member.
    try {
        return $group.IsMember($Path)
    }
    catch {
        return $false
    }
}

function Get-KitMemberState {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Member)
    $path = Get-KitMemberPath -Member $Member
    if (($null -ne $path) -and (Test-KitDcomUser -Path $path)) {
        return 'member'
    }
    'nothing'
}

function Add-KitDcomUser {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)]$Member)
    $unknown = "'{0}' was a member of Distributed COM Users, but this host has no such account. Create it, or join its domain, and run the script again." -f $Member.shown
    $path = Get-KitMemberPath -Member $Member
    if ($null -eq $path) {
        Write-Warning -Message $unknown
        return
    }
    if (-not [System.IO.Directory]::Exists($KitState)) {
        [void][System.IO.Directory]::CreateDirectory($KitState)
    }
    # Noted before it is done: what was noted and is no member is passed over by Undo. A line before may have been cut off.
    [System.IO.File]::AppendAllText($KitDcomUsers, ("`r`n" + $path + "`r`n"))
    $group = Get-KitGroup -Sid 'S-1-5-32-562'
    try {
        [void]$group.Add($path)
    }
    catch {
        Write-Warning -Message $unknown
        return
    }
    Write-Output -InputObject ("'{0}' is a member of Distributed COM Users now." -f $Member.shown)
}

# Takes out of the group whom the kit put into it.
function Remove-KitDcomUsers {
    [CmdletBinding()]
    param()
    if (-not [System.IO.File]::Exists($KitDcomUsers)) {
        return
    }
    $group = Get-KitGroup -Sid 'S-1-5-32-562'
    foreach ($path in [System.IO.File]::ReadAllLines($KitDcomUsers)) {
        if (($path.Length -gt 0) -and (Test-KitDcomUser -Path $path)) {
            [void]$group.Remove($path)
            Write-Output -InputObject ("Taken back: '{0}' is no member of Distributed COM Users any more." -f $path)
        }
    }
    [System.IO.File]::Delete($KitDcomUsers)
}
