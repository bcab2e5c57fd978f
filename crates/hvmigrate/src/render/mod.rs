//! The same documents as text, JSON and HTML.

pub mod assessment;
pub mod guests;
pub mod html;
pub mod page;
pub mod rules;
pub mod style;
pub mod text;
pub mod words;
