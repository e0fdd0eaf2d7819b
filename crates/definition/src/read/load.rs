//! `[load]` of a table contract.

use std::cmp::Ordering;

use toml::Spanned;
use toml::de::DeValue;

use crate::contract::{Column, LoadOptions, LoadRanges, RangeValue};
use crate::finding::RuleId;
use crate::name::ColumnName;
use crate::section::{At, Section};
use crate::types::MySqlType;

/// A column that key ranges cannot be made of.
pub(crate) const RANGE_COLUMN: RuleId = RuleId("contract/range-column");
/// A boundary that does not fit the columns, or boundaries that do not ascend.
pub(crate) const RANGE_BOUNDARY: RuleId = RuleId("contract/range-boundary");

/// DMS compares at most so many columns.
const MOST_COLUMNS: usize = 10;
/// A third of 102,400 KB, the largest limited LOB size that AWS recommends: DMS measures LOB
/// sizes after a conversion for which its guide asks to reckon with three times the size.
const LARGEST_LOB_KB: u32 = 102_400 / 3;

/// Reads the section; without it, the defaults.
pub(crate) fn read(root: &Section<'_>, columns: &[At<Column>]) -> LoadOptions {
    let Some(value) = root.value("load") else { return LoadOptions::default() };
    let Some(load) = Section::of_value(root.reader, value, "[load]") else {
        let (line, message) = (root.line_of(value), "`load` is no table".to_owned());
        root.report(RANGE_BOUNDARY, line, message, "write it as `[load]`".to_owned());
        return LoadOptions::default();
    };
    let lob_max_kb = load.integer("lob_max_kb", 1, LARGEST_LOB_KB);
    let ranges = load.value("ranges").and_then(|value| ranges(&load, value, columns));
    load.finish();
    LoadOptions { ranges, lob_max_kb }
}

fn ranges(
    load: &Section<'_>,
    value: &Spanned<DeValue<'_>>,
    columns: &[At<Column>],
) -> Option<LoadRanges> {
    let line = load.line_of(value);
    let Some(section) = Section::of_value(load.reader, value, "`ranges`") else {
        let hint = "write `ranges = { columns = [\"…\"], boundaries = [[…]] }`".to_owned();
        load.report(RANGE_BOUNDARY, line, "`ranges` is no table".to_owned(), hint);
        return None;
    };
    let names = section.parsed_list::<ColumnName>("columns");
    let rows = section.list("boundaries");
    section.finish();
    if names.is_empty() || names.len() > MOST_COLUMNS {
        let message = format!("key ranges over {} columns", names.len());
        load.report(RANGE_COLUMN, line, message, format!("name 1 to {MOST_COLUMNS} columns"));
        return None;
    }
    let used: Vec<Option<&Column>> =
        names.iter().map(|name| range_column(&section, name, columns)).collect();
    let used: Vec<&Column> = used.into_iter().collect::<Option<_>>()?;
    if rows.is_empty() {
        let hint = "each boundary is a list with one value per column".to_owned();
        load.report(RANGE_BOUNDARY, line, "key ranges without boundaries".to_owned(), hint);
        return None;
    }
    let boundaries: Vec<Option<Vec<RangeValue>>> =
        rows.iter().map(|row| boundary(&section, row, &used)).collect();
    let boundaries: Vec<Vec<RangeValue>> = boundaries.into_iter().collect::<Option<_>>()?;
    for (pair, row) in boundaries.windows(2).zip(rows.iter().skip(1)) {
        if compare(&pair[0], &pair[1]) != Some(Ordering::Less) {
            let message = "a boundary is not above the one before it".to_owned();
            let hint = "boundaries ascend by the first column, then the next; texts must ascend \
                        with and without regard to case";
            load.report(RANGE_BOUNDARY, load.line_of(row), message, hint.to_owned());
        }
    }
    Some(LoadRanges { columns: names.into_iter().map(|n| n.value).collect(), boundaries })
}

