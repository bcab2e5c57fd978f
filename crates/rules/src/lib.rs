//! Judges an inventory by the guide.
