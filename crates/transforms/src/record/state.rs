//! What is applied after a batch: the part of a record from which the next plan is made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{AppliedFile, BatchFile, ObjectReference};

/// The files applied so far. Change files are remembered within the look-back and a margin, the
/// files of the full load for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AppliedState {
    /// Full-load files of the generation.
    #[serde(with = "by_key")]
    pub(crate) loads: BTreeMap<String, AppliedFile>,
    /// Change files of the generation.
    #[serde(with = "by_key")]
    pub(crate) changes: BTreeMap<String, AppliedFile>,
    /// When the oldest change file applied in the generation was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_change_micros: Option<i64>,
    /// No change file of the generation that is remembered no longer holds a later `change_seq`;
    /// nothing while all are remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) forgotten_seq: Option<String>,
    /// The change files of the generation that are remembered no longer, as a tally: whoever reads
    /// them again can tell whether all of them are still there. Older records do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) forgotten_files: Option<FileTally>,
    /// Full-load files of earlier generations.
    #[serde(default, with = "by_key", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) earlier_loads: BTreeMap<String, AppliedFile>,
    /// Where the change files of earlier generations are listed: keys and entity tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) earlier: Option<ObjectReference>,
    /// The newest rebuild of the table in this generation. A history that does not know it was
    /// made by other rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rebuilt: Option<String>,
    /// Every file that arrived before this time was applied or looked at for the last time,
    /// microseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seen_micros: Option<i64>,
}

/// A set of files in a few bytes, which tells whether another set has the same keys and entity
/// tags: their number, and the sum of their hashes. The order does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileTally {
    /// How many.
    pub(crate) files: u64,
    /// The sum of the first 16 bytes of their SHA-256, modulo 2^128, in hexadecimal.
    #[serde(with = "hexadecimal")]
    sum: u128,
}

impl FileTally {
    pub(crate) fn add(&mut self, file: &BatchFile) {
        let hash = Sha256::digest(format!("{}\n{}\n", file.key, file.etag));
        let first = hash.iter().take(16).fold(0, |sum, byte| sum << 8 | u128::from(*byte));
        self.files += 1;
        self.sum = self.sum.wrapping_add(first);
    }
}

/// Numbers that JSON has no room for.
mod hexadecimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        number: &u128,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{number:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}

/// A file carries its key: the map is written as the list of its values.
mod by_key {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::record::AppliedFile;

    pub(super) fn serialize<S: Serializer>(
        files: &BTreeMap<String, AppliedFile>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(files.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, AppliedFile>, D::Error> {
        let files = Vec::<AppliedFile>::deserialize(deserializer)?;
        Ok(files.into_iter().map(|file| (file.file.key.clone(), file)).collect())
    }
}
