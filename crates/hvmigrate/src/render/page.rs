//! Builds HTML. Markup is only taken from the program itself (`&'static str`); every other text goes through [`escape`],
//! so that a machine called `<script>` is shown and never run.

/// Escapes a text for HTML element content and quoted attribute values. Control characters that HTML forbids, and the
/// marks that reorder text (they could make one file name look like another), are shown as U+FFFD.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(c),
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            c if c.is_control() => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

/// A page in the making.
#[derive(Debug, Default)]
pub struct Page {
    out: String,
}

impl Page {
    /// Appends markup of the program's own.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.out.push_str(markup);
        self
    }

    /// Appends a text, escaped.
    pub fn text(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.out.push_str(&escape(text.as_ref()));
        self
    }

    /// Appends a number.
    pub fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        self.out.push_str(&number.into().to_string());
        self
    }

    /// Appends `open`, the text, and `close`.
    pub fn wrap(&mut self, open: &'static str, text: impl AsRef<str>, close: &'static str) -> &mut Self {
        self.raw(open).text(text).raw(close)
    }

    /// Appends a table cell.
    pub fn cell(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.wrap("<td>", text, "</td>")
    }

    /// Appends a table cell for a machine-readable text: a path, an id.
    pub fn code_cell(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.wrap("<td><code>", text, "</code></td>")
    }

    /// The finished page.
    pub fn finish(self) -> String {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let nasty = "<script>alert(\"1\")</script>&amp;'\u{0}\u{1b}[31m\u{202E}gpj.exe";
        let safe = escape(nasty);
        assert_eq!(
            safe,
            "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;&#39;\u{FFFD}\u{FFFD}[31m\u{FFFD}gpj.exe"
        );
        assert!(!safe.contains(['<', '>', '"', '\'']));
        assert_eq!(escape("Büro 日本\n"), "Büro 日本\n");
    }

    #[test]
    fn a_page_escapes_cells() {
        let mut page = Page::default();
        page.raw("<tr>").cell("a<b").code_cell("x&y").raw("</tr>");
        assert_eq!(page.finish(), "<tr><td>a&lt;b</td><td><code>x&amp;y</code></td></tr>");
    }
}
