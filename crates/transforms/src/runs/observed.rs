//! A table as a run left it, told by the summary of its snapshot.

use std::collections::HashMap;

use medallion_definition::lake::LakeDefinition;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::{Warehouse, WarehouseError};

use super::{RunMode, RunOutput, TableRef};
use crate::gold::Versions;
use crate::{spec, summary};

/// What the current snapshot of a table says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The snapshot.
    pub snapshot: Option<i64>,
    /// The table's live rows.
    pub rows: Option<u64>,
    /// Its data files.
    pub files: Option<u64>,
    /// The bytes of its data and delete files.
    pub bytes: Option<u64>,
    /// Rows in the files that the snapshot added.
    pub added: u64,
    /// Rows in the files that it removed, and positions that it deleted.
    pub removed: u64,
    /// [`summary::MODE`].
    pub mode: Option<RunMode>,
    /// [`summary::INPUTS`].
    pub inputs: Versions,
}

impl Observed {
    /// Loads the table and reads its summary; nothing for a table that does not exist.
    ///
    /// # Errors
    /// When catalog or metadata cannot be read.
    pub async fn load(
        lake: &LakeDefinition,
        warehouse: &Warehouse,
        table: &TableRef,
    ) -> Result<Option<Observed>, WarehouseError> {
        let ident = spec::ident(lake, table.layer, &table.table);
        Ok(warehouse.load(&ident).await?.as_ref().map(Observed::of))
    }

    /// What the table's current snapshot says.
    pub fn of(table: &LakeTable) -> Observed {
        let empty = HashMap::new();
        Observed::told(table.snapshot_id(), table.summary().unwrap_or(&empty))
    }

    /// What a snapshot's summary says; a table without a snapshot has no rows.
    pub fn told(snapshot: Option<i64>, summary: &HashMap<String, String>) -> Observed {
        let number = |key: &str| summary.get(key).and_then(|text| text.parse::<u64>().ok());
        let total = |key: &str| if snapshot.is_none() { Some(0) } else { number(key) };
        let deleted = number("total-position-deletes").unwrap_or_default();
        let inputs = summary.get(summary::INPUTS).map(|text| serde_json::from_str(text));
        Observed {
            snapshot,
            rows: total("total-records").map(|rows| rows.saturating_sub(deleted)),
            files: total("total-data-files"),
            bytes: total("total-files-size"),
            added: number("added-records").unwrap_or_default(),
            removed: number("deleted-records").unwrap_or_default()
                + number("added-position-deletes").unwrap_or_default(),
            mode: summary.get(summary::MODE).and_then(|name| RunMode::named(name)),
            inputs: inputs.and_then(Result::ok).unwrap_or_default(),
        }
    }

    /// The table's part of a record.
    pub(super) fn output(&self, table: TableRef) -> RunOutput {
        RunOutput {
            snapshot: self.snapshot,
            rows: self.rows,
            files: self.files,
            bytes: self.bytes,
            ..RunOutput::of(table)
        }
    }
}
