//! Whose a machine is that was made anew: the last line of its notes tells it.
//!
//! No cmdlet of Hyper-V sets the owner of a machine, `Msvm_ComputerSystem.PrimaryOwnerName` is documented as read-only and always
//! null, and a domain of libvirt has none. The line is `Owner: ` and the account's security identifier.

/// Between lines on Windows.
pub const WINDOWS_NEWLINE: &str = "\r\n";

const MARK: &str = "Owner: ";

/// Whether the text identifies an account of a computer or a domain: `S-1-5-21-` and numbers.
pub fn is_account(sid: &str) -> bool {
    let numbers = sid.strip_prefix("S-1-5-21-");
    numbers.is_some_and(|numbers| numbers.split('-').all(is_number))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The notes with the line for the owner.
pub fn join(notes: &str, owner: Option<&str>, newline: &str) -> String {
    match owner {
        None => notes.to_owned(),
        Some(owner) if notes.is_empty() => format!("{MARK}{owner}"),
        Some(owner) => format!("{notes}{newline}{MARK}{owner}"),
    }
}

/// The notes without that line, and the owner whom it tells; the reverse of [`join`].
pub fn split<'a>(notes: &'a str, newline: &str) -> (&'a str, Option<&'a str>) {
    let (others, last) = notes.rsplit_once(newline).unwrap_or(("", notes));
    match last.strip_prefix(MARK).filter(|owner| is_account(owner)) {
        Some(owner) => (others, Some(owner)),
        None => (notes, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "S-1-5-21-1-2-3-1105";

    #[test]
    fn notes_and_owner_are_told_apart_again() {
        for newline in ["\n", WINDOWS_NEWLINE] {
            for notes in ["", "a", "a\r", "\n", "a\r\nb\n", "Owner: x", "Owner: S-1-5-21-1-2-3-1106", "Owner: "] {
                let joined = join(notes, Some(SID), newline);
                assert_eq!(split(&joined, newline), (notes, Some(SID)), "{joined:?}");
            }
        }
        assert_eq!(join("a", None, "\n"), "a");
    }

    #[test]
    fn only_a_last_line_of_an_account_is_one() {
        let others = [
            "Owner: S-1-5-18",
            "Owner: S-1-5-21-",
            "Owner: S-1-5-21-1 ",
            "Owner: S-1-5-21-+1",
            "owner: S-1-5-21-1",
            " Owner: S-1-5-21-1",
        ];
        for notes in
            others.into_iter().chain(["", "Owner: S-1-5-21-1\n", "Owner: S-1-5-21-1\nb", "b Owner: S-1-5-21-1"])
        {
            assert_eq!(split(notes, "\n"), (notes, None));
        }
    }
}
