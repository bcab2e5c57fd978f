//! Rules of Windows Firewall as the registry stores them: `v2.10|Action=Allow|Active=TRUE|Dir=In|…|`. Nothing that is not
//! known is lost: keys, order and repetitions stay. See `FORMAT.md` beside this file; [MS-FASP] 2.2.37 has the semantics.

mod rule;

pub use rule::{Action, Direction, FirewallRule, FirewallRuleError};

#[cfg(test)]
mod tests;
