//! The tasks of the house: `cargo xtask test`.
fn main() {}
