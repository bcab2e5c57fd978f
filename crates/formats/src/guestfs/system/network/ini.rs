//! Files of sections with lines `key=value`: key files of NetworkManager and the files of systemd.

/// The sections in their order, each with its lines; those that stand before the first have an empty name.
pub(super) fn sections(text: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let mut all = vec![("", Vec::new())];
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            all.push((name, Vec::new()));
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with(['#', ';']))
            && let Some((_, lines)) = all.last_mut()
        {
            lines.push((key.trim(), value.trim()));
        }
    }
    all
}
