use std::borrow::Cow;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, TimeUnit};
use medallion_ingestion::schema::SourceColumn;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding, PageType};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::*;
use crate::parquet_file::decimal_len;

const TYPES: [(&str, &str); 18] = [
    ("id", "bigint unsigned"),
    ("tiny", "tinyint"),
    ("small", "smallint unsigned"),
    ("price", "decimal(15,2)"),
    ("rate", "decimal(38,4)"),
    ("count", "decimal(5,0)"),
    ("born", "date"),
    ("seen", "timestamp(6)"),
    ("active", "bit(1)"),
    ("name", "varchar(20)"),
    ("byte", "tinyint unsigned"),
    ("short", "smallint"),
    ("number", "int"),
    ("long", "bigint"),
    ("unsigned", "int unsigned"),
    ("single", "float"),
    ("precise", "double"),
    ("bytes", "varbinary(9)"),
];

/// A table whose first column is the key.
fn shape(columns: &[(&str, &str)]) -> Arc<TableShape> {
    let column = |(name, source_type): &(&str, &str)| SourceColumn {
        name: (*name).to_owned(),
        source_type: source_type.parse().unwrap(),
    };
    Arc::new(TableShape::new(columns.iter().map(column).collect(), vec![0]).unwrap())
}

fn file() -> Bytes {
    let mut buffer = RowBuffer::new(&shape(&TYPES));
    let text = |text: &'static str| Cell::Text(Cow::Borrowed(text.as_bytes()));
    let decimal = |text: &'static str| Cell::Decimal(Cow::Borrowed(text));
    let day = crate::value::Day { year: 2000, month: 2, day: 29 };
    let mut cells = vec![
        Cell::UInt(u64::MAX),
        Cell::Int(-1),
        Cell::UInt(65_535),
        decimal("-1234567890123.45"),
        decimal("9999999999999999999999999999999999.9999"),
        decimal("99999"),
        Cell::Date(day),
        Cell::Instant(1, 5),
        Cell::Bytes(Cow::Borrowed(&[1])),
        text("Ana"),
        Cell::UInt(255),
        Cell::Int(-32_768),
        Cell::Int(7),
        Cell::Int(i64::MIN),
        Cell::UInt(u64::from(u32::MAX)),
        Cell::Float(1.5),
        Cell::Double(-0.1),
        Cell::Bytes(Cow::Borrowed(&[0xFF])),
    ];
    let stamp = "2026-01-31 12:00:00.000000";
    let old = cells.clone();
    let row =
        BronzeRow { op: Op::Insert, timestamp: stamp, cells: &old, before: None, sequence: "" };
    buffer.push(&row).unwrap();
    cells[0] = Cell::UInt(7);
    let sequence = "20260131120000000000000030000883326";
    let row =
        BronzeRow { op: Op::Update, timestamp: stamp, cells: &cells, before: Some(&old), sequence };
    buffer.push(&row).unwrap();
    let nulls = vec![Cell::Null; TYPES.len()];
    let row = BronzeRow { op: Op::Delete, cells: &nulls, before: None, ..row };
    buffer.push(&row).unwrap();
    assert_eq!(buffer.rows(), 3);
    assert!(buffer.bytes() > 300);
    let file = buffer.finish().unwrap();
    assert_eq!((buffer.rows(), buffer.bytes()), (0, 0));
    file
}

#[test]
fn a_file_reads_back_with_the_bronze_schema_and_its_rows() {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file()).unwrap();
    // What has no logical type is read as UTC, as DMS's own files are.
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let in_utc = |field: &Arc<Field>| match field.data_type() {
        DataType::Timestamp(..) => field.as_ref().clone().with_data_type(utc.clone()),
        _ => field.as_ref().clone(),
    };
    let expected: Vec<Field> = shape(&TYPES).schema().fields().iter().map(in_utc).collect();
    let found: Vec<Field> = reader.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    assert_eq!(found, expected);
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let texts = |name: &str| -> Vec<Option<String>> {
        let column = batch.column_by_name(name).unwrap().as_string::<i32>();
        column.iter().map(|text| text.map(str::to_owned)).collect()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(texts("Op"), [some("I"), some("U"), some("D")]);
    assert_eq!(texts("name"), [some("Ana"), some("Ana"), None]);
    assert_eq!(texts("change_seq")[..2], [some(""), some("20260131120000000000000030000883326")]);
    let ids = |name: &str| -> Vec<Option<u64>> {
        let column = batch.column_by_name(name).unwrap();
        column.as_primitive::<arrow::datatypes::UInt64Type>().iter().collect()
    };
    assert_eq!(ids("id"), [Some(u64::MAX), Some(7), None]);
    assert_eq!(ids("BI_id"), [None, Some(u64::MAX), None]);
    let price = batch.column_by_name("price").unwrap();
    let price = price.as_primitive::<arrow::datatypes::Decimal128Type>();
    assert_eq!(price.value(0), -123_456_789_012_345);
    let seen = batch.column_by_name("seen").unwrap();
    let seen = seen.as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
    assert_eq!(seen.value(0), 1_000_005);
}

/// The observed form of DMS's files: `OPTIONAL` or `REQUIRED`, physical type, its length,
/// converted type.
fn form(column: &parquet::schema::types::ColumnDescriptor) -> String {
    let repetition = column.self_type().get_basic_info().repetition();
    let length = match column.type_length() {
        -1 => String::new(),
        length => format!("({length})"),
    };
    format!("{repetition} {}{length} {}", column.physical_type(), column.converted_type())
}

