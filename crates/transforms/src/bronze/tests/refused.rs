//! Files that are refused, with the row and without its values.

use arrow::array::{BinaryArray, Int64Array, TimestampMillisecondArray, UInt64Array};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

#[test]
fn a_value_that_the_merge_cannot_use_is_refused_with_its_row() {
    let twenty = "2026013112000000000"; // 19 digits
    let signed = "+0260131120000000000000000000000001";
    let cases: [(&str, ArrayRef, &str); 13] = [
        ("Op", texts([Some("I"), Some("U"), Some("X")]), "row 2: `Op` is no operation"),
        ("Op", texts([Some("I"), None, Some("D")]), "row 1: `Op` is no operation"),
        ("Op", texts([Some("IU"), Some(""), Some("D")]), "row 0: `Op` is no operation"),
        ("change_seq", texts([Some(SEQ), None, None]), "row 1: a change without `change_seq`"),
        ("change_seq", texts([Some(SEQ), Some(SEQ), Some("")]), "row 2: a change without"),
        ("change_seq", texts([Some(twenty), Some(SEQ), Some(SEQ)]), "row 0: `change_seq` is no"),
        ("change_seq", texts([Some(SEQ), Some(signed), Some(SEQ)]), "row 1: `change_seq` is no"),
        ("dms_ts", texts([Some(TIME), Some("yesterday"), None]), "row 1: `dms_ts` is no time"),
        ("dms_ts", texts([Some(TIME), Some(TIME), None]), "row 2: `dms_ts` is no time"),
        ("id", numbers([Some(1), None, Some(3)]), "row 1: the key column `id` holds NULL"),
        (
            "id",
            Arc::new(UInt64Array::from(vec![1, u64::MAX, 3])),
            "column `id` is UInt64, and does not fit the type Int64 without loss",
        ),
        ("id", texts([Some("12"), Some("0x"), Some("3")]), "column `id` is Utf8"),
        (
            "note",
            Arc::new(BinaryArray::from(vec![b"a".as_slice(), b"\xff\xfe", b"c"])),
            "column `note` is Binary, and does not fit the type Utf8",
        ),
    ];
    for (name, values, expected) in cases {
        let error = try_read(&contract(), CHANGES, with([(name, Some(values))])).unwrap_err();
        assert!(error.contains(expected) && error.contains(CHANGES), "{expected}: {error}");
        for value in ["yesterday", signed, twenty, "0x", "18446744073709551615"] {
            assert!(!error.contains(value), "{error}");
        }
    }
}

#[test]
fn a_full_load_needs_no_sequence_but_a_right_one() {
    let seq = |values| with([("change_seq", Some(texts(values)))]);
    let changes = try_read(&contract(), LOAD, seq([None, Some(""), Some(SEQ)])).unwrap();
    assert_eq!(changes.seq.iter().collect::<Vec<_>>(), [Some(""), Some(""), Some(SEQ)]);
    let error = try_read(&contract(), LOAD, seq([None, Some("1"), None])).unwrap_err();
    assert!(error.contains("row 1: `change_seq` is no sequence"), "{error}");
}

#[test]
fn technical_columns_of_other_types_are_read_where_nothing_is_lost() {
    let millis: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![1, 2, 3]));
    let changes = try_read(&contract(), CHANGES, with([("dms_ts", Some(millis))])).unwrap();
    assert_eq!(changes.changed_at.values().to_vec(), [1000, 2000, 3000]);
    let holes: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![Some(1), None, Some(3)]));
    let error = try_read(&contract(), CHANGES, with([("dms_ts", Some(holes))])).unwrap_err();
    assert!(error.contains("row 1: `dms_ts` is no time"), "{error}");
    let long: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, i64::MAX]));
    assert!(try_read(&contract(), CHANGES, with([("id", Some(long))])).is_ok());
}

/// Whatever happens to the bytes of a file, reading it ends: in an error that names the file, or
/// in rows. What passes for rows cannot be told from the truth, since DMS writes no checksums.
#[test]
fn damaged_files_end_in_an_error_and_never_in_a_panic() {
    let whole = parquet(columns(), 2);
    let (contract, mut refused) = (contract(), 0);
    for length in 0..whole.len() {
        let error = read(&contract, CHANGES, 0, whole.slice(..length)).unwrap_err().to_string();
        assert!(error.contains(CHANGES) && error.contains("no Parquet file"), "{length}: {error}");
    }
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..4_000 {
        let mut damaged = whole.to_vec();
        for _ in 0..rng.random_range(1..4) {
            let place = rng.random_range(0..damaged.len());
            damaged[place] = rng.random();
        }
        if let Err(error) = read(&contract, CHANGES, 0, damaged.into()) {
            refused += 1;
            assert!(error.to_string().contains(CHANGES), "{error}");
        }
    }
    assert!(refused > 2_000, "{refused}");
}
