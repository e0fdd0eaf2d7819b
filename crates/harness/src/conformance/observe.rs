//! What a lake holds after a run, read back without the engine.

use std::collections::BTreeMap;

use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::{Warehouse, table_ident};

use crate::small_lake::contents::{self, Row, causes};

/// Prefix of the row counters in a snapshot's summary.
const COUNTERS: &str = "medallion.rows.";

/// Silver and quarantine of one table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    /// The Silver table; there is none before the first run.
    pub silver: Option<LakeTable>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// The quarantine table; there is none before the first rejected row.
    pub quarantine_table: Option<LakeTable>,
    /// Its rows.
    pub quarantine: Vec<Row>,
    /// Data files of Silver.
    pub data_files: usize,
    /// Delete files of Silver.
    pub delete_files: usize,
    /// Equality deletes among them.
    pub equality_deletes: usize,
}

impl Observed {
    /// The current snapshot.
    pub(crate) fn snapshot(&self) -> Option<i64> {
        self.silver.as_ref().and_then(LakeTable::snapshot_id)
    }

    /// The summaries of the snapshots after an earlier one, oldest first. Snapshots that leave
    /// the rows as they are (compactions) are not among them.
    pub(crate) fn commits_since(&self, earlier: Option<i64>) -> Vec<BTreeMap<String, String>> {
        let Some(table) = &self.silver else { return Vec::new() };
        let history = table.history().into_iter();
        let newer = history.take_while(|snapshot| Some(snapshot.snapshot_id()) != earlier);
        let changes = newer.filter(|s| s.summary().operation.as_str() != "replace");
        let summaries = changes.map(|s| s.summary().additional_properties.clone());
        let mut found: Vec<_> = summaries.map(|summary| summary.into_iter().collect()).collect();
        found.reverse();
        found
    }
}

/// The row counters of commits, added up; nothing when no commit tells them.
pub(crate) fn counters(commits: &[BTreeMap<String, String>]) -> Option<BTreeMap<String, u64>> {
    let mut sum = BTreeMap::new();
    for (key, value) in commits.iter().flatten() {
        let counter = key.strip_prefix(COUNTERS).zip(value.parse::<u64>().ok());
        if let Some((name, count)) = counter {
            *sum.entry(name.to_owned()).or_default() += count;
        }
    }
    (!sum.is_empty()).then_some(sum)
}

/// Reads both tables back.
///
/// # Errors
/// What cannot be read.
pub(crate) async fn observe(
    warehouse: &Warehouse,
    definition: &LakeDefinition,
    contract: &TableContract,
) -> Result<Observed, String> {
    let name = contract.table.lake_table();
    let ident = |layer: Layer| table_ident(&layer.database(&definition.name), &name);
    let mut observed = Observed::default();
    if let Some(silver) = contents::load(warehouse, &ident(Layer::Silver)).await? {
        observed.rows = contents::rows(&silver).await?;
        observed.data_files = silver.live_files().await.map_err(|e| causes(&e))?.len();
        let deletes = silver.delete_files().await.map_err(|e| causes(&e))?;
        observed.delete_files = deletes.len();
        let equality = deletes.iter().filter(|f| f.data_file.equality_ids().is_some());
        observed.equality_deletes = equality.count();
        observed.silver = Some(silver);
    }
    if let Some(quarantine) = contents::load(warehouse, &ident(Layer::Quarantine)).await? {
        observed.quarantine = contents::rows(&quarantine).await?;
        observed.quarantine_table = Some(quarantine);
    }
    Ok(observed)
}
