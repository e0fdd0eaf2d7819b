//! Table statistics.

use super::mappings::SourceTable;
use super::task_wire::TableRow;
use super::wire::{Filter, Filters, Timestamp, page};
use super::{error::DmsError, execution::Execution};

/// Where a table's full load stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoadState {
    Before,
    Loading,
    Completed,
    Reloading,
}

impl LoadState {
    fn text(self) -> &'static str {
        match self {
            Self::Before => "Before load",
            Self::Loading => "Full load",
            Self::Completed => "Table completed",
            Self::Reloading => "Table is being reloaded",
        }
    }
}

/// What was replicated of one table since the last fresh start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TableCounts {
    pub(super) state: LoadState,
    pub(super) full_load_rows: u64,
    pub(super) inserts: u64,
    pub(super) updates: u64,
    pub(super) deletes: u64,
    pub(super) ddls: u64,
    /// True after ReloadTables.
    pub(super) reloaded: bool,
    /// When the counts last changed.
    pub(super) updated: Option<Timestamp>,
}

impl TableCounts {
    pub(super) fn new(state: LoadState) -> Self {
        Self {
            state,
            full_load_rows: 0,
            inserts: 0,
            updates: 0,
            deletes: 0,
            ddls: 0,
            reloaded: false,
            updated: None,
        }
    }

    fn numbers(&self) -> [u64; 5] {
        [self.full_load_rows, self.inserts, self.updates, self.deletes, self.ddls]
    }

    /// Takes over new counts and notes when they changed.
    pub(super) fn replace(&mut self, new: Self) {
        let changed = self.numbers() != new.numbers();
        let updated = if changed { Some(Timestamp::now()) } else { self.updated };
        let reloaded = self.reloaded || new.reloaded;
        let state = match new.state {
            LoadState::Before | LoadState::Loading if reloaded => LoadState::Reloading,
            state => state,
        };
        *self = Self { state, updated, reloaded, ..new };
    }
}

fn row(table: &SourceTable, counts: &TableCounts, validation: bool) -> TableRow {
    TableRow {
        schema_name: table.schema.clone(),
        table_name: table.table.clone(),
        inserts: counts.inserts,
        deletes: counts.deletes,
        updates: counts.updates,
        ddls: counts.ddls,
        applied_inserts: counts.inserts,
        applied_deletes: counts.deletes,
        applied_updates: counts.updates,
        applied_ddls: counts.ddls,
        full_load_rows: counts.full_load_rows,
        full_load_condtnl_chk_failed_rows: 0,
        full_load_error_rows: 0,
        full_load_reloaded: counts.reloaded,
        last_update_time: counts.updated,
        table_state: counts.state.text(),
        validation_pending_records: 0,
        validation_failed_records: 0,
        validation_suspended_records: 0,
        // DMS validates an S3 target by Athena once a day, which nothing here does.
        validation_state: if validation { "Pending validation" } else { "Not enabled" },
    }
}

/// One page of a replication's tables.
///
/// # Errors
/// Wrong filters or a wrong page.
pub(super) fn table_page(
    execution: &Execution,
    validation: bool,
    filters: Option<&[Filter]>,
    max_records: Option<i64>,
    marker: Option<&str>,
) -> Result<(Vec<TableRow>, Option<String>), DmsError> {
    let filters = Filters::new(filters, &["schema-name", "table-name", "table-state"])?;
    let rows = execution.tables.iter().filter(|(table, counts)| {
        filters.pass("schema-name", &table.schema)
            && filters.pass("table-name", &table.table)
            && filters.pass("table-state", counts.state.text())
    });
    let rows = rows.map(|(table, counts)| row(table, counts, validation)).collect();
    page(rows, max_records, marker, 500)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_note_when_they_changed() {
        let mut counts = TableCounts { inserts: 2, ..TableCounts::new(LoadState::Loading) };
        counts.replace(TableCounts { state: LoadState::Completed, ..counts });
        assert_eq!((counts.state, counts.updated), (LoadState::Completed, None));
        counts.reloaded = true;
        counts.replace(TableCounts { inserts: 3, reloaded: false, ..counts });
        assert!(counts.updated.is_some() && counts.reloaded);
    }
}
