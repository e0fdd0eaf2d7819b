//! Batches of one file, and what becomes of rows on the way.

use super::*;

#[test]
fn rows_are_numbered_across_batches() {
    let contract = contract();
    let columns = columns().into_iter().map(|(name, values)| (name, values, true));
    let rows = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut decoder = Decoder::new(&contract, CHANGES, 5, &rows.schema()).unwrap();
    let first = decoder.decode(&rows).unwrap();
    let second = decoder.decode(&rows.slice(1, 2)).unwrap();
    assert_eq!([first.row.value(2), second.row.value(0), second.row.value(1)], [2, 3, 4]);
    assert_eq!(second.file.values().to_vec(), [5, 5]);
    assert_eq!(second.op.iter().flatten().collect::<String>(), "UD");

    // An error names the row of the file, not that of the batch.
    let bad = with([("Op", Some(texts([Some("I"), Some("?"), Some("D")])))]);
    let bad = bad.into_iter().map(|(name, values)| (name, values, true));
    let bad = RecordBatch::try_from_iter_with_nullable(bad).unwrap();
    let error = decoder.decode(&bad).unwrap_err().to_string();
    assert!(error.contains("row 6: `Op`"), "{error}");
}

#[test]
fn row_groups_do_not_show_and_a_file_without_rows_has_none() {
    let contract = contract();
    let whole = read(&contract, CHANGES, 0, parquet(columns(), 1000)).unwrap();
    let parts = read(&contract, CHANGES, 0, parquet(columns(), 1)).unwrap();
    assert_eq!((whole.source, whole.row), (parts.source, parts.row));
    let none = columns().into_iter().map(|(name, values)| (name, values.slice(0, 0))).collect();
    let none = try_read(&contract, CHANGES, none).unwrap();
    assert!(none.is_empty());
    assert_eq!(none.source.schema(), source_schema(&contract));
}

#[test]
fn bytes_under_null_are_no_sequence() {
    let offsets = arrow::buffer::OffsetBuffer::new(vec![0, 35, 70, 105].into());
    let nulls = arrow::buffer::NullBuffer::from(vec![true, false, true]);
    let seq = StringArray::new(offsets, SEQ.repeat(3).into_bytes().into(), Some(nulls));
    let rows = with([("change_seq", Some(Arc::new(seq) as ArrayRef))]);
    let rows = rows.into_iter().map(|(name, values)| (name, values, true));
    let rows = RecordBatch::try_from_iter_with_nullable(rows).unwrap();
    let read = |key| Decoder::new(&contract(), key, 0, &rows.schema()).unwrap().decode(&rows);
    assert_eq!(read(LOAD).unwrap().seq.value(1), "");
    assert!(read(CHANGES).unwrap_err().to_string().contains("row 1: a change without"));
}
