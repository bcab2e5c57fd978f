//! The command line of hvmigrate.
fn main() {}
