//! Bronze files from texts, in the physical form of DMS's files.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field};
use bytes::Bytes;
use medallion_definition::change::{BEFORE_IMAGE_PREFIX, CHANGE_SEQ, DMS_TS, OP};
use medallion_ingestion::schema::{SourceColumn, source_schema};
use medallion_replicator::parquet_file::ParquetFile;

/// A value as text; `None` is NULL.
pub type Text = Option<String>;

/// One row of a Bronze file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BronzeRow {
    /// `I`, `U`, `D`, or what no engine should take.
    pub op: String,
    /// `yyyy-MM-dd HH:mm:ss.SSSSSS`.
    pub timestamp: String,
    /// 35 digits; nothing in a full load.
    pub seq: Text,
    /// In the order of the file's columns.
    pub values: Vec<Text>,
    /// The key before an update, in the order of the file's key.
    pub before: Vec<Text>,
}

/// A Bronze file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BronzeFile {
    /// The source columns.
    pub columns: Vec<SourceColumn>,
    /// The places of the key columns.
    pub key: Vec<usize>,
    /// The rows.
    pub rows: Vec<BronzeRow>,
    /// Names of columns that the file lacks although every file has them.
    pub without: Vec<String>,
}

impl BronzeFile {
    /// The file's bytes.
    ///
    /// # Errors
    /// When a text is no value of its column's type.
    pub fn parquet(&self) -> Result<Bytes, String> {
        let schema = source_schema(&self.columns, &self.key);
        let mut kept = Vec::new();
        let mut columns = Vec::new();
        for (place, field) in schema.fields().iter().enumerate() {
            if !self.without.contains(field.name()) {
                kept.push(place);
                columns.push(array(field, &self.texts(field.name()))?);
            }
        }
        let schema = schema.project(&kept).map_err(|e| e.to_string())?;
        let batch = RecordBatch::try_new(Arc::new(schema), columns).map_err(|e| e.to_string())?;
        let mut file = ParquetFile::begin(&batch).map_err(|e| e.to_string())?;
        file.write(&batch).map_err(|e| e.to_string())?;
        file.finish().map_err(|e| e.to_string())
    }

    fn texts(&self, name: &str) -> Vec<Text> {
        let place = |name: &str| self.columns.iter().position(|c| c.name == name);
        let before = name.strip_prefix(BEFORE_IMAGE_PREFIX).and_then(place);
        let before = before.and_then(|column| self.key.iter().position(|key| *key == column));
        let value = |row: &BronzeRow| match (name, place(name), before) {
            (OP, ..) => Some(row.op.clone()),
            (DMS_TS, ..) => Some(row.timestamp.clone()),
            (CHANGE_SEQ, ..) => row.seq.clone(),
            (_, Some(column), _) => row.values.get(column).cloned().flatten(),
            (_, None, Some(key)) => row.before.get(key).cloned().flatten(),
            (_, None, None) => None,
        };
        self.rows.iter().map(value).collect()
    }
}

/// Texts as values of a field's type; bytes are hexadecimal.
fn array(field: &Field, texts: &[Text]) -> Result<ArrayRef, String> {
    if *field.data_type() == DataType::Binary {
        let bytes = texts.iter().map(|text| text.as_ref().map(hex::decode).transpose());
        let bytes = bytes.collect::<Result<Vec<_>, _>>();
        let bytes = bytes.map_err(|e| format!("`{}`: {e}", field.name()))?;
        return Ok(Arc::new(bytes.into_iter().collect::<BinaryArray>()));
    }
    let texts: ArrayRef = Arc::new(texts.iter().cloned().collect::<StringArray>());
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&texts, field.data_type(), &strict)
        .map_err(|e| format!("`{}`: {e}", field.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_the_columns_of_a_dms_file() {
        let column = |name: &str, source_type: &str| SourceColumn {
            name: name.to_owned(),
            source_type: source_type.parse().unwrap(),
        };
        let text = |text: &str| Some(text.to_owned());
        let mut file = BronzeFile {
            columns: vec![column("id", "bigint unsigned"), column("paid", "decimal(5,2)")],
            key: vec![0],
            rows: vec![BronzeRow {
                op: "U".to_owned(),
                timestamp: "2026-01-02 03:04:05.000000".to_owned(),
                seq: None,
                values: vec![text("18446744073709551615"), text("-1.25")],
                before: vec![text("7")],
            }],
            without: Vec::new(),
        };
        let read = |file: &BronzeFile| {
            use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder as Builder;
            let reader = Builder::try_new(file.parquet().unwrap()).unwrap().build().unwrap();
            reader.map(Result::unwrap).collect::<Vec<_>>().remove(0)
        };
        let shown = |batch: &RecordBatch, name: &str| {
            let column = batch.column_by_name(name).unwrap();
            arrow::util::display::array_value_to_string(column, 0).unwrap()
        };
        let batch = read(&file);
        assert_eq!(shown(&batch, "id"), "18446744073709551615");
        assert_eq!(shown(&batch, "paid"), "-1.25");
        assert_eq!(shown(&batch, "BI_id"), "7");
        assert_eq!(shown(&batch, "change_seq"), "");
        file.without = vec!["BI_id".to_owned()];
        assert_eq!(read(&file).num_columns(), 5);
        file.rows[0].values[0] = text("-1");
        assert!(file.parquet().is_err(), "an unsigned column takes no negative value");
    }
}
