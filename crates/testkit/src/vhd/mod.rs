//! Virtual hard disks (`.vhd`, `.avhd`) made from a naive model of their content, and a naive reader of chains.
//!
//! Specification: Microsoft, "Virtual Hard Disk Image Format Specification" 1.0 (2006). [`ContentModel`] knows what a
//! disk holds without any file; [`VhdSpec::image`] lays it out; [`reference`] reads a chain sector by sector.

mod content;
mod footer;
mod image;
mod layout;
pub mod reference;

pub use content::{ContentModel, SECTOR};
pub use footer::{Creator, FooterLength, Geometry};
pub use image::VhdImage;
pub use layout::{BitmapFill, BlockOrder, Blocks, Locator, Parent, SpaceUnit, Stride, VhdKind, VhdSpec};
