//! Messages of WS-Management (DSP0226): writing requests, reading answers and faults.

pub(crate) mod envelope;
pub mod fault;
pub(crate) mod names;
pub(crate) mod reply;
pub mod resource;
pub(crate) mod xml;
