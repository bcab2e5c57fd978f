//! The regular expressions of `-replace`, `-match` and `-split`: literals, `.`, groups, look-ahead, alternatives, classes and
//! the quantifiers `?`, `*`, `+`. Matching goes back and forth without any cleverness. Letters are the same in both sizes.

/// Most steps of one search.
const MOST_STEPS: usize = 200_000;

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Char(char),
    Any,
    Start,
    End,
    Class(bool, Vec<(char, char)>),
    Group(Option<usize>, Vec<Vec<Node>>),
    Ahead(Vec<Vec<Node>>),
    Repeat(Box<Node>, usize, usize),
}

/// A regular expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern {
    alternatives: Vec<Vec<Node>>,
    groups: usize,
}

/// Where a match and its groups lie, in characters.
pub(super) type Groups = Vec<Option<(usize, usize)>>;

struct Reader<'p> {
    rest: std::iter::Peekable<std::str::Chars<'p>>,
    groups: usize,
}

impl Pattern {
    /// Reads an expression; an error names what is not known.
    pub fn new(text: &str) -> Result<Pattern, String> {
        let mut reader = Reader { rest: text.chars().peekable(), groups: 0 };
        let alternatives = reader.alternatives().map_err(|error| format!("the pattern '{text}': {error}"))?;
        if reader.rest.next().is_some() {
            return Err(format!("the pattern '{text}': a closing parenthesis too much"));
        }
        Ok(Pattern { alternatives, groups: reader.groups })
    }

    /// The first match from a place on.
    pub fn find(&self, text: &[char], from: usize) -> Option<Groups> {
        for start in from..=text.len() {
            let mut matcher = Matcher { text, groups: vec![None; self.groups + 1], steps: 0 };
            let nodes = [Node::Group(None, self.alternatives.clone())];
            if let Some(end) = matcher.sequence(&nodes, start, &mut |_, at| Some(at)) {
                matcher.groups[0] = Some((start, end));
                return Some(matcher.groups);
            }
        }
        None
    }

    fn spans(&self, text: &[char]) -> Vec<Groups> {
        let mut all = Vec::new();
        let mut from = 0;
        while let Some(groups) = self.find(text, from) {
            let Some((start, end)) = groups[0] else { break };
            from = if end > start { end } else { end + 1 };
            all.push(groups);
            if from > text.len() {
                break;
            }
        }
        all
    }

    /// Every match replaced; `$1` stands for a group.
    pub fn replace(&self, text: &str, with: &str) -> Result<String, String> {
        let chars: Vec<char> = text.chars().collect();
        let mut result = String::new();
        let mut at = 0;
        for groups in self.spans(&chars) {
            let Some((start, end)) = groups[0] else { continue };
            result.extend(&chars[at..start]);
            let mut rest = with.chars().peekable();
            while let Some(character) = rest.next() {
                if character != '$' {
                    result.push(character);
                    continue;
                }
                let number = rest.next().and_then(|digit| digit.to_digit(10)).map(|digit| digit as usize);
                let group = number.filter(|number| *number <= self.groups).ok_or(format!("the text '{with}'"))?;
                if let Some((start, end)) = groups[group] {
                    result.extend(&chars[start..end]);
                }
            }
            at = end;
        }
        result.extend(&chars[at..]);
        Ok(result)
    }

    /// The pieces between the matches.
    pub fn split(&self, text: &str) -> Vec<String> {
        let chars: Vec<char> = text.chars().collect();
        let mut pieces = Vec::new();
        let mut at = 0;
        for groups in self.spans(&chars) {
            let Some((start, end)) = groups[0].filter(|(start, end)| end > start) else { continue };
            pieces.push(chars[at..start].iter().collect());
            at = end;
        }
        pieces.push(chars[at..].iter().collect());
        pieces
    }
}

