//! Objects of WMI as XML (DSP0201, what `SWbemObjectEx.GetText_` of Windows gives) and paths of objects as text. Whatever is
//! around the objects is passed over, because nobody documents what `.exp` files wrap them in. See `FORMAT.md` beside this
//! file.

mod object;
mod path;
mod read;

pub use object::{Object, Value};
pub use path::Reference;
pub use read::{Objects, read};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