/// The column of a range when DMS can cut by it without losing rows.
fn range_column<'c>(
    section: &Section<'_>,
    name: &At<ColumnName>,
    columns: &'c [At<Column>],
) -> Option<&'c Column> {
    let refuse = |message: String, hint: &str| {
        section.report(RANGE_COLUMN, name.line, message, hint.to_owned());
        None
    };
    let Some(column) = columns.iter().find(|c| c.value.name == name.value) else {
        return refuse(format!("`{}` is not among the columns", name.value), "add its [[column]]");
    };
    let column = &column.value;
    if column.nullable {
        let hint = "DMS does not load rows that are NULL in a range column";
        return refuse(format!("`{}` is nullable", name.value), hint);
    }
    if value_kind(&column.source_type).is_none() {
        let hint = "ranges are cut by integers, DECIMAL, YEAR, DATE, DATETIME, TIMESTAMP, CHAR or \
                    VARCHAR";
        let source_type = &column.source_type;
        return refuse(
            format!("`{}` is {source_type}, by which no range is cut", name.value),
            hint,
        );
    }
    Some(column)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ValueKind {
    Integer,
    Moment,
    Text,
}

/// How boundaries of a column are written; `None` for types that no range is cut by.
fn value_kind(source_type: &MySqlType) -> Option<ValueKind> {
    match source_type {
        MySqlType::Int { .. } | MySqlType::Decimal { .. } | MySqlType::Year => {
            Some(ValueKind::Integer)
        }
        MySqlType::Date | MySqlType::DateTime(_) | MySqlType::Timestamp(_) => {
            Some(ValueKind::Moment)
        }
        MySqlType::Char { .. } => Some(ValueKind::Text),
        _ => None,
    }
}

fn boundary(
    section: &Section<'_>,
    row: &Spanned<DeValue<'_>>,
    columns: &[&Column],
) -> Option<Vec<RangeValue>> {
    let line = section.line_of(row);
    let values = row.get_ref().as_array().map(|a| a.iter().collect::<Vec<_>>());
    let values = values.unwrap_or_default();
    if values.len() != columns.len() {
        let (got, wanted) = (values.len(), columns.len());
        let message = format!("a boundary has {got} values for {wanted} columns");
        let hint = "give one value per column, in the order of the columns".to_owned();
        section.report(RANGE_BOUNDARY, line, message, hint);
        return None;
    }
    let mut out = Vec::new();
    for (value, column) in values.into_iter().zip(columns) {
        let Some(parsed) = range_value(value.get_ref(), &column.source_type) else {
            let message = format!("a boundary value does not fit `{}`", column.name);
            let hint = "integers for numbers, `2026-01-31` or `2026-01-31 00:00:00` for dates and \
                        times, texts of ASCII letters, digits and blanks";
            section.report(RANGE_BOUNDARY, line, message, hint.to_owned());
            return None;
        };
        out.push(parsed);
    }
    Some(out)
}

fn range_value(value: &DeValue<'_>, source_type: &MySqlType) -> Option<RangeValue> {
    match value_kind(source_type)? {
        ValueKind::Integer => value.as_integer()?.as_str().parse().ok().map(RangeValue::Integer),
        ValueKind::Moment => value.as_str().filter(|t| is_moment(t)).map(text),
        // The order of anything else depends on the collation.
        ValueKind::Text => {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == ' ';
            value.as_str().filter(|t| !t.is_empty() && t.chars().all(plain)).map(text)
        }
    }
}

fn text(text: &str) -> RangeValue {
    RangeValue::Text(text.to_owned())
}

/// `2026-01-31`, with or without ` 23:59:59`; the order of such texts is that of their times.
fn is_moment(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00" || shape == "0000-00-00 00:00:00"
}

/// The order of two boundaries; `None` when it depends on the collation.
fn compare(a: &[RangeValue], b: &[RangeValue]) -> Option<Ordering> {
    for (a, b) in a.iter().zip(b) {
        let order = match (a, b) {
            (RangeValue::Integer(a), RangeValue::Integer(b)) => a.cmp(b),
            (RangeValue::Text(a), RangeValue::Text(b)) => {
                let exact = a.cmp(b);
                let folded = a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase());
                if exact != folded {
                    return None;
                }
                exact
            }
            _ => return None,
        };
        if order != Ordering::Equal {
            return Some(order);
        }
    }
    Some(Ordering::Equal)
}