impl Reader<'_> {
    fn alternatives(&mut self) -> Result<Vec<Vec<Node>>, String> {
        let mut all = vec![Vec::new()];
        while let Some(next) = self.rest.peek().copied() {
            match next {
                ')' => break,
                '|' => {
                    self.rest.next();
                    all.push(Vec::new());
                }
                _ => {
                    let node = self.node()?;
                    let node = self.repeated(node);
                    all.last_mut().ok_or("no alternative")?.push(node);
                }
            }
        }
        Ok(all)
    }

    fn repeated(&mut self, node: Node) -> Node {
        let (least, most) = match self.rest.peek() {
            Some('?') => (0, 1),
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            _ => return node,
        };
        self.rest.next();
        Node::Repeat(Box::new(node), least, most)
    }

    fn node(&mut self) -> Result<Node, String> {
        match self.rest.next().ok_or("its end")? {
            '.' => Ok(Node::Any),
            '^' => Ok(Node::Start),
            '$' => Ok(Node::End),
            '(' => self.group(),
            '[' => self.class(),
            '\\' => self.escape(),
            special if "?*+{}".contains(special) => Err(format!("'{special}'")),
            plain => Ok(Node::Char(plain)),
        }
    }

    fn group(&mut self) -> Result<Node, String> {
        let mut number = None;
        let mut ahead = false;
        if self.rest.next_if_eq(&'?').is_some() {
            match self.rest.next() {
                Some('=') => ahead = true,
                Some(':') => {}
                other => return Err(format!("'(?{}'", other.unwrap_or(' '))),
            }
        } else {
            self.groups += 1;
            number = Some(self.groups);
        }
        let alternatives = self.alternatives()?;
        self.rest.next_if_eq(&')').ok_or("a group without an end")?;
        Ok(if ahead { Node::Ahead(alternatives) } else { Node::Group(number, alternatives) })
    }

    fn escape(&mut self) -> Result<Node, String> {
        match self.rest.next() {
            Some('d') => Ok(Node::Class(true, vec![('0', '9')])),
            Some('s') => Ok(Node::Class(true, [' ', '\t', '\r', '\n'].map(|space| (space, space)).to_vec())),
            Some(plain) if !plain.is_alphanumeric() => Ok(Node::Char(plain)),
            other => Err(format!("'\\{}'", other.unwrap_or(' '))),
        }
    }

    fn class(&mut self) -> Result<Node, String> {
        let positive = self.rest.next_if_eq(&'^').is_none();
        let mut ranges = Vec::new();
        loop {
            match self.rest.next().ok_or("a class without an end")? {
                ']' => return Ok(Node::Class(positive, ranges)),
                '\\' | '[' => return Err("an escape in a class".to_owned()),
                low if self.rest.peek() == Some(&'-') => {
                    self.rest.next();
                    let high = self.rest.next().filter(|high| *high != ']').ok_or("a range without an end")?;
                    ranges.push((low, high));
                }
                one => ranges.push((one, one)),
            }
        }
    }
}

struct Matcher<'t> {
    text: &'t [char],
    groups: Groups,
    steps: usize,
}

type Next<'n, 't> = &'n mut dyn FnMut(&mut Matcher<'t>, usize) -> Option<usize>;

impl<'t> Matcher<'t> {
    fn sequence(&mut self, nodes: &[Node], at: usize, next: Next<'_, 't>) -> Option<usize> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return None;
        }
        let Some((first, rest)) = nodes.split_first() else { return next(self, at) };
        self.node(first, at, &mut |matcher, at| matcher.sequence(rest, at, next))
    }

    fn node(&mut self, node: &Node, at: usize, next: Next<'_, 't>) -> Option<usize> {
        let here = self.text.get(at).copied();
        match node {
            Node::Start => (at == 0).then(|| next(self, at)).flatten(),
            Node::End => (at == self.text.len()).then(|| next(self, at)).flatten(),
            Node::Any => here.filter(|here| *here != '\n').and_then(|_| next(self, at + 1)),
            Node::Char(wanted) => {
                here.filter(|here| here.to_lowercase().eq(wanted.to_lowercase())).and_then(|_| next(self, at + 1))
            }
            Node::Class(positive, ranges) => {
                let within = |here: &char| ranges.iter().any(|(low, high)| (low..=high).contains(&here));
                here.filter(|here| within(here) == *positive).and_then(|_| next(self, at + 1))
            }
            Node::Ahead(alternatives) => {
                let found = alternatives.iter().any(|nodes| self.sequence(nodes, at, &mut |_, at| Some(at)).is_some());
                found.then(|| next(self, at)).flatten()
            }
            Node::Group(number, alternatives) => alternatives.iter().find_map(|nodes| {
                self.sequence(nodes, at, &mut |matcher, end| {
                    let before = number.and_then(|number| matcher.groups[number].replace((at, end)));
                    let found = next(matcher, end);
                    if let (None, Some(number)) = (found, number) {
                        matcher.groups[*number] = before;
                    }
                    found
                })
            }),
            Node::Repeat(inner, least, most) => self.repeat(inner, (*least, *most), at, next),
        }
    }

    fn repeat(&mut self, inner: &Node, (least, most): (usize, usize), at: usize, next: Next<'_, 't>) -> Option<usize> {
        self.steps += 1;
        if most > 0 && self.steps < MOST_STEPS {
            let (least, most) = (least.saturating_sub(1), most.saturating_sub(1));
            let again = self.node(inner, at, &mut |matcher, after| {
                if after == at { None } else { matcher.repeat(inner, (least, most), after, next) }
            });
            if again.is_some() {
                return again;
            }
        }
        if least == 0 { next(self, at) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_replace_and_split() {
        let replace =
            |pattern: &str, text: &str, with: &str| Pattern::new(pattern).unwrap().replace(text, with).unwrap();
        assert_eq!(replace("(..)(?=.)", "00155D010203", "$1-"), "00-15-5D-01-02-03");
        assert_eq!(replace("^a+b?$", "AAB", "x"), "x");
        assert_eq!(replace("(a|bc)+", "xabcay", "<$1>"), "x<a>y");
        assert_eq!(replace("[^0-9]", "a1b2", ""), "12");
        assert_eq!(Pattern::new("[,;] ?").unwrap().split("a, b;c"), ["a", "b", "c"]);
        for unknown in ["a{2}", "(?<n>a)", "(a", "a)", r"\w", "[a"] {
            assert!(Pattern::new(unknown).is_err(), "{unknown}");
        }
    }
}
