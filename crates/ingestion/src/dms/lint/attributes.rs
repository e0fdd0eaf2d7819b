//! `ExtraConnectionAttributes` of an endpoint, where settings may hide.

use serde_json::Value;

use super::Report;
use super::expect::{same, scalar};
use super::rules::EXTRA_ATTRIBUTES;

/// Where they stand.
pub(super) const PATH: &str = "/ExtraConnectionAttributes";

/// The attributes, in their order.
pub(super) struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// The value of an attribute; DMS's own pages write names in several ways.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| same(key, name)).map(|(_, value)| value.as_str())
    }
}

/// Reads the attributes of an endpoint, and reports what is no attribute.
pub(super) fn read(document: &Value, report: &mut Report) -> Attributes {
    let text = scalar(document.pointer(PATH)).unwrap_or_default();
    let mut attributes = Vec::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some((key, value)) => {
                attributes.push((key.trim().to_owned(), value.trim().to_owned()));
            }
            // The part itself is not shown: it may be a piece of a password.
            None => report.add(
                EXTRA_ATTRIBUTES,
                PATH,
                "an attribute has no `=`",
                "write `key=value;key=value`",
            ),
        }
    }
    Attributes(attributes)
}
