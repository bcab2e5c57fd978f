//! Reads an old host; cannot write.
