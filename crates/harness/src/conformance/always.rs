//! What must hold after every step of every case.

use std::collections::{BTreeMap, BTreeSet};

use medallion_definition::contract::{Column, Sensitivity, TableContract};
use medallion_tables::files::LiveFile;
use medallion_tables::table::LakeTable;
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::summary;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;

use super::observe::{Observed, counters};
use crate::small_lake::contents::{Row, causes};

/// The only columns that Silver has beside those of the contract.
const TECHNICAL: [&str; 3] = ["_change_seq", "_changed_at", "_loaded_at"];
/// The counter of all rows of a batch.
const READ: &str = "read";
/// Counters that are no part of what was read.
const BESIDE: [&str; 3] = [READ, "moved", "replaced"];
/// The column of quarantine that holds raw rows.
const RECORD: &str = "record";

/// What does not hold, one line each. An engine that `counts` its rows must count those of every
/// batch, and state the totals.
///
/// # Errors
/// What cannot be read.
pub(crate) async fn violations(
    warehouse: &Warehouse,
    contract: &TableContract,
    before: &Observed,
    after: &Observed,
    counts: bool,
) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let key: Vec<String> = contract.key.iter().map(ToString::to_string).collect();
    found.extend(repeated("silver holds a key twice", &key, &after.rows));
    let place = ["file", "etag", "row_number"].map(str::to_owned);
    found.extend(repeated("quarantine holds a row twice", &place, &after.quarantine));
    for commit in after.commits_since(before.snapshot()) {
        found.extend(unbalanced(&commit, counts));
    }
    if let Some(table) = &after.silver {
        found.extend(form(table, after));
        found.extend(totals(table, after, counts).await?);
        let personal = |column: &&Column| column.sensitivity == Sensitivity::Personal;
        let personal = contract.columns.iter().filter(personal).map(|c| c.name.as_str());
        found.extend(bounds(warehouse, table, "silver", &personal.collect::<Vec<_>>()).await?);
    }
    if let Some(table) = &after.quarantine_table {
        found.extend(bounds(warehouse, table, "quarantine", &[RECORD]).await?);
    }
    Ok(found)
}

fn repeated(what: &str, columns: &[String], rows: &[Row]) -> Option<String> {
    let mut seen = BTreeSet::new();
    let key = |row: &Row| -> Vec<Option<String>> {
        columns.iter().map(|name| row.get(name).cloned().flatten()).collect()
    };
    let twice = rows.iter().map(key).find(|key| !seen.insert(key.clone()))?;
    Some(format!("{what}: {:?}", &twice[..twice.len().min(2)]))
}

/// Why the row counters of a commit to Silver do not do, if they do not. A rebuild that takes the
/// place of the table has counted its rows where it made them.
pub(crate) fn unbalanced(commit: &BTreeMap<String, String>, counts: bool) -> Option<String> {
    let told = counters(std::slice::from_ref(commit)).unwrap_or_default();
    if counts && !told.contains_key(READ) && !commit.contains_key(summary::REPROCESS_RUN) {
        return Some("a commit does not count its rows".to_owned());
    }
    let parts = told.iter().filter(|(name, _)| !BESIDE.contains(&name.as_str()));
    let sum: u64 = parts.map(|(_, count)| count).sum();
    let read = told.get(READ).copied().unwrap_or_default();
    (sum != read).then(|| format!("a commit read {read} rows and accounts for {sum}"))
}

fn form(table: &LakeTable, after: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    let version = table.metadata().format_version() as u8;
    if version != 2 {
        found.push(format!("silver has format version {version}"));
    }
    if after.equality_deletes > 0 {
        found.push(format!("silver has {} equality deletes", after.equality_deletes));
    }
    let fields = table.arrow_schema().fields();
    let technical = fields.iter().map(|f| f.name().as_str()).filter(|name| name.starts_with('_'));
    found.extend(
        technical
            .filter(|name| !TECHNICAL.contains(name))
            .map(|name| format!("silver has the technical column `{name}`")),
    );
    found
}

