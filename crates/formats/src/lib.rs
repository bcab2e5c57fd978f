//! Bytes to values and back.
pub mod vmxml;
