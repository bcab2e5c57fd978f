//! Writes a new host.