/// The totals of the summary are those of the files and rows that are there.
async fn totals(table: &LakeTable, after: &Observed, counts: bool) -> Result<Vec<String>, String> {
    let Some(summary) = table.summary() else { return Ok(Vec::new()) };
    let files = table.live_files().await.map_err(|e| causes(&e))?;
    let deletes = table.delete_files().await.map_err(|e| causes(&e))?;
    let records: u64 = files.iter().map(LiveFile::records).sum();
    let deleted: u64 = deletes.iter().map(LiveFile::records).sum();
    let there = [
        ("total-data-files", files.len() as u64),
        ("total-delete-files", deletes.len() as u64),
        ("total-records", records),
        ("total-position-deletes", deleted),
    ];
    let mut found = Vec::new();
    for (name, there) in there {
        match summary.get(name) {
            Some(told) if *told != there.to_string() => {
                found.push(format!("`{name}` says {told}, there are {there}"));
            }
            None if counts => found.push(format!("a commit does not state `{name}`")),
            Some(_) | None => {}
        }
    }
    let rows = after.rows.len() as u64;
    if records.checked_sub(deleted) != Some(rows) {
        found.push(format!("{records} records less {deleted} deletes are not {rows} rows"));
    }
    Ok(found)
}

/// Personal columns have bounds neither in manifests nor in the footers or page indexes of data
/// files.
async fn bounds(
    warehouse: &Warehouse,
    table: &LakeTable,
    what: &str,
    personal: &[&str],
) -> Result<Vec<String>, String> {
    if personal.is_empty() {
        return Ok(Vec::new());
    }
    let schema = table.metadata().current_schema();
    let root = warehouse.bucket().uri("");
    let mut found = Vec::new();
    for file in table.live_files().await.map_err(|e| causes(&e))? {
        for name in personal {
            let Some(field) = schema.field_by_name(name) else { continue };
            let data = &file.data_file;
            if data.lower_bounds().contains_key(&field.id)
                || data.upper_bounds().contains_key(&field.id)
            {
                found.push(format!("a manifest of {what} has bounds of `{name}`"));
            }
        }
        let key = file.path().strip_prefix(&root).unwrap_or(file.path());
        let content = warehouse.bucket().get(key).await.map_err(|e| causes(&e))?;
        let footer = SerializedFileReader::new(content).map_err(|e| causes(&e))?;
        let told = footer.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns);
        let told =
            told.filter_map(|column| Some((column.column_path().string(), told_of(column)?)));
        let told = told.filter(|(name, _)| personal.contains(&name.as_str()));
        found.extend(told.map(|(name, it)| format!("a data file of {what} has {it} of `{name}`")));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// What a Parquet file tells of the values of a column beside the values.
fn told_of(column: &ColumnChunkMetaData) -> Option<&'static str> {
    let bounded = |s: &Statistics| s.min_bytes_opt().is_some() || s.max_bytes_opt().is_some();
    if column.statistics().is_some_and(bounded) {
        Some("statistics")
    } else if column.column_index_offset().is_some() {
        Some("statistics of pages")
    } else {
        None
    }
}

/// The objects that hold a secret text though they are none of the places for rows: metadata,
/// manifests, batch records. `printed` is what the engine said, whether it was refused or not.
///
/// # Errors
/// What cannot be read.
pub(crate) async fn leaks(
    warehouse: &Warehouse,
    secrets: &[String],
    printed: &[&str],
) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    if secrets.is_empty() {
        return Ok(found);
    }
    for text in printed {
        let line = |secret: &String| format!("what the engine says holds `{secret}`");
        found.extend(held(secrets, text.as_bytes()).into_iter().map(line));
    }
    for object in warehouse.bucket().list("").await.map_err(|e| causes(&e))? {
        if object.key.starts_with("bronze/") || object.key.ends_with(".parquet") {
            continue;
        }
        let content = warehouse.bucket().get(&object.key).await.map_err(|e| causes(&e))?;
        let line = |secret: &String| format!("`{}` holds `{secret}`", object.key);
        found.extend(held(secrets, &content).into_iter().map(line));
    }
    Ok(found)
}

/// The secrets that stand in some bytes.
fn held<'s>(secrets: &'s [String], content: &[u8]) -> Vec<&'s String> {
    let holds = |s: &&String| content.windows(s.len()).any(|part| part == s.as_bytes());
    secrets.iter().filter(holds).collect()
}
