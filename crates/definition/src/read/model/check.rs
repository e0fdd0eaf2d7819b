//! `[[check]]` of a model's header.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use crate::finding::RuleId;
use crate::model::{CheckKind, CheckSeverity, ModelCheck, ModelColumn};
use crate::name::{ColumnName, Layer};
use crate::read::model::{find, query, repeated};
use crate::section::{At, Section};
use crate::types::LakeType;

/// A check that cannot be asked as it is written.
pub(crate) const CHECK: RuleId = RuleId("model/check");
/// A check names a column that the model does not have.
pub(crate) const CHECK_COLUMN: RuleId = RuleId("model/check-column");

const SEVERITIES: [(&str, CheckSeverity); 2] =
    [("error", CheckSeverity::Error), ("warn", CheckSeverity::Warn)];

/// Reads the keys of one kind of check.
type KindReader = fn(&Section<'_>, &[At<ModelColumn>]) -> Option<CheckKind>;

const KINDS: [(&str, KindReader); 7] = [
    ("not_null", not_null),
    ("unique", unique),
    ("accepted_values", accepted_values),
    ("relationship", relationship),
    ("row_count_change", row_count_change),
    ("freshness", freshness),
    ("sql", sql),
];

/// The keys of all kinds.
const KEYS: [&str; 9] =
    ["column", "columns", "values", "to", "to_column", "max_drop", "max_growth", "max_age", "sql"];

/// The check; its line is where its name stands, if it has one.
pub(super) fn read(section: &Section<'_>, columns: &[At<ModelColumn>]) -> Option<At<ModelCheck>> {
    let severity = section.one_of("severity", &SEVERITIES).map(|at| at.value).unwrap_or_default();
    let name = name(section);
    let kind = section.required_text("kind").and_then(|_| section.one_of("kind", &KINDS));
    let Some(kind) = kind else {
        // Which of the keys do not belong here cannot be told without the kind.
        for key in KEYS {
            section.value(key);
        }
        return None;
    };
    let kind = (kind.value)(section, columns)?;
    let line = name.as_ref().map_or(section.line, |name| name.line);
    let name = name.map_or_else(|| default_name(&kind), |name| name.value);
    Some(At { value: ModelCheck { name, kind, severity, line: section.line }, line })
}

fn name(section: &Section<'_>) -> Option<At<String>> {
    let name = section.text("name")?;
    let text = name.value.trim();
    if text.is_empty() || text.contains(char::is_control) {
        let message = "the check's name is blank, or longer than a line".to_owned();
        section.report(CHECK, name.line, message, "leave `name` away for the default".to_owned());
        return None;
    }
    Some(At { value: text.to_owned(), line: name.line })
}

/// Kind and columns, such as `unique(region,segment)`.
fn default_name(kind: &CheckKind) -> String {
    match kind {
        CheckKind::NotNull { column } => format!("not_null({column})"),
        CheckKind::Unique { columns } => {
            let names: Vec<&str> = columns.iter().map(ColumnName::as_str).collect();
            format!("unique({})", names.join(","))
        }
        CheckKind::AcceptedValues { column, .. } => format!("accepted_values({column})"),
        CheckKind::Relationship { column, .. } => format!("relationship({column})"),
        CheckKind::RowCountChange { .. } => "row_count_change".to_owned(),
        CheckKind::Freshness { column, .. } => format!("freshness({column})"),
        CheckKind::Sql { .. } => "sql".to_owned(),
    }
}

fn not_null(section: &Section<'_>, columns: &[At<ModelColumn>]) -> Option<CheckKind> {
    Some(CheckKind::NotNull { column: column(section, columns)?.name.clone() })
}

fn unique(section: &Section<'_>, columns: &[At<ModelColumn>]) -> Option<CheckKind> {
    let names = filled_list::<ColumnName>(section, "columns")?;
    for name in repeated(&names) {
        let message = format!("`columns` names `{}` twice", name.value);
        section.report(CHECK, name.line, message, String::new());
    }
    let known: Vec<_> = names.iter().map(|name| known(section, name, columns)).collect();
    let known = known.into_iter().collect::<Option<Vec<_>>>()?;
    Some(CheckKind::Unique { columns: known.into_iter().map(|c| c.name.clone()).collect() })
}

fn accepted_values(section: &Section<'_>, columns: &[At<ModelColumn>]) -> Option<CheckKind> {
    let column = column(section, columns);
    let values = filled_list::<String>(section, "values")?;
    let values = values.into_iter().map(|at| at.value).collect();
    Some(CheckKind::AcceptedValues { column: column?.name.clone(), values })
}

fn relationship(section: &Section<'_>, columns: &[At<ModelColumn>]) -> Option<CheckKind> {
    let column = column(section, columns);
    let to = section.required_text("to").and_then(|to| target(section, &to));
    let to_column = section.required("to_column");
    let (to_layer, to_table) = to?;
    Some(CheckKind::Relationship {
        column: column?.name.clone(),
        to_layer,
        to_table,
        to_column: to_column?.value,
    })
}

/// `<layer>.<table>`; whether the lake has it is asked when all files are read.
fn target(section: &Section<'_>, to: &At<&str>) -> Option<(Layer, String)> {
    let parsed = match to.value.split_once('.') {
        Some((layer, table)) => layer.parse().map_err(|error| format!("{error}")).map(|layer| {
            let layer: Layer = layer;
            (layer, table.to_owned())
        }),
        None => Err("it has no `.`".to_owned()),
    };
    match parsed {
        Ok(target) => Some(target),
        Err(reason) => {
            let message = format!("`to` is `{}`: {reason}", to.value);
            let hint = "write `<layer>.<table>`, such as `silver.crm_customers`".to_owned();
            section.report(CHECK, to.line, message, hint);
            None
        }
    }
}

fn row_count_change(section: &Section<'_>, _: &[At<ModelColumn>]) -> Option<CheckKind> {
    if section.value("max_drop").is_none() && section.value("max_growth").is_none() {
        let message = "`row_count_change` has neither `max_drop` nor `max_growth`".to_owned();
        let hint = "give a share of the published rows, such as `max_drop = 0.2`".to_owned();
        section.report(CHECK, section.line, message, hint);
        return None;
    }
    let hint = "write the largest share of the published rows that may go, from 0 to 1";
    let max_drop_permille = share(section, "max_drop", 1000, hint);
    let hint = "write the largest growth as a share of the published rows: 0.5 is half of them \
                more";
    let max_growth_permille = share(section, "max_growth", u32::MAX, hint);
    Some(CheckKind::RowCountChange { max_drop_permille, max_growth_permille })
}

/// A share in thousandths, when the key is there.
fn share(section: &Section<'_>, key: &'static str, most: u32, hint: &str) -> Option<u32> {
    let number = section.number(key)?;
    let thousandths = (number * 1000.0).round();
    let line = section.line_of_key(key);
    // Not a number is in no range.
    if !(0.0..=f64::from(most)).contains(&thousandths) || number < 0.0 {
        let message = format!("`{key}` is {number}, which is no such share");
        section.report(CHECK, line, message, hint.to_owned());
        return None;
    }
    if (number * 1000.0 - thousandths).abs() > 1e-6 {
        let message = format!("`{key}` is {number}, finer than a thousandth");
        section.report(CHECK, line, message, "write three decimals at most".to_owned());
        return None;
    }
    // Within the range of u32, and whole.
    Some(thousandths as u32)
}

fn freshness(section: &Section<'_>, columns: &[At<ModelColumn>]) -> Option<CheckKind> {
    let column = column(section, columns);
    let max_age = section.required_text("max_age").and_then(|text| {
        let age = age(text.value);
        if age.is_none() {
            let message = format!("`max_age` is `{}`, which is no age", text.value);
            let hint = "write a whole number above zero and s, m, h or d, such as `36h`; a hundred \
                        years at most";
            section.report(CHECK, text.line, message, hint.to_owned());
        }
        age
    });
    let column = column?;
    let lake_type = column.lake_type;
    if !matches!(lake_type, LakeType::TimestampTz | LakeType::Timestamp | LakeType::Date) {
        let message = format!("`freshness` on `{}`, which is {lake_type}", column.name);
        let hint = "name a column of type timestamptz, timestamp or date".to_owned();
        section.report(CHECK, section.line_of_key("column"), message, hint);
    }
    Some(CheckKind::Freshness { column: column.name.clone(), max_age: max_age? })
}

const SECONDS_OF_A_DAY: u64 = 24 * 60 * 60;
/// A hundred years: moments that are so much older can still be told.
const GREATEST_AGE: u64 = 36_525 * SECONDS_OF_A_DAY;

/// A whole number above zero and its unit.
fn age(text: &str) -> Option<Duration> {
    let number = text.trim_end_matches(['s', 'm', 'h', 'd']);
    let unit = match &text[number.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => SECONDS_OF_A_DAY,
        _ => return None,
    };
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (1..=GREATEST_AGE).contains(&seconds).then(|| Duration::from_secs(seconds))
}

fn sql(section: &Section<'_>, _: &[At<ModelColumn>]) -> Option<CheckKind> {
    let text = section.required_text("sql")?;
    let sql = query(text.value);
    if sql.is_empty() {
        let message = "the check's `sql` is blank".to_owned();
        let hint = "write a query that returns failing rows: `select … from this where …`";
        section.report(CHECK, text.line, message, hint.to_owned());
        return None;
    }
    Some(CheckKind::Sql { sql })
}

/// The model's column that the key `column` names.
fn column<'c>(section: &Section<'_>, columns: &'c [At<ModelColumn>]) -> Option<&'c ModelColumn> {
    let name = section.required("column")?;
    known(section, &name, columns)
}

fn known<'c>(
    section: &Section<'_>,
    name: &At<ColumnName>,
    columns: &'c [At<ModelColumn>],
) -> Option<&'c ModelColumn> {
    let found = find(columns, &name.value);
    if found.is_none() {
        let message = format!("the check's column `{}` is not among the columns", name.value);
        let hint = "add its [[column]], or name another".to_owned();
        section.report(CHECK_COLUMN, name.line, message, hint);
    }
    found.map(|at| &at.value)
}

/// A list that has to be there and to hold something; `None` after a finding.
fn filled_list<T: FromStr<Err: Display>>(
    section: &Section<'_>,
    key: &'static str,
) -> Option<Vec<At<T>>> {
    let Some(value) = section.value(key) else {
        section.missing(key);
        return None;
    };
    if section.list_is_empty(key) {
        let message = format!("`{key}` is empty");
        section.report(CHECK, section.line_of(value), message, "name at least one".to_owned());
    }
    Some(section.parsed_list(key)).filter(|list| !list.is_empty())
}
