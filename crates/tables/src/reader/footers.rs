//! Footers that were read, for the next reader of the same file. Data files never change.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use parquet::arrow::arrow_reader::ArrowReaderMetadata;

/// Footers in memory take at most so many bytes; further ones are read whenever they are needed.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// The footers of one table, by path.
#[derive(Default)]
pub(crate) struct Footers(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_path: HashMap<String, ArrowReaderMetadata>,
    bytes: usize,
}

impl Footers {
    pub(super) fn get(&self, path: &str) -> Option<ArrowReaderMetadata> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_path.get(path).cloned()
    }

    pub(super) fn keep(&self, path: &str, footer: &ArrowReaderMetadata) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = kept.bytes + footer.metadata().memory_size();
        if bytes <= MOST_BYTES && kept.by_path.insert(path.to_owned(), footer.clone()).is_none() {
            kept.bytes = bytes;
        }
    }
}

impl fmt::Debug for Footers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write!(f, "{} footers of {} bytes", kept.by_path.len(), kept.bytes)
    }
}
