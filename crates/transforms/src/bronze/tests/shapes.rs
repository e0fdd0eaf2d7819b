//! Columns that came, went, or changed their name.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;

use super::*;

fn ids(changes: &Changes) -> Vec<i64> {
    changes.source.column(0).as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn columns_are_found_by_name_in_any_order() {
    let mut turned = columns();
    turned.reverse();
    for columns in [columns(), turned] {
        let changes = try_read(&contract(), CHANGES, columns).unwrap();
        assert_eq!(ids(&changes), [1, 2, 3]);
        let notes = changes.source.column(1).as_string::<i32>();
        assert_eq!(notes.iter().collect::<Vec<_>>(), [Some("a"), None, None]);
        let before = changes.before.column(0).as_primitive::<Int64Type>();
        assert_eq!(before.iter().collect::<Vec<_>>(), [None, Some(1), None]);
        assert_eq!(changes.row.values().to_vec(), [0, 1, 2]);
        assert_eq!(changes.changed_at.value(0), 1_769_860_800_000_001);
        assert_eq!([0, 1, 2].map(|row| changes.op(row)), [Op::Insert, Op::Update, Op::Delete]);
    }
}

#[test]
fn a_renamed_column_is_found_under_either_name_and_so_is_its_old_key() {
    let mut renamed = contract();
    renamed.columns[0].renamed_from = vec!["order_id".parse().unwrap(), "no".parse().unwrap()];
    renamed.columns[1].renamed_from = vec!["text".parse().unwrap()];
    let numbers = || numbers([Some(7), Some(8), Some(9)]);
    let old = |id: &str, before: &str| {
        let text = texts([Some("x"), None, None]);
        let old = [(id, Some(numbers())), (before, Some(numbers())), ("text", Some(text))];
        let gone = ["id", "BI_id", "note"].map(|name| (name, None));
        let mut all = with(gone);
        all.extend(old.map(|(name, values)| (name.to_owned(), values.unwrap())));
        all
    };
    for columns in [old("no", "BI_no"), old("order_id", "BI_order_id"), old("no", "BI_id")] {
        let changes = try_read(&renamed, CHANGES, columns).unwrap();
        assert_eq!(ids(&changes), [7, 8, 9]);
        assert_eq!(changes.source.schema().field(0).name(), "id");
        let before = changes.before.column_by_name("id").unwrap();
        assert_eq!(before.as_primitive::<Int64Type>().values().to_vec(), [7, 8, 9]);
        assert_eq!(changes.source.column(1).as_string::<i32>().value(0), "x");
    }
    assert_eq!(ids(&try_read(&renamed, CHANGES, columns()).unwrap()), [1, 2, 3]);

    for both in ["order_id", "BI_no"] {
        let error = try_read(&renamed, CHANGES, with([(both, Some(numbers()))])).unwrap_err();
        assert!(error.contains(both) && error.contains("takes for one column"), "{error}");
    }
}

#[test]
fn a_column_may_be_missing_only_where_it_was_added() {
    let without = || with([("note", None)]);
    let error = try_read(&contract(), CHANGES, without()).unwrap_err();
    for part in [CHANGES, "`note` is missing", "hint: write `added = true`"] {
        assert!(error.contains(part), "{error}");
    }
    let mut added = contract();
    added.columns[1].added = true;
    let changes = try_read(&added, CHANGES, without()).unwrap();
    assert_eq!(changes.source.column(1).null_count(), 3);
    assert_eq!(try_read(&added, CHANGES, columns()).unwrap().source.column(1).null_count(), 2);
}

#[test]
fn a_strange_column_is_refused_unless_it_was_dropped() {
    // Not decoded either: the values are of a type that no column has.
    let strange = || with([("extra", Some(texts([Some("personal"); 3])))]);
    let error = try_read(&contract(), CHANGES, strange()).unwrap_err();
    assert!(error.contains("does not know the column `extra`\n    hint: "), "{error}");
    assert!(!error.contains("personal"), "{error}");
    let mut dropped = contract();
    dropped.dropped = vec!["extra".parse().unwrap()];
    let changes = try_read(&dropped, CHANGES, strange()).unwrap();
    assert_eq!(changes.source.num_columns(), 2);
}

#[test]
fn the_technical_columns_must_be_there() {
    for name in ["Op", "dms_ts", "change_seq", "BI_id"] {
        let error = try_read(&contract(), CHANGES, with([(name, None)])).unwrap_err();
        assert!(error.contains(&format!("`{name}` is missing")), "{error}");
        // DMS knows no key before a full load.
        let load = try_read(&contract(), LOAD, with([(name, None)]));
        assert_eq!(load.is_ok(), name == "BI_id", "{name}");
    }
    let mut twice = columns();
    twice.push(twice[3].clone());
    let error = try_read(&contract(), CHANGES, twice).unwrap_err();
    assert!(error.contains("`note` stands twice"), "{error}");
}
