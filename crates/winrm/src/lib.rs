//! A client for Windows Remote Management: WS-Management over HTTP with message encryption or over HTTPS, shells, WMI and
//! PowerShell remoting. It blocks, it has no runtime, and there is no way to make it send a password or a request in clear.
//!
//! Specifications: MS-WSMV (WS-Management, shells, encryption of messages), DSP0226 and DSP0227 (WS-Management and its
//! binding of CIM), MS-PSRP (PowerShell remoting, CLIXML), MS-NLMP, MS-SPNG and RFC 4559 (authentication), RFC 5929
//! (channel binding). Everything that a server sends is bounded by [`limits`] before memory is taken for it.
//!
//! What has never met real Windows is what the tests cannot show: they talk to a server made of independent Python parts.

mod address;
#[doc(hidden)]
pub mod answers;
mod client;
pub mod clixml;
mod connection;
mod endpoint;
mod error;
mod guid;
mod http;
pub mod limits;
mod mending;
mod options;
pub mod psrp;
mod seal;
mod shell;
mod soap;
mod tls;
mod wmi;

pub use address::{Address, AddressError, PARAMETERS, host_and_port};
pub use client::{Client, Identity};
pub use endpoint::{Endpoint, Thumbprint, Transport, Trust};
pub use error::{Error, Progress, Result};
pub use guid::Guid;
pub use hvm_login::{
    Credentials, Kdc, Login, Mechanism, PasswordError, PasswordWanted, Secret, Side, password_descriptor,
    password_file, password_keyring,
};
pub use mending::Mending;
pub use options::{Flow, Options};
pub use shell::{CommandState, Shell, ShellOptions, Signal, Stream};
pub use soap::fault::{Fault, FaultKind};
pub use soap::resource::Resource;
pub use wmi::{Argument, Instance, Property, Query};
