//! The project speaks only of itself: no folders of the machine on which somebody wrote it, and no unfinished marks.

use std::path::Path;

use crate::run::output;

/// Checks every text file that git knows.
pub fn check(root: &Path) -> Result<(), String> {
    let list = output("git", &["ls-files", "--cached", "--others", "--exclude-standard"])?;
    let forbidden = forbidden(root);
    let mut wrong = Vec::new();
    for path in list.lines() {
        let Ok(text) = std::fs::read_to_string(root.join(path)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = forbidden.iter().find(|word| line.contains(word.as_str())) {
                wrong.push(format!("{path}:{}: holds '{word}'", number + 1));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ")) }
}

/// The folder of the repository and of the home, and marks of unfinished work; spelt so that this file does not hold them.
fn forbidden(root: &Path) -> Vec<String> {
    let mut words =
        vec![["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["/home", "/"].concat(), ["/root", "/"].concat()];
    let folders = [Some(root.to_owned()), root.parent().map(Path::to_owned)];
    for folder in folders.into_iter().flatten() {
        let text = folder.to_string_lossy();
        // A repository at the top, such as `/src`, would forbid too much.
        if text.matches('/').count() > 1 {
            words.push(format!("{text}/"));
        }
    }
    words
}
