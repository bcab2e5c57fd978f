# Fetches parts of a file from the computer that wants it here, over TLS from the owner of one certificate alone. After each part
# it says how far that goes. Without parts it only tries whether there is a way.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$Path,
    [Parameter(Mandatory = $true)][string]$Address,
    [Parameter(Mandatory = $true)][int]$Port,
    [Parameter(Mandatory = $true)][string]$Certificate,
    [Parameter(Mandatory = $true)][string]$Name,
    [string]$Parts = ''
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
# Without the family of the address, .NET Framework takes IPv4 only.
$where = [System.Net.IPAddress]::Parse($Address)
$client = New-Object -TypeName System.Net.Sockets.TcpClient -ArgumentList $where.AddressFamily
$file = $null
try {
    $client.Connect($where, $Port)
    $client.ReceiveTimeout = 30000
    $client.SendTimeout = 30000
    # No authority knows this certificate and no name is in question: which one it must be is compared below, before a word is said.
    $any = [System.Net.Security.RemoteCertificateValidationCallback]{ $true }
    $plain = $client.GetStream()
    $stream = New-Object -TypeName System.Net.Security.SslStream -ArgumentList $plain, $false, $any
    $none = New-Object -TypeName System.Security.Cryptography.X509Certificates.X509CertificateCollection
    $stream.AuthenticateAsClient('hvmigrate', $none, [System.Security.Authentication.SslProtocols]::Tls12, $false)
    $sha = New-Object -TypeName System.Security.Cryptography.SHA256CryptoServiceProvider
    $found = [System.BitConverter]::ToString($sha.ComputeHash($stream.RemoteCertificate.GetRawCertData())).Replace('-', '')
    if ($found -ne $Certificate) {
        throw ("Somebody else answers at {0} port {1}: the SHA-256 of the certificate there is {2} instead of {3}." -f $Address, $Port, $found, $Certificate)
    }
    if ($Parts.Length -eq 0) {
        return 'reached'
    }
    [void][System.IO.Directory]::CreateDirectory([System.IO.Path]::GetDirectoryName($Path))
    $file = [System.IO.File]::Open($Path + '.carrying', [System.IO.FileMode]::OpenOrCreate)
    $buffer = New-Object -TypeName 'byte[]' -ArgumentList 262144
    $one = New-Object -TypeName 'byte[]' -ArgumentList 1
    foreach ($part in $Parts.Split(',')) {
        $ends = $part.Split('-')
        $left = [long]$ends[1] - [long]$ends[0] + 1
        $request = [System.Text.Encoding]::UTF8.GetBytes(("GET {0} HTTP/1.1`r`nHost: hvmigrate`r`nRange: bytes={1}`r`n`r`n" -f $Name, $part))
        $stream.Write($request, 0, $request.Length)
        $head = ''
        while (-not $head.EndsWith("`r`n`r`n", [System.StringComparison]::Ordinal)) {
            if (($head.Length -ge 4096) -or ($stream.Read($one, 0, 1) -eq 0)) {
                throw ("The answer of {0} port {1} ends after '{2}'." -f $Address, $Port, $head)
            }
            $head = $head + [System.Text.Encoding]::UTF8.GetString($one)
        }
        if (-not $head.StartsWith('HTTP/1.1 206 ', [System.StringComparison]::Ordinal)) {
            throw ("{0} port {1} does not give the bytes {2}: '{3}'." -f $Address, $Port, $part, $head.Split("`r")[0])
        }
        $file.Position = [long]$ends[0]
        while ($left -gt 0) {
            $count = $stream.Read($buffer, 0, [System.Math]::Min($left, 262144))
            if ($count -eq 0) {
                throw ("The connection to {0} port {1} ends {2} bytes before the end of a part." -f $Address, $Port, $left)
            }
            $file.Write($buffer, 0, $count)
            $left -= $count
        }
        'at {0}' -f ([long]$ends[1] + 1)
    }
}
finally {
    if ($null -ne $file) {
        $file.Dispose()
    }
    $client.Close()
}
