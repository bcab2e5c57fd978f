//! The time of day, as documents and records write it.

/// Now, RFC 3339 in UTC, whole seconds.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Name and version of the tool.
pub(crate) const TOOL: &str = concat!("hvmigrate ", env!("CARGO_PKG_VERSION"));
