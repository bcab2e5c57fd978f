//! Replaces what is different in each run: the folder, times, rates.

use std::path::Path;

/// The text with placeholders.
pub fn normal(text: &str, dir: &Path) -> String {
    let mut text = text.replace(dir.to_str().unwrap(), "[DIR]");
    text = text.split_inclusive('\n').map(way).collect();
    text = replaced(&text, timestamp, "[WHEN]");
    text = replaced(&text, rate, "[RATE]");
    text = replaced(&text, sample, "[SIZE]");
    replaced(&text, time, "[TIME]")
}

/// Which way the bytes of a conversion took depends on the file system.
fn way(line: &str) -> &str {
    let copied = line.starts_with("Copied ") && line.contains("B: ");
    if copied || (line.starts_with("Shared ") && line.contains(" with the source (")) { "[WAY]\n" } else { line }
}

/// Replaces each place where `length` finds something by `by`; a place begins where no letter or digit stands before.
fn replaced(text: &str, length: fn(&str) -> Option<usize>, by: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        match length(rest).filter(|_| !before.is_ascii_alphanumeric() && before != '.') {
            Some(found) => {
                // Padding in front depends on the length of what is replaced.
                let kept = out.trim_end_matches(' ').len();
                if out.len() - kept > 1 {
                    out.truncate(kept + 1);
                }
                out.push_str(by);
                rest = &rest[found..];
                before = ']';
            }
            None => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
                before = c;
            }
        }
    }
    out
}

fn number(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len())
}

/// `2026-01-02T03:04:05Z`, with or without a fraction.
fn timestamp(text: &str) -> Option<usize> {
    let shape = "0000-00-00T00:00:00";
    let mut chars = text.chars();
    let fits = shape.chars().all(|wanted| match (wanted, chars.next()) {
        ('0', Some(c)) => c.is_ascii_digit(),
        (wanted, found) => found == Some(wanted),
    });
    let end = text.get(shape.len()..)?;
    let tail = end.find('Z')?;
    (fits && end[..tail].chars().all(|c| c.is_ascii_digit() || c == '.')).then_some(shape.len() + tail + 1)
}

/// `12.3 MiB/s`, or `unknown` rates stay.
fn rate(text: &str) -> Option<usize> {
    let digits = number(text);
    if digits == 0 {
        return None;
    }
    let unit = ["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"]
        .into_iter()
        .find(|unit| text[digits..].strip_prefix(' ').is_some_and(|rest| rest.starts_with(unit)))?;
    Some(digits + 1 + unit.len())
}

/// `0.4 s`, `3 min 20 s`, `2 h 05 min`.
fn time(text: &str) -> Option<usize> {
    let mut length = 0;
    loop {
        let rest = &text[length..];
        let start = usize::from(length > 0 && rest.starts_with(' '));
        let digits = number(&rest[start..]);
        let tail = &rest[start + digits..];
        let unit = [" s", " min", " h", " ms"].into_iter().find(|unit| {
            tail.strip_prefix(unit).is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric()))
        });
        match unit {
            Some(unit) if digits > 0 => length += start + digits + unit.len(),
            _ => return (length > 0).then_some(length),
        }
    }
}

/// How much is read to measure the source depends on which holes of a file the file system knows.
fn sample(text: &str) -> Option<usize> {
    let end = text.find(" read from the source, ")?;
    let (number, unit) = text.get(..end)?.split_once(' ')?;
    (number.parse::<f64>().is_ok() && unit.ends_with('B') && unit.len() < 4).then_some(end)
}

#[test]
fn what_changes_is_replaced_and_nothing_else() {
    let text =
        "took 3 min 20 s, or 0.4 s, at 12.5 MiB/s on 2026-11-23T00:00:00.5Z; 4 sizes, 10 MiB, v1.2 s, 2 h 05 min.";
    let expected = "took [TIME], or [TIME], at [RATE] on [WHEN]; 4 sizes, 10 MiB, v1.2 s, [TIME].";
    assert_eq!(normal(text, Path::new("/nowhere")), expected);
    let text = "disk.raw\nCopied 3.5 MiB: ext4 cannot.\nShared 1 B with the source (XFS), copied 0 B.\nCopied 3 MiB.\n";
    assert_eq!(normal(text, Path::new("/nowhere")), "disk.raw\n[WAY]\n[WAY]\nCopied 3 MiB.\n");
}
