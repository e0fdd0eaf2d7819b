use std::borrow::Cow;

use arrow::array::AsArray;
use medallion_ingestion::schema::bronze_schema;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Repetition;

use super::*;
use crate::fixture::contract;

const TYPES: [(&str, &str); 10] = [
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
];

fn file() -> Bytes {
    let contract = contract("crm.customers", "id", &TYPES);
    let mut buffer = RowBuffer::new(&contract);
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
    let contract = contract("crm.customers", "id", &TYPES);
    assert_eq!(reader.schema().fields(), bronze_schema(&contract).fields());
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
}

#[test]
fn the_physical_form_is_that_of_dms() {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file()).unwrap();
    let metadata = reader.metadata().file_metadata();
    assert!(metadata.key_value_metadata().is_none_or(Vec::is_empty));
    let schema = reader.parquet_schema();
    assert_eq!(schema.root_schema().name(), "schema");
    let form = |name: &str| {
        let column = schema.columns().iter().find(|c| c.name() == name).unwrap();
        (
            column.physical_type(),
            column.type_length(),
            column.self_type().get_basic_info().repetition(),
        )
    };
    let decimal = |length| (PhysicalType::FIXED_LEN_BYTE_ARRAY, length, Repetition::OPTIONAL);
    assert_eq!(form("price"), decimal(7));
    assert_eq!(form("rate"), decimal(16));
    assert_eq!(form("count"), decimal(3));
    assert_eq!(form("Op"), (PhysicalType::BYTE_ARRAY, -1, Repetition::REQUIRED));
    assert_eq!(form("dms_ts").2, Repetition::REQUIRED);
    assert_eq!(form("id"), (PhysicalType::INT64, -1, Repetition::OPTIONAL));
    assert_eq!(form("tiny"), (PhysicalType::INT32, -1, Repetition::OPTIONAL));
    let group = reader.metadata().row_group(0);
    let statistics = |index: usize| group.column(index).statistics().is_some();
    assert!((0..schema.num_columns()).all(statistics));
}

#[test]
fn a_value_that_does_not_fit_names_its_column() {
    let contract = contract("crm.customers", "id", &[("id", "int"), ("age", "tinyint")]);
    let mut buffer = RowBuffer::new(&contract);
    let cells = [Cell::Int(1), Cell::Int(300)];
    let row =
        BronzeRow { op: Op::Insert, timestamp: "", cells: &cells, before: None, sequence: "" };
    let error = buffer.push(&row).unwrap_err();
    assert_eq!((error.column.as_str(), error.source), ("age", ValueError::Range));
}

#[test]
fn decimals_take_the_fewest_bytes() {
    for (precision, bytes) in [(1, 1), (2, 1), (3, 2), (9, 4), (15, 7), (18, 8), (20, 9), (38, 16)]
    {
        assert_eq!(decimal_len(precision), bytes, "{precision}");
    }
}
