//! The names of WS-Management: namespaces, actions and addresses (DSP0226 annex A, MS-WSMV 2.2.1).

/// SOAP 1.2.
pub const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
/// WS-Addressing.
pub const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
/// Whoever sent the request.
pub const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";
/// WS-Management.
pub const WSMAN: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd";
/// Microsoft's additions to it.
pub const WSMV: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd";
/// Microsoft's faults.
pub const FAULT: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault";
/// WS-Management Identify (DSP0226 11).
pub const IDENTITY: &str = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd";
/// WS-Transfer.
pub const TRANSFER: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer";
/// WS-Enumeration.
pub const ENUMERATION: &str = "http://schemas.xmlsoap.org/ws/2004/09/enumeration";
/// Remote shells (MS-WSMV 2.2.4).
pub const SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";
/// The shell of `cmd.exe`.
pub const CMD: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd";
/// The shell of PowerShell remoting (MS-PSRP 3.1.5.3.1).
pub const POWERSHELL: &str = "http://schemas.microsoft.com/powershell/Microsoft.PowerShell";
/// The namespace of `creationXml` (MS-PSRP 3.1.5.3.1).
pub const PS: &str = "http://schemas.microsoft.com/powershell";
/// Where the classes of WMI are (MS-WSMV 2.2.1.4).
pub const WMI: &str = "http://schemas.microsoft.com/wbem/wsman/1/wmi";
/// The dialect of queries in WQL.
pub const WQL: &str = "http://schemas.microsoft.com/wbem/wsman/1/WQL";
/// The schema's namespace of `nil`.
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
