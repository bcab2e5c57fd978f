# Runs the script that comes in lines of base64, and writes what comes of it in lines: a word, and base64 of UTF-8. Only characters
# that are the same in every code page go in and out.
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$lines = @($input)

function Write-Part {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][string]$Word,
        [Parameter(Mandatory = $true)][AllowEmptyString()][string]$Text
    )
    [System.Console]::Out.WriteLine($Word + ' ' + [System.Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes($Text)))
}

try {
    $text = [System.Text.Encoding]::UTF8.GetString([System.Convert]::FromBase64String(($lines -join '')))
    & ([System.Management.Automation.ScriptBlock]::Create($text)) 2>&1 | ForEach-Object {
        # One that did not end the script ends it here: nobody would hear of it else.
        if ($_ -is [System.Management.Automation.ErrorRecord]) {
            throw $_
        }
        Write-Part -Word 'output' -Text ([string]$_)
    }
    Write-Part -Word 'end' -Text ''
}
catch {
    Write-Part -Word 'error' -Text ([string]$_)
}
