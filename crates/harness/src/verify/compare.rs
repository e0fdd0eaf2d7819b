//! Comparing two sets of rows by key, row by row and column by column.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use medallion_definition::contract::Sensitivity;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::{Difference, Verdict, VerifyError, text};

/// A column to compare.
#[derive(Clone, Debug)]
pub(super) struct ComparedColumn {
    pub(super) name: String,
    /// The MySQL expression of its canonical text.
    pub(super) expression: String,
    pub(super) sensitivity: Sensitivity,
    pub(super) is_key: bool,
}

/// Rows by key text. Two rows of one key are both kept, because that alone is a difference.
pub(super) type RowsByKey = BTreeMap<String, Vec<Vec<Option<String>>>>;

fn keyed(columns: &[ComparedColumn], row: Vec<Option<String>>) -> (String, Vec<Option<String>>) {
    let key: Vec<String> = columns
        .iter()
        .zip(&row)
        .filter(|(column, _)| column.is_key)
        .map(|(c, value)| format!("{}={}", c.name, value.as_deref().unwrap_or("NULL")))
        .collect();
    (key.join(","), row)
}

/// Asks MySQL for the rows of `from` (a table, or a query in parentheses with an alias).
pub(super) async fn mysql_rows(
    conn: &mut Conn,
    what: &str,
    columns: &[ComparedColumn],
    from: &str,
) -> Result<RowsByKey, VerifyError> {
    let failed = |source| VerifyError::MySql { what: what.to_owned(), source };
    let list: Vec<&str> = columns.iter().map(|c| c.expression.as_str()).collect();
    conn.query_drop("SET time_zone = '+00:00'").await.map_err(failed)?;
    let sql = format!("SELECT {} FROM {from}", list.join(", "));
    // The binary protocol, so that floating-point numbers keep their bits.
    let rows: Vec<Row> = conn.exec(sql, ()).await.map_err(failed)?;
    let mut out = RowsByKey::new();
    for row in rows {
        let (key, row) = keyed(columns, row.unwrap().into_iter().map(text::of_mysql).collect());
        out.entry(key).or_default().push(row);
    }
    Ok(out)
}

/// The rows of the lake.
pub(super) fn lake_rows(
    what: &str,
    columns: &[ComparedColumn],
    batches: &[RecordBatch],
) -> Result<RowsByKey, VerifyError> {
    let mut out = RowsByKey::new();
    for batch in batches {
        let mut texts = Vec::with_capacity(columns.len());
        for column in columns {
            let array = batch
                .column_by_name(&column.name)
                .ok_or_else(|| VerifyError::Missing(format!("{what}.{}", column.name)))?;
            texts.push(text::of_arrow(array));
        }
        for row in 0..batch.num_rows() {
            let values = texts.iter().map(|column| column[row].clone()).collect();
            let (key, row) = keyed(columns, values);
            out.entry(key).or_default().push(row);
        }
    }
    Ok(out)
}

/// The rows with those of all days in one: the day is left out of the key, and the other columns,
/// which hold whole numbers, are added up. `day` is one of the key's columns.
pub(super) fn added_up(columns: &[ComparedColumn], day: &str, rows: RowsByKey) -> RowsByKey {
    let mut out = RowsByKey::new();
    for mut row in rows.into_values().flatten() {
        for (column, value) in columns.iter().zip(&mut row) {
            if column.name == day {
                *value = Some("all days".to_owned());
            }
        }
        let (key, row) = keyed(columns, row);
        let Some(sums) = out.get_mut(&key).and_then(|rows| rows.first_mut()) else {
            out.insert(key, vec![row]);
            continue;
        };
        for ((column, sum), value) in columns.iter().zip(sums).zip(row) {
            if !column.is_key {
                *sum = added(sum.as_deref(), value.as_deref());
            }
        }
    }
    out
}

/// What is no number stays visible, so that it is a difference.
fn added(a: Option<&str>, b: Option<&str>) -> Option<String> {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    match (number(a), number(b)) {
        (Some(a), Some(b)) => Some((a + b).to_string()),
        _ => Some(format!("{}, {}", a.unwrap_or("NULL"), b.unwrap_or("NULL"))),
    }
}

