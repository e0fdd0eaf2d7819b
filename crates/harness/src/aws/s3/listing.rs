//! Listing of keys as S3 does it: prefix, delimiter, paging. Pure.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Most entries of one page.
pub(super) const PAGE_LIMIT: usize = 1000;

/// Where a page starts: after a key, or after everything below a common prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum After {
    Key(String),
    CommonPrefix(String),
}

impl After {
    /// The continuation token of this place.
    pub(super) fn token(&self) -> String {
        match self {
            Self::Key(key) => format!("k{}", hex::encode(key)),
            Self::CommonPrefix(prefix) => format!("p{}", hex::encode(prefix)),
        }
    }

    /// Reads a token made by [`After::token`]; `None` when it is not one.
    pub(super) fn from_token(token: &str) -> Option<Self> {
        let (kind, digits) = token.split_at_checked(1)?;
        let text = String::from_utf8(hex::decode(digits).ok()?).ok()?;
        match kind {
            "k" => Some(Self::Key(text)),
            "p" => Some(Self::CommonPrefix(text)),
            _ => None,
        }
    }

    /// Reads a `marker` of the first listing version, which names the last entry shown.
    pub(super) fn from_marker(marker: String, delimiter: Option<&str>) -> Self {
        match delimiter {
            Some(delimiter) if marker.ends_with(delimiter) => Self::CommonPrefix(marker),
            _ => Self::Key(marker),
        }
    }

    /// The entry shown last.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Key(text) | Self::CommonPrefix(text) => text,
        }
    }
}

/// What to list.
#[derive(Debug, Default)]
pub(super) struct Query<'a> {
    pub(super) prefix: &'a str,
    pub(super) delimiter: Option<&'a str>,
    pub(super) after: Option<After>,
    pub(super) limit: usize,
}

/// One page.
#[derive(Debug)]
pub(super) struct Page<'a, V> {
    pub(super) entries: Vec<(&'a str, &'a V)>,
    pub(super) common_prefixes: Vec<String>,
    /// Where the next page starts, if there is one.
    pub(super) next: Option<After>,
}

/// Lists one page in key order (bytes of UTF-8). Keys and common prefixes count alike.
pub(super) fn list<'a, V>(objects: &'a BTreeMap<String, V>, query: &Query<'_>) -> Page<'a, V> {
    let mut page = Page { entries: Vec::new(), common_prefixes: Vec::new(), next: None };
    let mut last: Option<After> = None;
    for (key, value) in objects.range::<str, _>((start(query), Bound::Unbounded)) {
        if !key.starts_with(query.prefix) {
            break;
        }
        let below = |place: &Option<After>| match place {
            Some(After::CommonPrefix(prefix)) => key.starts_with(prefix.as_str()),
            Some(After::Key(_)) | None => false,
        };
        if below(&query.after) || below(&last) {
            continue;
        }
        if page.entries.len() + page.common_prefixes.len() >= query.limit {
            page.next = last.filter(|_| query.limit > 0);
            break;
        }
        if let Some(common) = common_prefix(key, query) {
            page.common_prefixes.push(common.to_owned());
            last = Some(After::CommonPrefix(common.to_owned()));
        } else {
            page.entries.push((key, value));
            last = Some(After::Key(key.clone()));
        }
    }
    page
}

fn start<'q>(query: &'q Query<'_>) -> Bound<&'q str> {
    match &query.after {
        Some(After::Key(key)) if key.as_str() >= query.prefix => Bound::Excluded(key),
        Some(After::CommonPrefix(prefix)) if prefix.as_str() >= query.prefix => {
            Bound::Included(prefix)
        }
        Some(_) | None => Bound::Included(query.prefix),
    }
}

fn common_prefix<'k>(key: &'k str, query: &Query<'_>) -> Option<&'k str> {
    let delimiter = query.delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let rest = &key[query.prefix.len()..];
    let end = rest.find(delimiter)? + delimiter.len();
    Some(&key[..query.prefix.len() + end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(keys: &[&str]) -> BTreeMap<String, ()> {
        keys.iter().map(|key| ((*key).to_owned(), ())).collect()
    }

    fn shown(page: &Page<'_, ()>) -> Vec<String> {
        let keys = page.entries.iter().map(|(key, ())| (*key).to_owned());
        let mut all: Vec<_> = keys.chain(page.common_prefixes.iter().cloned()).collect();
        all.sort();
        all
    }

    #[test]
    fn keys_below_a_delimiter_are_rolled_up_once() {
        let objects = objects(&["a", "d", "d/e", "d/f/g", "x/1", "y"]);
        let query = Query { delimiter: Some("/"), limit: 10, ..Query::default() };
        let page = list(&objects, &query);
        assert_eq!(shown(&page), ["a", "d", "d/", "x/", "y"]);
        assert_eq!(page.next, None);
        let query = Query { prefix: "d/", delimiter: Some("/"), limit: 10, after: None };
        assert_eq!(shown(&list(&objects, &query)), ["d/e", "d/f/"]);
    }

    #[test]
    fn pages_of_every_size_show_each_entry_exactly_once() {
        let objects = objects(&["a", "b/1", "b/2", "b/3", "c", "d/1", "d/2", "e", "é", "日/本"]);
        let whole = Query { delimiter: Some("/"), limit: 100, ..Query::default() };
        let expected = shown(&list(&objects, &whole));
        for limit in 1..=expected.len() {
            let (mut seen, mut after) = (Vec::new(), None);
            for _ in 0..=expected.len() {
                let query = Query { delimiter: Some("/"), after, limit, ..Query::default() };
                let page = list(&objects, &query);
                assert!(shown(&page).len() <= limit);
                seen.extend(shown(&page));
                after = page.next.map(|next| After::from_token(&next.token()).unwrap());
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(seen, expected, "pages of {limit}");
        }
    }

    #[test]
    fn a_page_of_no_entries_is_not_truncated() {
        let objects = objects(&["a"]);
        let page = list(&objects, &Query::default());
        assert_eq!((shown(&page).len(), page.next), (0, None));
    }

    #[test]
    fn a_start_before_the_prefix_does_not_leave_the_prefix() {
        let objects = objects(&["a", "p/1", "p/2", "q"]);
        let after = Some(After::Key("b".into()));
        let query = Query { prefix: "p/", after, limit: 10, delimiter: None };
        assert_eq!(shown(&list(&objects, &query)), ["p/1", "p/2"]);
        let after = Some(After::Key("z".into()));
        let query = Query { prefix: "p/", after, limit: 10, delimiter: None };
        assert!(shown(&list(&objects, &query)).is_empty());
    }

    #[test]
    fn a_foreign_token_is_refused() {
        assert_eq!(After::from_token(""), None);
        assert_eq!(After::from_token("é"), None);
        assert_eq!(After::from_token("x6162"), None);
        assert_eq!(After::from_token("kzz"), None);
    }
}