#[test]
fn the_physical_form_is_that_of_dms() {
    let reader = SerializedFileReader::new(file()).unwrap();
    let metadata = reader.metadata().file_metadata();
    assert!(metadata.key_value_metadata().is_none_or(Vec::is_empty));
    let schema = metadata.schema_descr();
    assert_eq!(schema.root_schema().name(), "schema");
    let expected = [
        ("Op", "REQUIRED BYTE_ARRAY UTF8"),
        ("dms_ts", "REQUIRED BYTE_ARRAY UTF8"),
        ("id", "OPTIONAL INT64 UINT_64"),
        ("tiny", "OPTIONAL INT32 INT_8"),
        ("small", "OPTIONAL INT32 UINT_16"),
        ("price", "OPTIONAL FIXED_LEN_BYTE_ARRAY(7) DECIMAL"),
        ("rate", "OPTIONAL FIXED_LEN_BYTE_ARRAY(16) DECIMAL"),
        ("count", "OPTIONAL FIXED_LEN_BYTE_ARRAY(3) DECIMAL"),
        ("born", "OPTIONAL INT32 DATE"),
        ("seen", "OPTIONAL INT64 TIMESTAMP_MICROS"),
        ("active", "OPTIONAL BOOLEAN NONE"),
        ("name", "OPTIONAL BYTE_ARRAY UTF8"),
        ("byte", "OPTIONAL INT32 UINT_8"),
        ("short", "OPTIONAL INT32 INT_16"),
        ("number", "OPTIONAL INT32 NONE"),
        ("long", "OPTIONAL INT64 NONE"),
        ("unsigned", "OPTIONAL INT32 UINT_32"),
        ("single", "OPTIONAL FLOAT NONE"),
        ("precise", "OPTIONAL DOUBLE NONE"),
        ("bytes", "OPTIONAL BYTE_ARRAY NONE"),
        ("BI_id", "OPTIONAL INT64 UINT_64"),
        ("change_seq", "OPTIONAL BYTE_ARRAY UTF8"),
    ];
    let found: Vec<_> = schema.columns().iter().map(|c| (c.name(), form(c))).collect();
    let found: Vec<_> = found.iter().map(|(name, form)| (*name, form.as_str())).collect();
    assert_eq!(found, expected);
    assert!(schema.columns().iter().all(|c| c.logical_type_ref().is_none()));
    let price = schema.column(5);
    assert_eq!((price.type_precision(), price.type_scale()), (15, 2));
}

#[test]
fn files_tell_no_values_but_in_their_pages_which_are_v1_and_plain() {
    let reader = SerializedFileReader::new(file()).unwrap();
    let metadata = reader.metadata();
    assert!(metadata.column_index().is_none() && metadata.offset_index().is_none());
    let group = metadata.row_group(0);
    for column in group.columns() {
        assert_eq!(column.compression(), Compression::UNCOMPRESSED);
        assert!(column.statistics().is_none(), "{}", column.column_path());
        assert!(column.column_index_offset().is_none() && column.offset_index_offset().is_none());
        assert!(column.bloom_filter_offset().is_none());
    }
    let group = reader.get_row_group(0).unwrap();
    let pages = (0..group.num_columns()).map(|column| group.get_column_page_reader(column));
    for page in pages.flat_map(Result::unwrap) {
        let page = page.unwrap();
        let known = matches!(
            (page.page_type(), page.encoding()),
            (PageType::DICTIONARY_PAGE, Encoding::PLAIN)
                | (PageType::DATA_PAGE, Encoding::PLAIN | Encoding::RLE_DICTIONARY)
        );
        assert!(known, "{:?} {}", page.page_type(), page.encoding());
        assert!(page.statistics().is_none());
    }
}

#[test]
fn row_groups_are_as_short_as_those_of_dms() {
    let shape = shape(&[("id", "int")]);
    let mut buffer = RowBuffer::new(&shape);
    for id in 0..10_001 {
        let cells = [Cell::Int(id)];
        let row =
            BronzeRow { op: Op::Insert, timestamp: "", cells: &cells, before: None, sequence: "" };
        buffer.push(&row).unwrap();
    }
    let reader = SerializedFileReader::new(buffer.finish().unwrap()).unwrap();
    let rows: Vec<i64> =
        reader.metadata().row_groups().iter().map(RowGroupMetaData::num_rows).collect();
    assert_eq!(rows, [10_000, 1]);
}

#[test]
fn a_value_that_does_not_fit_names_its_column() {
    let mut buffer = RowBuffer::new(&shape(&[("id", "int"), ("age", "tinyint")]));
    let cells = [Cell::Int(1), Cell::Int(300)];
    let row =
        BronzeRow { op: Op::Insert, timestamp: "", cells: &cells, before: None, sequence: "" };
    let error = buffer.push(&row).unwrap_err();
    let RowError::Value { column, source } = error else { panic!("{error:?}") };
    assert_eq!((column.as_str(), source), ("age", ValueError::Range));
}

#[test]
fn decimals_take_the_fewest_bytes() {
    for (precision, bytes) in [(1, 1), (2, 1), (3, 2), (9, 4), (15, 7), (18, 8), (20, 9), (38, 16)]
    {
        assert_eq!(decimal_len(precision), bytes, "{precision}");
    }
}