fn shown(column: &ComparedColumn, value: Option<&String>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some(_) if column.sensitivity == Sensitivity::Personal => "a hidden value".to_owned(),
        Some(value) if value.chars().count() > 80 => {
            let head: String = value.chars().take(80).collect();
            format!("`{head}…`")
        }
        Some(value) => format!("`{value}`"),
    }
}

/// Compares; `expected` is MySQL's side.
pub(super) fn compare(
    check: &'static str,
    place: &str,
    columns: &[ComparedColumn],
    expected: &RowsByKey,
    found: &RowsByKey,
) -> Verdict {
    let mut verdict = Verdict::default();
    let difference = |row: &str, column: Option<&str>, what: String| Difference {
        check,
        place: place.to_owned(),
        row: Some(row.to_owned()),
        column: column.map(str::to_owned),
        what,
    };
    for (key, rows) in found {
        if !expected.contains_key(key) {
            let what = format!("{} in the lake, none in MySQL", rows.len());
            verdict.differences.push(difference(key, None, what));
        }
    }
    for (key, rows) in expected {
        let lake = found.get(key).map_or(&[][..], Vec::as_slice);
        verdict.rows += rows.len();
        if lake.len() != rows.len() {
            let what = format!("{} in MySQL, {} in the lake", rows.len(), lake.len());
            verdict.differences.push(difference(key, None, what));
            continue;
        }
        for (mysql, lake) in rows.iter().zip(lake) {
            for ((column, mysql), lake) in columns.iter().zip(mysql).zip(lake) {
                verdict.values += 1;
                if mysql != lake {
                    let (wanted, got) =
                        (shown(column, mysql.as_ref()), shown(column, lake.as_ref()));
                    let what = format!("MySQL has {wanted}, the lake has {got}");
                    verdict.differences.push(difference(key, Some(&column.name), what));
                }
            }
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<ComparedColumn> {
        let column = |name: &str, sensitivity, is_key| ComparedColumn {
            name: name.to_owned(),
            expression: String::new(),
            sensitivity,
            is_key,
        };
        vec![column("id", Sensitivity::Internal, true), column("cpf", Sensitivity::Personal, false)]
    }

    fn rows(list: &[(&str, Option<&str>)]) -> RowsByKey {
        let mut out = RowsByKey::new();
        for (id, cpf) in list {
            let row = vec![Some((*id).to_owned()), cpf.map(str::to_owned)];
            let (key, row) = keyed(&columns(), row);
            out.entry(key).or_default().push(row);
        }
        out
    }

    #[test]
    fn each_kind_of_difference_is_named_and_personal_values_stay_hidden() {
        let expected = rows(&[("1", Some("111")), ("2", Some("222")), ("3", None), ("5", None)]);
        let found =
            rows(&[("1", Some("111")), ("2", Some("999")), ("4", None), ("5", None), ("5", None)]);
        let verdict = compare("silver", "t", &columns(), &expected, &found);
        let texts: Vec<String> = verdict.differences.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "silver: t row id=4: 1 in the lake, none in MySQL",
                "silver: t row id=2 column `cpf`: MySQL has a hidden value, the lake has a hidden value",
                "silver: t row id=3: 1 in MySQL, 0 in the lake",
                "silver: t row id=5: 1 in MySQL, 2 in the lake",
            ]
        );
        let same = compare("silver", "t", &columns(), &expected, &expected);
        assert_eq!((same.differences.len(), same.rows, same.values), (0, 4, 8));
    }

    #[test]
    fn days_are_added_up_and_nothing_else_is() {
        let column = |name: &str, is_key| ComparedColumn {
            name: name.to_owned(),
            expression: String::new(),
            sensitivity: Sensitivity::Internal,
            is_key,
        };
        let columns = [column("day", true), column("t", true), column("n", false)];
        let mut rows = RowsByKey::new();
        for (day, table, n) in [("1", "a", Some("3")), ("2", "a", Some("4")), ("2", "b", None)] {
            let row = vec![Some(day.to_owned()), Some(table.to_owned()), n.map(str::to_owned)];
            let (key, row) = keyed(&columns, row);
            rows.entry(key).or_default().push(row);
        }
        let sums = added_up(&columns, "day", rows);
        let values = |table: &str| sums[&format!("day=all days,t={table}")][0][2].clone();
        assert_eq!((sums.len(), values("a"), values("b")), (2, Some("7".to_owned()), None));
        assert_eq!(added(Some("1"), None).as_deref(), Some("1, NULL"));
    }
}
