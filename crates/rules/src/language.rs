//! Names of the languages in which Windows Server was sold, by LCID (MS-LCID).

const LANGUAGES: [(&str, &str); 19] = [
    ("0404", "Chinese, Taiwan"),
    ("0405", "Czech"),
    ("0407", "German"),
    ("0409", "English, United States"),
    ("040A", "Spanish, traditional sort"),
    ("040C", "French"),
    ("040E", "Hungarian"),
    ("0410", "Italian"),
    ("0411", "Japanese"),
    ("0412", "Korean"),
    ("0413", "Dutch"),
    ("0415", "Polish"),
    ("0416", "Portuguese, Brazil"),
    ("0419", "Russian"),
    ("041D", "Swedish"),
    ("041F", "Turkish"),
    ("0804", "Chinese, PRC"),
    ("0816", "Portuguese, Portugal"),
    ("0C0A", "Spanish"),
];

/// `0407 (German)`, or the LCID alone when its language is not in the list.
pub(crate) fn language(lcid: &str) -> String {
    let known = LANGUAGES.iter().find(|(code, _)| code.eq_ignore_ascii_case(lcid));
    known.map_or_else(|| lcid.to_owned(), |(code, name)| format!("{code} ({name})"))
}

/// True when two LCIDs of four hex digits are the same.
pub(crate) fn same_language(one: &str, other: &str) -> bool {
    let number = |text: &str| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok();
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one.eq_ignore_ascii_case(other),
    }
}
