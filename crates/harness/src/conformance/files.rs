//! The Bronze files of a case.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime, Utc};
use medallion_definition::contract::TableContract;
use medallion_definition::name::{ColumnName, TableId};
use medallion_ingestion::layout::table_prefix;
use medallion_ingestion::schema::SourceColumn;
use medallion_transforms::text_table::{Cell, TextTable};

use super::case::BronzeStep;
use crate::small_lake::bronze::{BronzeFile, BronzeRow};

/// The time part of sequences that a case gives as a short number.
const SEQ_TIME: &str = "2026010203040500";
/// Digits of the number part.
const SEQ_NUMBER: usize = 19;
/// When the store received full-load files of which nothing is said.
const LOADED: &str = "2026-01-01 00:00:00";
/// `dms_ts` of rows of which nothing is said.
const TIMESTAMP: &str = "2026-01-02 03:04:05.000000";
const SECONDS: &str = "%Y-%m-%d %H:%M:%S";

/// The object key of a file of a case: `LOAD00000001` or `20260102-030405000`, with or without
/// its folder.
pub(super) fn object_key(table: &TableId, short: &str) -> String {
    let folder = match (short.contains('/'), short.get(..8), short.starts_with("2")) {
        (false, Some(day), true) => format!("{}/{}/{}/", &day[..4], &day[4..6], &day[6..]),
        _ => String::new(),
    };
    format!("{}{folder}{short}.parquet", table_prefix(table))
}

/// A sequence with all its digits; nothing for full-load rows.
pub(super) fn sequence(cell: &Cell) -> String {
    match cell {
        None => String::new(),
        Some(text) if text.len() < SEQ_NUMBER && text.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{SEQ_TIME}{text:0>SEQ_NUMBER$}")
        }
        Some(text) => text.clone(),
    }
}

/// When the store received a file.
///
/// # Errors
/// When the text is no time.
pub(super) fn modified(file: &BronzeStep) -> Result<SystemTime, String> {
    let said = file.modified.as_deref();
    let name = file.key.rsplit('/').next().unwrap_or_default();
    let text = match said {
        Some(said) => said.to_owned(),
        None => match NaiveDateTime::parse_from_str(name, "%Y%m%d-%H%M%S%3f") {
            Ok(written) => written.format(SECONDS).to_string(),
            Err(_) => LOADED.to_owned(),
        },
    };
    let bad = || format!("`{text}` is no time such as `2026-01-02 03:04:05` or `now-10m`");
    if let Some(age) = text.strip_prefix("now") {
        let Some(age) = age.strip_prefix('-') else { return Ok(SystemTime::now()) };
        let (number, unit) = age.split_at_checked(age.len() - 1).ok_or_else(bad)?;
        let number: u64 = number.parse().map_err(|_| bad())?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(bad()),
        };
        return Ok(SystemTime::now() - Duration::from_secs(number * seconds));
    }
    let time = NaiveDateTime::parse_from_str(&text, SECONDS).map_err(|_| bad())?;
    let time: DateTime<Utc> = time.and_utc();
    let seconds = u64::try_from(time.timestamp()).map_err(|_| bad())?;
    Ok(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The content of a file, or nothing when only its time changes.
///
/// # Errors
/// When the case says something that cannot be.
pub(super) fn content(
    file: &BronzeStep,
    contract: &TableContract,
) -> Result<Option<Bytes>, String> {
    let whole = match (&file.rows, &file.raw) {
        (Some(rows), None) => rows_content(file, contract, rows)?,
        (None, Some(raw)) => Bytes::from(raw.clone()),
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(format!("`{}` has rows and raw bytes", file.key)),
    };
    let end = file.cut.map_or(whole.len(), |cut| cut.min(whole.len()));
    Ok(Some(whole.slice(..end)))
}

fn rows_content(file: &BronzeStep, contract: &TableContract, rows: &str) -> Result<Bytes, String> {
    let bad = |what: String| format!("`{}`: {what}", file.key);
    let table = TextTable::parse(rows).map_err(|line| bad(line.reason))?;
    let source = table.header.iter().filter(|name| is_source(name));
    let columns = source.map(|name| column(file, contract, name)).collect::<Result<Vec<_>, _>>();
    let columns = columns.map_err(bad)?;
    let key_names = contract.key.iter().map(|key| {
        // A key may still have its former name in an old file.
        let names: Vec<&str> = match contract.column(key) {
            Some(column) => column.names().map(ColumnName::as_str).collect(),
            None => vec![key.as_str()],
        };
        let own = columns.iter().position(|c| names.contains(&c.name.as_str()));
        own.ok_or_else(|| bad(format!("the rows lack the key column `{key}`")))
    });
    let key = match key_names.collect::<Result<Vec<_>, _>>() {
        Ok(key) => key,
        Err(_) if file.without.iter().any(|w| contract.key.iter().any(|k| k.as_str() == w)) => {
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let rows = table.rows.iter().map(|row| bronze_row(&table, row, &columns, &key));
    let rows = rows.collect::<Result<Vec<_>, _>>().map_err(bad)?;
    let without = file.without.clone();
    BronzeFile { columns, key, rows, without }.parquet().map_err(bad)
}

fn is_source(name: &str) -> bool {
    !["op", "seq", "ts"].contains(&name) && !name.starts_with("BI_")
}

fn column(file: &BronzeStep, contract: &TableContract, name: &str) -> Result<SourceColumn, String> {
    let known = contract.columns.iter().find(|c| c.name.as_str() == name);
    let source_type = match (file.types.get(name), known) {
        (Some(text), _) => text.parse().map_err(|e| format!("{e}"))?,
        (None, Some(column)) => column.source_type.clone(),
        (None, None) => return Err(format!("the type of `{name}` is not said")),
    };
    Ok(SourceColumn { name: name.to_owned(), source_type })
}

/// The key before an update is, unless said otherwise, the same as after it.
fn bronze_row(
    table: &TextTable,
    row: &[Cell],
    columns: &[SourceColumn],
    key: &[usize],
) -> Result<BronzeRow, String> {
    let cell = |name: &str| table.column(name).and_then(|place| row[place].clone());
    let values: Vec<Cell> = columns.iter().map(|c| cell(&c.name)).collect();
    let op = cell("op").ok_or("a row without `op`")?;
    let before = key.iter().map(|&place| {
        let said = cell(&format!("BI_{}", columns[place].name));
        match (said, op.as_str()) {
            (Some(none), _) if none == "none" => None,
            (Some(said), _) => Some(said),
            (None, "U") => values[place].clone(),
            (None, _) => None,
        }
    });
    Ok(BronzeRow {
        timestamp: cell("ts").unwrap_or_else(|| TIMESTAMP.to_owned()),
        seq: Some(sequence(&cell("seq"))).filter(|seq| !seq.is_empty()),
        before: before.collect(),
        values,
        op,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_and_numbers_stand_for_whole_ones() {
        let table: TableId = "shop.items".parse().unwrap();
        let key = object_key(&table, "20260102-030405000");
        assert_eq!(key, "bronze/shop/items/2026/01/02/20260102-030405000.parquet");
        assert_eq!(object_key(&table, "LOAD00000001"), "bronze/shop/items/LOAD00000001.parquet");
        let next_day = object_key(&table, "2026/01/03/20260102-235959000");
        assert_eq!(next_day, "bronze/shop/items/2026/01/03/20260102-235959000.parquet");
        assert_eq!(sequence(&Some("7".into())), "20260102030405000000000000000000007");
        assert_eq!(sequence(&None), "");
    }
}
