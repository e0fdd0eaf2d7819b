//! Bronze replayed by the simplest reader there can be, to compare with the source.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::Array;
use arrow::util::display::array_value_to_string;
use bytes::Bytes;
use medallion_definition::change::{CHANGE_SEQ, DMS_TS, OP};
use medallion_ingestion::layout::BronzeKey;
use medallion_ingestion::schema::before_image;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// A row as text; `None` is NULL.
pub type Row = BTreeMap<String, Option<String>>;
/// Rows by the text of their key.
pub type Rows = BTreeMap<Vec<Option<String>>, Row>;

/// A Bronze file with the second at which the store received it.
#[derive(Debug)]
pub struct BronzeFile {
    /// The key.
    pub key: BronzeKey,
    /// Seconds since the epoch.
    pub received: i64,
    /// The content.
    pub content: Bytes,
}

/// Replays the files of one table.
///
/// # Errors
/// What no reader could make sense of: a key twice in a full load, one change sequence with two
/// contents, a change of a missing row.
pub fn replay(files: &[BronzeFile], key: &[String]) -> Result<Rows, String> {
    let loads = files.iter().filter(|file| file.key.is_full_load());
    let loaded = loads.clone().map(|file| file.received).min();
    let mut state = Rows::new();
    for row in loads.map(read).collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
        let place = values(&row, key);
        if state.insert(place.clone(), row).is_some() {
            return Err(format!("key {place:?} stands twice in the full load"));
        }
    }
    let mut changes: BTreeMap<String, Row> = BTreeMap::new();
    for file in files {
        let BronzeKey::Changes { written, .. } = &file.key else { continue };
        // What was written before the full load belongs to an earlier one.
        if loaded.is_some_and(|loaded| written.and_utc().timestamp() < loaded) {
            continue;
        }
        for mut row in read(file)? {
            row.remove(DMS_TS);
            let sequence = row.get(CHANGE_SEQ).cloned().flatten().unwrap_or_default();
            match changes.get(&sequence) {
                Some(known) if *known != row => {
                    return Err(format!("sequence {sequence} stands for two changes"));
                }
                _ => changes.insert(sequence, row),
            };
        }
    }
    let old: Vec<String> = key.iter().map(|name| before_image(name)).collect();
    for row in changes.into_values() {
        let (op, place, before) =
            (row.get(OP).cloned().flatten(), values(&row, key), values(&row, &old));
        match op.as_deref() {
            Some("D") => drop(state.remove(&place)),
            Some("U") if before != place => {
                state.remove(&before);
                state.insert(place, row);
            }
            _ => drop(state.insert(place, row)),
        }
    }
    Ok(state)
}

fn values(row: &Row, names: &[String]) -> Vec<Option<String>> {
    names.iter().map(|name| row.get(name).cloned().flatten()).collect()
}

fn read(file: &BronzeFile) -> Result<Vec<Row>, String> {
    let bad = |error: &dyn std::fmt::Display| format!("`{}`: {error}", file.key);
    let builder = ParquetRecordBatchReaderBuilder::try_new(file.content.clone());
    let reader = builder.and_then(ParquetRecordBatchReaderBuilder::build).map_err(|e| bad(&e))?;
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|e| bad(&e))?;
        let schema = batch.schema();
        for place in 0..batch.num_rows() {
            let mut row = Row::new();
            for (field, column) in schema.fields().iter().zip(batch.columns()) {
                let shown = match column.is_null(place) {
                    true => None,
                    false => Some(array_value_to_string(column, place).map_err(|e| bad(&e))?),
                };
                row.insert(field.name().clone(), shown);
            }
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The first differences between what Bronze says and what the source has. `names` gives each
/// column of the source with the names that it had before.
pub fn differences(bronze: &Rows, source: &Rows, names: &[(String, Vec<String>)]) -> Vec<String> {
    let keys: BTreeSet<_> = bronze.keys().chain(source.keys()).collect();
    let mut found = Vec::new();
    for key in keys {
        match (bronze.get(key), source.get(key)) {
            (Some(_), None) => found.push(format!("key {key:?}: Bronze has a row too many")),
            (None, Some(_)) => found.push(format!("key {key:?}: Bronze lacks the row")),
            (Some(bronze), Some(source)) => {
                for (name, former) in names {
                    let known = [name].into_iter().chain(former);
                    let told = known.filter_map(|name| bronze.get(name)).next().cloned().flatten();
                    let truth = source.get(name).cloned().flatten();
                    if told != truth {
                        found.push(format!("key {key:?}, `{name}`: {told:?} is not {truth:?}"));
                    }
                }
            }
            (None, None) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[(&str, &str)]) -> Row {
        values.iter().map(|(n, v)| ((*n).to_owned(), Some((*v).to_owned()))).collect()
    }

    #[test]
    fn what_differs_is_found_and_former_names_count() {
        let key = |id: &str| vec![Some(id.to_owned())];
        let bronze = Rows::from([
            (key("1"), row(&[("id", "1"), ("old", "x")])),
            (key("2"), row(&[("id", "2"), ("new", "y")])),
        ]);
        let source = Rows::from([
            (key("1"), row(&[("id", "1"), ("new", "x")])),
            (key("3"), row(&[("id", "3"), ("new", "z")])),
        ]);
        let names = [("id".to_owned(), Vec::new()), ("new".to_owned(), vec!["old".to_owned()])];
        let found = differences(&bronze, &source, &names);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("too many") && found[1].contains("lacks"), "{found:?}");
        let later = Rows::from([(key("1"), row(&[("id", "1"), ("new", "other")]))]);
        assert_eq!(differences(&bronze, &later, &names).len(), 2);
    }
}
