//! The model: Bronze becomes a table again, to be compared with the server's.

use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch, RecordBatchReader};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use bytes::Bytes;
use medallion_definition::name::TableId;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::bronze::Bronze;

/// A row's values as text, by column; NULL is not there.
pub(crate) type Values = BTreeMap<String, String>;
/// Rows by key.
pub(crate) type Rows = BTreeMap<Vec<String>, Values>;

/// A row of Bronze.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) op: String,
    /// Empty in a full load.
    pub(crate) sequence: String,
    pub(crate) timestamp: String,
    pub(crate) values: Values,
}

impl Change {
    fn key(&self, key: &[String], prefix: &str) -> Option<Vec<String>> {
        key.iter().map(|name| self.values.get(&format!("{prefix}{name}")).cloned()).collect()
    }
}

/// Replays the table's files: the rows of the full load, then the changes written after it in the
/// order of their sequences.
pub(crate) fn replay(bronze: &Bronze, table: &TableId, key: &[String], before: Rows) -> Rows {
    let mut rows = before;
    for load in loaded(bronze, table) {
        let twice = rows.insert(load.key(key, "").unwrap(), load.values.clone());
        assert!(twice.is_none(), "{table}: a key is loaded twice: {load:?}");
    }
    for change in changes(bronze, table) {
        let (now, old) = (change.key(key, "").unwrap(), change.key(key, "BI_"));
        if let Some(old) = old.filter(|old| *old != now) {
            rows.remove(&old);
        }
        match change.op.as_str() {
            "D" => rows.remove(&now),
            _ => rows.insert(now, change.values),
        };
    }
    rows
}

/// The rows of the full load.
pub(crate) fn loaded(bronze: &Bronze, table: &TableId) -> Vec<Change> {
    bronze.loads(table).iter().flat_map(|file| read(&file.content)).collect()
}

/// The changes since the full load in the order of their sequences, each sequence once: what a
/// resume has written again is the same.
pub(crate) fn changes(bronze: &Bronze, table: &TableId) -> Vec<Change> {
    let loaded = bronze.loads(table).iter().map(|file| file.order).min().unwrap_or_default();
    let files = bronze.files(table);
    let files = files.iter().filter(|file| !file.key.is_full_load() && file.order > loaded);
    let mut changes: BTreeMap<String, Change> = BTreeMap::new();
    for change in files.flat_map(|file| read(&file.content)) {
        let twice = changes.insert(change.sequence.clone(), change.clone());
        if let Some(before) = twice {
            assert_eq!((before.op, before.values), (change.op, change.values), "{table}");
        }
    }
    changes.into_values().collect()
}

/// The column names of a file.
pub(crate) fn columns(file: &Bytes) -> Vec<String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap();
    reader.schema().fields().iter().map(|field| field.name().clone()).collect()
}

fn read(file: &Bytes) -> Vec<Change> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap().build().unwrap();
    let schema = reader.schema();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let rows = concat_batches(&schema, &batches).unwrap();
    (0..rows.num_rows()).map(|row| change(&rows, row)).collect()
}

fn change(rows: &RecordBatch, row: usize) -> Change {
    let schema = rows.schema();
    let mut values = Values::new();
    for (field, column) in schema.fields().iter().zip(rows.columns()) {
        if column.is_valid(row) {
            let text = array_value_to_string(column, row).unwrap();
            let text = match field.data_type() {
                DataType::Timestamp(..) => moment(&text.replace('T', " ")),
                _ => text,
            };
            values.insert(field.name().clone(), text);
        }
    }
    let mut technical = |name| values.remove(name).unwrap_or_default();
    let [op, timestamp, sequence] = ["Op", "dms_ts", "change_seq"].map(&mut technical);
    Change { op, sequence, timestamp, values }
}

/// A moment without zeros at the end of its fraction, and without the sign of UTC.
fn moment(text: &str) -> String {
    let text = text.trim_end_matches('Z');
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

/// The names of the key's columns.
pub(crate) async fn key(conn: &mut Conn, table: &TableId) -> Vec<String> {
    let query = format!(
        "SELECT column_name FROM information_schema.key_column_usage WHERE table_schema = '{}' \
         AND table_name = '{}' AND constraint_name = 'PRIMARY' ORDER BY ordinal_position",
        table.schema, table.table
    );
    conn.query(query).await.unwrap()
}

/// What the server has.
pub(crate) async fn selected(conn: &mut Conn, table: &TableId, key: &[String]) -> Rows {
    conn.query_drop("SET SESSION time_zone = '+00:00', sql_mode = ''").await.unwrap();
    let query = format!(
        "SELECT column_name, CAST(data_type AS CHAR) FROM information_schema.columns \
         WHERE table_schema = '{}' AND table_name = '{}' ORDER BY ordinal_position",
        table.schema, table.table
    );
    let columns: Vec<(String, String)> = conn.query(query).await.unwrap();
    let shown = columns.iter().map(|(name, kind)| match kind.as_str() {
        "binary" | "varbinary" | "blob" => format!("LOWER(HEX(`{name}`))"),
        _ => format!("CAST(`{name}` AS CHAR)"),
    });
    let shown: Vec<String> = shown.collect();
    let query = format!("SELECT {} FROM {}.{}", shown.join(", "), table.schema, table.table);
    let rows: Vec<Row> = conn.query(query).await.unwrap();
    let mut selected = Rows::new();
    for mut row in rows {
        let mut values = Values::new();
        for (place, (name, kind)) in columns.iter().enumerate() {
            let Some(text) = row.take::<Option<String>, _>(place).unwrap() else { continue };
            let is_moment = ["datetime", "timestamp"].contains(&kind.as_str());
            values.insert(name.clone(), if is_moment { moment(&text) } else { text });
        }
        let place = key.iter().map(|name| values[name].clone()).collect();
        selected.insert(place, values);
    }
    selected
}

/// Fails where Bronze, replayed, and the server differ. Columns that the server does not have
/// (any more) do not count.
pub(crate) async fn assert_same(bronze: &Bronze, conn: &mut Conn, table: &TableId) {
    assert_same_since(bronze, conn, table, Rows::new()).await;
}

/// The same for changes to rows that were there before.
pub(crate) async fn assert_same_since(
    bronze: &Bronze,
    conn: &mut Conn,
    table: &TableId,
    before: Rows,
) {
    let key = key(conn, table).await;
    let wanted = selected(conn, table, &key).await;
    let mut found = replay(bronze, table, &key, before);
    let names: Vec<String> = conn
        .exec(
            "SELECT column_name FROM information_schema.columns \
             WHERE table_schema = ? AND table_name = ?",
            (table.schema.as_str(), table.table.as_str()),
        )
        .await
        .unwrap();
    for values in found.values_mut() {
        values.retain(|name, _| names.contains(name));
    }
    let missing: Vec<_> = wanted.keys().filter(|key| !found.contains_key(*key)).take(5).collect();
    assert!(missing.is_empty(), "{table}: Bronze lacks rows, first {missing:?}");
    let extra: Vec<_> = found.keys().filter(|key| !wanted.contains_key(*key)).take(5).collect();
    assert!(extra.is_empty(), "{table}: Bronze has rows that are gone, first {extra:?}");
    for (key, values) in &wanted {
        assert_eq!(found.get(key), Some(values), "{table}, row {key:?}: Bronze, then the server");
    }
}
