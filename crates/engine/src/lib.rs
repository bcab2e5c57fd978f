//! Puts the phases of a migration in order.
