//! The order in which Bronze files are applied.

use chrono::NaiveDateTime;
use medallion_ingestion::layout::BronzeKey;

/// The place of a Bronze object in file order: full load first, then by write time.
pub(crate) fn place(key: &str) -> Option<(Option<NaiveDateTime>, String)> {
    match key.parse::<BronzeKey>().ok()? {
        BronzeKey::Load { .. } => Some((None, key.to_owned())),
        BronzeKey::Changes { written, .. } => Some((Some(written), key.to_owned())),
    }
}
