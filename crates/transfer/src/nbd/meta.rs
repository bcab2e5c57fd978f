//! Queries for metadata contexts; the only context is `base:allocation`.

/// The name of the context.
pub(super) const ALLOCATION: &[u8] = b"base:allocation";
/// The number under which it is reported.
pub(super) const ALLOCATION_ID: u32 = 1;

/// An option NBD_OPT_LIST_META_CONTEXT or NBD_OPT_SET_META_CONTEXT.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Queries<'a> {
    pub export: &'a [u8],
    pub queries: Vec<&'a [u8]>,
}

/// Reads the option; `None` when it is not well formed.
pub(super) fn parse(data: &[u8]) -> Option<Queries<'_>> {
    let (export, rest) = text(data)?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let mut queries = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        // Ends with the data, whatever the count says.
        let (query, after) = text(rest)?;
        queries.push(query);
        rest = after;
    }
    rest.is_empty().then_some(Queries { export, queries })
}

fn text(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = data.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*len) as usize)
}

/// Whether a list names the context: also for its namespace alone, and for no query at all.
pub(super) fn is_listed(queries: &[&[u8]]) -> bool {
    queries.is_empty() || queries.iter().any(|query| *query == ALLOCATION || *query == b"base:")
}

/// Whether the context was chosen.
pub(super) fn is_set(queries: &[&[u8]]) -> bool {
    queries.contains(&ALLOCATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(export: &str, queries: &[&str]) -> Vec<u8> {
        let text = |text: &str| [(text.len() as u32).to_be_bytes().as_slice(), text.as_bytes()].concat();
        let mut data = text(export);
        data.extend((queries.len() as u32).to_be_bytes());
        queries.iter().for_each(|query| data.extend(text(query)));
        data
    }

    #[test]
    fn every_cut_and_every_wrong_count_is_refused() {
        let whole = option("name", &["base:allocation", "qemu:dirty-bitmap:x", ""]);
        let parsed = parse(&whole).unwrap();
        assert_eq!((parsed.export, parsed.queries.len()), (b"name".as_slice(), 3));
        for cut in 0..whole.len() {
            assert_eq!(parse(&whole[..cut]), None, "cut at {cut}");
        }
        assert_eq!(parse(&[whole.as_slice(), b"x"].concat()), None);
        for position in [0, 8] {
            let mut wrong = whole.clone();
            wrong[position] = 0xFF;
            assert_eq!(parse(&wrong), None, "count at {position}");
        }
    }

    #[test]
    fn the_namespace_lists_but_does_not_choose() {
        assert!(is_listed(&[]) && is_listed(&[b"base:"]) && is_listed(&[b"x:", b"base:allocation"]));
        assert!(!is_listed(&[b"base"]));
        assert!(is_set(&[b"qemu:", b"base:allocation"]) && !is_set(&[]) && !is_set(&[b"base:"]));
    }
}
