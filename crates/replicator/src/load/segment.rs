//! Reading one key range of a table into files.

use chrono::Utc;
use medallion_definition::change::{ChangeSeq, Op};
use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Value};
use tokio::sync::watch;

use super::plan::{Segment, quote};
use super::{LoadError, LoadSettings};
use crate::bronze_file::{BronzeRow, RowBuffer, RowError};
use crate::progress::{Progress, WrittenFile};
use crate::result_row;
use crate::server::{Source, quoted};
use crate::shape::TableShape;
use crate::sink::BronzeSink;
use crate::value::Cell;
use crate::writer::timestamp_text;

pub(super) const READING: &str = "reading the full load";

/// What a range has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) rows: u64,
    pub(crate) files: u32,
}

/// The load of one key range.
pub(crate) struct SegmentLoad<'a, S> {
    pub(crate) source: &'a Source,
    pub(crate) sink: &'a S,
    pub(crate) settings: &'a LoadSettings,
    pub(crate) progress: &'a watch::Sender<Progress>,
    pub(crate) stop: &'a watch::Receiver<bool>,
    pub(crate) table: &'a TableId,
    pub(crate) shape: &'a std::sync::Arc<TableShape>,
    /// The number in the files' names; `None` when the range is the whole table.
    pub(crate) number: Option<u32>,
    /// An empty table leaves a file without rows.
    pub(crate) mark_empty: bool,
}

impl<S: BronzeSink> SegmentLoad<'_, S> {
    /// Reads the range through the snapshot of `conn`. `None` when asked to stop.
    pub(crate) async fn run(
        &self,
        conn: &mut Conn,
        segment: &Segment,
    ) -> Result<Option<Loaded>, LoadError> {
        let failed = |error| LoadError::Database(self.source.error(READING, error));
        let (query, params) = selection(self.table, self.shape, segment);
        // The binary protocol gives numbers and times as such, not as text.
        let mut result = conn.exec_iter(query, params).await.map_err(failed)?;
        let mut buffer = RowBuffer::new(self.shape);
        let mut loaded = Loaded { rows: 0, files: 0 };
        let mut timestamp = timestamp_text(Utc::now());
        while let Some(row) = result.next().await.map_err(failed)? {
            push(self.table, self.shape, &mut buffer, &row, &timestamp)?;
            let full = buffer.rows() >= self.settings.max_rows
                || buffer.bytes() >= self.settings.max_bytes;
            if full {
                self.write(&mut buffer, &mut loaded).await?;
                if *self.stop.borrow() {
                    return Ok(None);
                }
                timestamp = timestamp_text(Utc::now());
            }
        }
        if buffer.rows() > 0 || (self.mark_empty && loaded.files == 0) {
            self.write(&mut buffer, &mut loaded).await?;
        }
        Ok(Some(loaded))
    }

    async fn write(&self, buffer: &mut RowBuffer, loaded: &mut Loaded) -> Result<(), LoadError> {
        let rows = buffer.rows() as u64;
        let table = self.table.clone();
        let file =
            buffer.finish().map_err(|source| LoadError::File { table: table.clone(), source })?;
        let key = BronzeKey::Load { table, segment: self.number, number: loaded.files + 1 };
        self.sink.put(&key, file).await?;
        loaded.files += 1;
        loaded.rows += rows;
        self.progress.send_modify(|progress| {
            progress.files.push(WrittenFile { key, rows });
            progress.tables.entry(self.table.clone()).or_default().full_load_rows += rows;
        });
        Ok(())
    }
}

/// The query for the rows of a range, and its parameters.
pub(super) fn selection(
    table: &TableId,
    shape: &TableShape,
    segment: &Segment,
) -> (String, Params) {
    let columns: Vec<String> = shape.columns().iter().map(|c| quote(&c.name)).collect();
    let from = quoted(table.schema.as_str(), table.table.as_str());
    let first = quote(&shape.columns()[shape.key()[0]].name);
    let (condition, values) = segment.condition(&first);
    let params = if values.is_empty() { Params::Empty } else { Params::Positional(values) };
    (format!("SELECT {} FROM {from}{condition}", columns.join(", ")), params)
}

/// Appends a row of that query as a row of a full load.
pub(super) fn push(
    table: &TableId,
    shape: &TableShape,
    buffer: &mut RowBuffer,
    row: &Row,
    timestamp: &str,
) -> Result<(), LoadError> {
    let failed = |column: &str, source| LoadError::Value {
        table: table.clone(),
        column: column.to_owned(),
        source,
    };
    let mut cells: Vec<Cell<'_>> = Vec::with_capacity(row.len());
    for (index, column) in shape.columns().iter().enumerate() {
        let value = row.as_ref(index).unwrap_or(&Value::NULL);
        let cell = result_row::cell(value, &column.source_type);
        cells.push(cell.map_err(|source| failed(&column.name, source))?);
    }
    let sequence = ChangeSeq::FULL_LOAD;
    let row = BronzeRow {
        op: Op::Insert,
        timestamp,
        cells: &cells,
        before: None,
        sequence: sequence.as_str(),
    };
    buffer.push(&row).map_err(|error| match error {
        RowError::Value { column, source } => failed(&column, source),
        RowError::File(source) => LoadError::File { table: table.clone(), source },
    })
}
