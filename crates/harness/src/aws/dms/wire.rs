//! What requests and replies of several resources share, in the names of the DMS API.
//!
//! Members that DMS has and this endpoint does not serve are absent, so that they are refused.
//! Source: AWS DMS API reference (2016-01-01).

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, Serializer};

use super::error::DmsError;

/// An empty reply.
#[derive(Serialize)]
pub(super) struct Empty {}

/// A point in time; on the wire seconds since the epoch with their fraction.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(super) struct Timestamp(DateTime<Utc>);

impl Timestamp {
    pub(super) fn now() -> Self {
        Self(Utc::now())
    }

    /// Milliseconds since an earlier point.
    pub(super) fn millis_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0).num_milliseconds().max(0)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.timestamp_millis() as f64 / 1000.0)
    }
}

/// A text that no message shows.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, serde::Deserialize)]
            #[serde(rename_all = "PascalCase", deny_unknown_fields)]
            pub(in crate::aws::dms) struct $name {
                $($(#[$attribute])* pub(in crate::aws::dms) $field: $type,)*
            }
        )*
    };
}
pub(super) use requests;

requests! {
    /// Which records of a list are wanted.
    Filter { name: String, values: Vec<String>, }
    /// A page of a list.
    Describe { filters: Option<Vec<Filter>>, max_records: Option<i64>, marker: Option<String>, }
    AddTags { resource_arn: String, tags: Vec<Tag>, }
    ListTags { resource_arn: Option<String>, resource_arn_list: Option<Vec<String>>, }
    TableToReload { schema_name: String, table_name: String, }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Tag {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resource_arn: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagsReply {
    pub(super) tag_list: Vec<Tag>,
}

/// Which records a Describe may return per page, and how many without a word.
const DEFAULT_RECORDS: i64 = 100;
const LEAST_RECORDS: i64 = 20;

/// The values of each filter by name; a record passes when it matches every filter.
#[derive(Debug)]
pub(super) struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    /// # Errors
    /// A name that the operation does not know, a name given twice, or a filter without values.
    pub(super) fn new(given: Option<&[Filter]>, known: &[&str]) -> Result<Self, DmsError> {
        let mut filters = BTreeMap::new();
        for Filter { name, values } in given.into_iter().flatten() {
            if !known.contains(&name.as_str()) {
                let known = known.join(", ");
                return Err(DmsError::value(format!(
                    "Filter name {name} is not valid. Valid filter names: {known}"
                )));
            }
            if values.is_empty() || filters.insert(name.clone(), values.clone()).is_some() {
                return Err(DmsError::value(format!(
                    "Filter {name} must be given once, with at least one value"
                )));
            }
        }
        Ok(Self(filters))
    }

    /// True when the record's `value` for the filter `name` is asked for, or nothing is.
    pub(super) fn pass(&self, name: &str, value: &str) -> bool {
        self.0.get(name).is_none_or(|values| values.iter().any(|wanted| wanted == value))
    }

    /// The same for a record with several values.
    pub(super) fn pass_any(&self, name: &str, values: &[&str]) -> bool {
        values.iter().any(|value| self.pass(name, value))
    }

    /// DMS answers with a fault when a record is asked for by name and is not there.
    pub(super) fn names_a_record(&self) -> bool {
        !self.0.is_empty()
    }
}

/// One page of `found` and the marker of the next; `most` is the largest page of the operation.
///
/// # Errors
/// A page size out of range or a marker that this endpoint did not give.
pub(super) fn page<T>(
    found: Vec<T>,
    max_records: Option<i64>,
    marker: Option<&str>,
    most: i64,
) -> Result<(Vec<T>, Option<String>), DmsError> {
    let size = max_records.unwrap_or(DEFAULT_RECORDS);
    if !(LEAST_RECORDS..=most).contains(&size) {
        return Err(DmsError::value(format!(
            "MaxRecords must be between {LEAST_RECORDS} and {most}"
        )));
    }
    let first = match marker {
        None => 0,
        Some(marker) => marker
            .parse::<usize>()
            .ok()
            .filter(|first| *first <= found.len())
            .ok_or_else(|| DmsError::value("The Marker is not valid"))?,
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let after = first.saturating_add(size);
    let next = (after < found.len()).then(|| after.to_string());
    Ok((found.into_iter().skip(first).take(size).collect(), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap() {
        let (all, mut marker) = ((0..45).collect::<Vec<_>>(), None);
        let mut seen = Vec::new();
        loop {
            let (page, next) = page(all.clone(), Some(20), marker.as_deref(), 100).unwrap();
            seen.extend(page);
            marker = next;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
        assert_eq!(page(all.clone(), Some(19), None, 100).unwrap_err().code(), VALUE);
        assert_eq!(page(all, None, Some("later"), 100).unwrap_err().code(), VALUE);
    }

    const VALUE: &str = "InvalidParameterValueException";

    #[test]
    fn a_filter_takes_any_of_its_values_and_only_known_names() {
        let filter = |name: &str, values: &[&str]| Filter {
            name: name.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let filters = Filters::new(Some(&[filter("id", &["a", "b"])]), &["id", "type"]).unwrap();
        assert!(filters.pass("id", "b") && !filters.pass("id", "c") && filters.pass("type", "x"));
        assert!(filters.pass_any("id", &["c", "a"]));
        for wrong in [filter("name", &["a"]), filter("id", &[])] {
            assert_eq!(Filters::new(Some(&[wrong]), &["id"]).unwrap_err().code(), VALUE);
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret: Secret = serde_json::from_str("\"geheim\"").unwrap();
        assert!(!format!("{secret:?}").contains("geheim"));
    }
}
