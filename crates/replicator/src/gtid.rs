//! Global transaction ids: the identity of a transaction whatever server's binlog it stands in.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One transaction's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gtid {
    /// MySQL: who began it, with the tag if there is one, and its number there.
    MySql { source: String, number: u64 },
    /// MariaDB: replication domain, server and sequence number.
    MariaDb { domain: u32, server: u32, number: u64 },
}

/// A set of transactions: of MySQL `uuid[:tag]:1-5:7,…`, of MariaDB the last of each domain,
/// `0-1-100,…`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GtidSet {
    /// By server (and tag): the numbers as closed intervals, ascending, apart by two or more.
    sources: BTreeMap<String, Vec<(u64, u64)>>,
    /// By domain: server and number of the last.
    domains: BTreeMap<u32, (u32, u64)>,
}

/// Why a text is no set of transactions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no GTID set; MySQL writes `uuid:1-5`, MariaDB `0-1-100`")]
pub struct GtidError {
    /// The offending part.
    pub text: String,
}

impl GtidSet {
    /// True without any transaction.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.domains.is_empty()
    }

    /// True when the other set has all of these. Of MariaDB's domains the last numbers count.
    pub(crate) fn is_within(&self, other: &GtidSet) -> bool {
        let sources = self.sources.iter().all(|(source, ranges)| {
            let others = other.sources.get(source).map(Vec::as_slice).unwrap_or_default();
            let covers = |&(first, last): &(u64, u64)| {
                others.iter().any(|other| other.0 <= first && last <= other.1)
            };
            ranges.iter().all(covers)
        });
        let domains = self.domains.iter().all(|(domain, (_, number))| {
            other.domains.get(domain).is_some_and(|(_, last)| number <= last)
        });
        sources && domains
    }

    /// Adds a transaction.
    pub(crate) fn add(&mut self, gtid: &Gtid) {
        match gtid {
            Gtid::MySql { source, number } => self.add_range(source, *number, *number),
            Gtid::MariaDb { domain, server, number } => {
                let last = self.domains.entry(*domain).or_insert((*server, *number));
                if last.1 < *number {
                    *last = (*server, *number);
                }
            }
        }
    }

    fn add_range(&mut self, source: &str, first: u64, last: u64) {
        let ranges = match self.sources.get_mut(source) {
            Some(ranges) => ranges,
            None => self.sources.entry(source.to_owned()).or_default(),
        };
        // Nearly always the next number of the last range.
        if let Some(end) = ranges.last_mut().filter(|end| end.1.checked_add(1) == Some(first)) {
            end.1 = last;
            return;
        }
        ranges.push((first, last));
        ranges.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
        for &(first, last) in ranges.iter() {
            match merged.last_mut() {
                Some(end) if first <= end.1.saturating_add(1) => end.1 = end.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        *ranges = merged;
    }

    fn add_part(&mut self, part: &str) -> Option<()> {
        let pieces: Vec<&str> = part.split('-').collect();
        if let [domain, server, number] = pieces.as_slice()
            && !part.contains(':')
        {
            let last = (server.parse().ok()?, number.parse().ok()?);
            self.domains.insert(domain.parse().ok()?, last);
            return Some(());
        }
        let mut pieces = part.split(':').map(str::trim);
        let uuid = pieces.next().filter(|uuid| uuid.len() == 36)?.to_ascii_lowercase();
        let mut source = uuid.clone();
        for piece in pieces {
            if piece.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                source = format!("{uuid}:{}", piece.to_ascii_lowercase());
                continue;
            }
            let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if first == 0 || last < first {
                return None;
            }
            self.add_range(&source, first, last);
        }
        Some(())
    }
}

impl FromStr for GtidSet {
    type Err = GtidError;

    fn from_str(text: &str) -> Result<GtidSet, GtidError> {
        let mut set = GtidSet::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            set.add_part(part).ok_or_else(|| GtidError { text: part.to_owned() })?;
        }
        Ok(set)
    }
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = self.sources.iter().map(|(source, ranges)| {
            let range = |&(first, last): &(u64, u64)| match first == last {
                true => format!(":{first}"),
                false => format!(":{first}-{last}"),
            };
            format!("{source}{}", ranges.iter().map(range).collect::<String>())
        });
        let domains = self.domains.iter();
        let domains =
            domains.map(|(domain, (server, number))| format!("{domain}-{server}-{number}"));
        f.write_str(&sources.chain(domains).collect::<Vec<_>>().join(","))
    }
}

impl TryFrom<String> for GtidSet {
    type Error = GtidError;
    fn try_from(text: String) -> Result<GtidSet, GtidError> {
        text.parse()
    }
}

impl From<GtidSet> for String {
    fn from(set: GtidSet) -> String {
        set.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn set(text: &str) -> GtidSet {
        text.parse().unwrap()
    }

    #[test]
    fn sets_print_as_the_servers_print_them() {
        let texts = [
            String::new(),
            format!("{UUID}:1-5:7"),
            format!("{UUID}:1,{UUID}:tag:3-4"),
            "0-1-100,2-3-5".to_owned(),
        ];
        for text in texts {
            assert_eq!(set(&text).to_string(), text);
        }
        let upper = format!("{}:1-2:tag:9", UUID.to_ascii_uppercase());
        assert_eq!(set(&upper).to_string(), format!("{UUID}:1-2,{UUID}:tag:9"));
        for text in ["x", "0-1", "3e11fa47:1", &format!("{UUID}:0"), &format!("{UUID}:5-2")] {
            assert!(text.parse::<GtidSet>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_set_is_within_another_that_has_all_of_it() {
        let within = |one: &str, other: &str| {
            set(&one.replace('u', UUID)).is_within(&set(&other.replace('u', UUID)))
        };
        assert!(within("", "") && within("", "u:1-5") && within("u:2-3:5", "u:1-5"));
        assert!(!within("u:1-5", "u:1-3:5") && !within("u:1", "") && !within("u:t:1", "u:1"));
        assert!(within("0-1-7", "0-2-7,1-1-1") && !within("0-1-8", "0-1-7"));
        assert!(!within("0-1-7,1-1-1", "0-1-7"));
    }

    #[test]
    fn transactions_close_gaps() {
        let mut set = set(&format!("{UUID}:1-3:7"));
        let add = |set: &mut GtidSet, number| {
            set.add(&Gtid::MySql { source: UUID.to_owned(), number });
        };
        for number in [5, 4, 8, 8, 6] {
            add(&mut set, number);
        }
        assert_eq!(set.to_string(), format!("{UUID}:1-8"));
        let mut domains = "0-1-100".parse::<GtidSet>().unwrap();
        domains.add(&Gtid::MariaDb { domain: 0, server: 2, number: 101 });
        assert_eq!(domains.to_string(), "0-2-101");
        domains.add(&Gtid::MariaDb { domain: 0, server: 1, number: 100 });
        assert_eq!(domains.to_string(), "0-2-101", "read again, it stays where it was");
    }
}
