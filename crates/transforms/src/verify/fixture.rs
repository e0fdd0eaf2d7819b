//! A contract and rows for tests.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use medallion_definition::contract::TableContract;
use medallion_definition::lake::{LakeDefinition, SourceFile};

use super::hash::compared_schema;

pub(super) fn contract() -> TableContract {
    let column = |name: &str, source_type: &str, nullable: bool| {
        format!(
            "[[column]]\nname = \"{name}\"\ntype = \"{source_type}\"\nnullable = {nullable}\n\
             sensitivity = \"internal\"\n"
        )
    };
    let table = format!(
        "version = 1\ntable = \"a.b\"\ndescription = \"b\"\nkey = [\"id\"]\n{}{}{}{}",
        column("id", "int", false),
        column("left", "varchar(9)", true),
        column("right", "varchar(9)", true),
        column("number", "double", true),
    );
    let files = [
        ("lake.toml", "version = 1\nname = \"l\"\ndescription = \"l\"\n"),
        ("policy.toml", "version = 1\n"),
        ("tables/t.toml", table.as_str()),
    ];
    let files = files.map(|(path, text)| SourceFile { path: path.into(), text: text.into() });
    LakeDefinition::read(&files).unwrap().tables.remove(0)
}

pub(super) type Row<'a> = (i32, Option<&'a str>, Option<&'a str>, Option<f64>);

pub(super) fn batch(rows: &[Row<'_>]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.0).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.2).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.3).collect::<Float64Array>()),
        Arc::new(StringArray::from(vec!["1"; rows.len()])),
        Arc::new(TimestampMicrosecondArray::from(vec![7; rows.len()])),
    ];
    RecordBatch::try_new(compared_schema(&contract()), columns).unwrap()
}
