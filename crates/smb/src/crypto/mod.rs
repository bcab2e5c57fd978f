//! Keys, signatures and seals (MS-SMB2 3.1.4).

pub(crate) mod keys;
pub(crate) mod seal;
pub(crate) mod sign;
