#requires -Version 3.0
# Functions for the DCOM restrictions. The file is loaded by other scripts of this folder and does nothing by itself.
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

# A mask is a number without a sign in dcom.json, and one with a sign in .NET.
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

# The plain entries of an account: neither inherited ones nor ones with a condition.
function Get-KitEntry {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][System.Security.AccessControl.RawSecurityDescriptor]$Descriptor,
        [Parameter(Mandatory = $true)][System.Security.Principal.SecurityIdentifier]$Sid,
        [Parameter(Mandatory = $true)][ValidateSet('allow', 'deny')][string]$Effect
    )
    $kind = [System.Security.AccessControl.AceType]::AccessAllowed
    if ($Effect -eq 'deny') {
        $kind = [System.Security.AccessControl.AceType]::AccessDenied
    }
    $none = [System.Security.AccessControl.AceFlags]::None
    foreach ($entry in $Descriptor.DiscretionaryAcl) {
        if (($entry.AceType -eq $kind) -and ($entry.AceFlags -eq $none) -and ($entry.SecurityIdentifier -eq $Sid)) {
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
        [Parameter(Mandatory = $true)][ValidateSet('allow', 'deny')][string]$Effect
    )
    $mask = 0
    foreach ($entry in @(Get-KitEntry -Descriptor $Descriptor -Sid $Sid -Effect $Effect)) {
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
        [Parameter(Mandatory = $true)][int]$Mask
    )
    $there = Get-KitAccess -Descriptor $Descriptor -Sid $Sid -Effect $Effect
    if (($there -band $Mask) -eq $Mask) {
        return $false
    }
    $entries = @(Get-KitEntry -Descriptor $Descriptor -Sid $Sid -Effect $Effect)
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
    $none = [System.Security.AccessControl.AceFlags]::None
    $parts = @($none, $qualifier, $Mask, $Sid, $false, $null)
    $entry = New-Object -TypeName System.Security.AccessControl.CommonAce -ArgumentList $parts
    $Descriptor.DiscretionaryAcl.InsertAce($place, $entry)
    $true
}

# Merges one entry of dcom.json. True when that changed anything; what cannot be merged is named and left out.
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
    Merge-KitEntry -Descriptor $Descriptor -Sid $sid -Effect $Added.effect -Mask $mask
}

# What this host has of an entry of dcom.json: its bits as text, or why there are none.
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
        $there = (Get-KitAccess -Descriptor $Descriptor -Sid $sid -Effect $Added.effect) -band $mask
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

# Puts the kept value back where the present one is what the merge wrote. True when it did.
function Restore-KitRestriction {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Name)
    $before = Get-KitKeptPath -Name $Name -Which 'before'
    $written = Get-KitKeptPath -Name $Name -Which 'merged'
    $present = ConvertTo-KitHex -Bytes (Get-KitRegistryValue -Path $KitOleKey -Name $Name)
    $restored = $false
    if ($present -cne (Read-KitKept -Path $before)) {
        if (($present.Length -eq 0) -or ($present -cne (Read-KitKept -Path $written))) {
            Write-Warning -Message ("'{0}' is not what the merge wrote and is left as it is. What was there before the merge is in the file '{1}'." -f $Name, $before)
            return $false
        }
        $bytes = [System.IO.File]::ReadAllBytes($before)
        [void](New-ItemProperty -LiteralPath $KitOleKey -Name $Name -PropertyType 'Binary' -Value $bytes -Force)
        $restored = $true
    }
    # The copies are of this merge only: a later one keeps what it finds.
    [System.IO.File]::Delete($written)
    [System.IO.File]::Delete($before)
    $restored
}
