//! Moves blocks and proves it.
