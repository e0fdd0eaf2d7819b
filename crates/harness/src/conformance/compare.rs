//! What a case expects beside what is there.

use std::collections::BTreeMap;

use medallion_definition::contract::TableContract;
use medallion_transforms::text_table::TextTable;

use super::case::{Expect, Outcome};
use super::engine::{Class, Ended};
use super::files::{object_key, sequence};
use super::observe::{Observed, counters};
use crate::small_lake::contents::Row;

/// The most rows that a difference shows.
const SHOWN: usize = 4;
const CHANGE_SEQ: &str = "_change_seq";

/// Everything that is not as expected, one line each. An engine that `counts` its rows must have
/// counted them.
///
/// # Errors
/// When the case itself says something that cannot be.
pub(super) fn differences(
    expect: &Expect,
    contract: &TableContract,
    ended: &[Ended],
    before: &Observed,
    after: &Observed,
    counts: bool,
) -> Result<Vec<String>, String> {
    let mut found = outcome(expect, ended, before, after);
    let commits = after.commits_since(before.snapshot());
    if let Some(text) = &expect.silver {
        found.extend(silver(&table(text)?, after)?);
    }
    if let Some(text) = &expect.quarantine {
        found.extend(quarantine(&table(text)?, contract, after)?);
    }
    if let Some(expected) = &expect.balance {
        let told = counters(&commits).or_else(|| counts.then(BTreeMap::new));
        found.extend(told.into_iter().flat_map(|told| balance(expected, &told)));
    }
    if let Some(wanted) = expect.commits.filter(|wanted| *wanted != commits.len()) {
        found.push(format!("{} commits, expected {wanted}", commits.len()));
    }
    if let Some(expected) = &expect.schema {
        found.extend(schema(expected, after));
    }
    let limits = [
        ("data files", after.data_files, expect.data_files_at_most),
        ("delete files", after.delete_files, expect.delete_files_at_most),
    ];
    for (what, there, limit) in limits {
        if let Some(limit) = limit.filter(|limit| there > *limit) {
            found.push(format!("{there} {what}, expected at most {limit}"));
        }
    }
    let there = after.delete_files;
    if let Some(least) = expect.delete_files_at_least.filter(|least| there < *least) {
        found.push(format!("{there} delete files, expected at least {least}"));
    }
    Ok(found)
}

fn table(text: &str) -> Result<TextTable, String> {
    TextTable::parse(text).map_err(|line| line.reason)
}

fn outcome(expect: &Expect, ended: &[Ended], before: &Observed, after: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    let moved = !after.commits_since(before.snapshot()).is_empty();
    let mut failed = None;
    for end in ended {
        if let Ended::Failed { class, text, .. } = end {
            failed = Some((*class, text.as_str()));
        }
    }
    let shown = match (failed, moved) {
        (Some((class, text)), _) => format!("refused ({class:?}): {text}"),
        (None, true) => "committed".to_owned(),
        (None, false) => "nothing committed".to_owned(),
    };
    let class = failed.map(|(class, _)| class);
    let as_expected = match expect.outcome {
        Outcome::Committed => class.is_none() && moved,
        Outcome::UpToDate | Outcome::Waiting => class.is_none() && !moved,
        Outcome::Operator => class == Some(Class::Operator) && !moved,
        Outcome::Retry => class == Some(Class::Retry) && !moved,
        Outcome::CommittedOrRefused => class != Some(Class::Bug),
        Outcome::CommittedOrRetry => class.is_none_or(|class| class == Class::Retry),
    };
    if !as_expected {
        found.push(format!("outcome: expected {:?}, got: {shown}", expect.outcome));
    }
    // Whoever has to repair something first must not find half of a batch there.
    if expect.outcome == Outcome::Operator
        && sorted(&before.quarantine) != sorted(&after.quarantine)
    {
        let (before, after) = (before.quarantine.len(), after.quarantine.len());
        found.push(format!("quarantine changes by a refused run: from {before} rows to {after}"));
    }
    for name in &expect.names {
        if failed.is_some_and(|(_, text)| !text.contains(name.as_str())) {
            found.push(format!("the refusal does not name `{name}`: {shown}"));
        }
    }
    found
}

fn sorted(rows: &[Row]) -> Vec<&Row> {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort();
    rows
}

type Rows = Vec<Vec<Option<String>>>;

/// Rows that are on one side only, each as often as it is.
fn unequal(what: &str, header: &[String], mut expected: Rows, mut there: Rows) -> Vec<String> {
    expected.retain(|row| match there.iter().position(|other| other == row) {
        Some(place) => {
            there.swap_remove(place);
            false
        }
        None => true,
    });
    let mut found = Vec::new();
    for (side, mut rows) in [("lacks", expected), ("has", there)] {
        rows.sort();
        for row in rows.iter().take(SHOWN) {
            let cells = row.iter().map(|cell| cell.as_deref().unwrap_or("NULL"));
            let cells = header.iter().zip(cells).map(|(name, cell)| format!("{name}={cell}"));
            found.push(format!("{what} {side} {}", cells.collect::<Vec<_>>().join(" ")));
        }
        if rows.len() > SHOWN {
            found.push(format!("{what} {side} {} more", rows.len() - SHOWN));
        }
    }
    found
}

fn picked(header: &[String], rows: &[Row]) -> Rows {
    let pick = |row: &Row| header.iter().map(|name| row.get(name).cloned().flatten()).collect();
    rows.iter().map(pick).collect()
}

fn silver(expected: &TextTable, after: &Observed) -> Result<Vec<String>, String> {
    let Some(table) = &after.silver else { return Ok(vec!["there is no Silver table".into()]) };
    let mut found = Vec::new();
    let names: Vec<&String> = table.arrow_schema().fields().iter().map(|f| f.name()).collect();
    for name in names.iter().filter(|name| !name.starts_with('_')) {
        if !expected.header.contains(name) {
            found.push(format!("silver has the column `{name}`, which is not expected"));
        }
    }
    for name in expected.header.iter().filter(|name| !names.contains(name)) {
        found.push(format!("silver lacks the column `{name}`"));
    }
    let seq = expected.column(CHANGE_SEQ);
    let whole = |mut row: Vec<Option<String>>| {
        if let Some(place) = seq {
            row[place] = Some(sequence(&row[place]));
        }
        row
    };
    let rows = expected.rows.iter().cloned().map(whole).collect();
    found.extend(unequal("silver", &expected.header, rows, picked(&expected.header, &after.rows)));
    Ok(found)
}

/// The columns beside `file`, `row` and `rules` are those of the raw record.
fn quarantine(
    expected: &TextTable,
    contract: &TableContract,
    after: &Observed,
) -> Result<Vec<String>, String> {
    let mut there = Vec::new();
    for row in &after.quarantine {
        let record = row.get("record").cloned().flatten().unwrap_or_default();
        let record: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&record).map_err(|e| format!("a record is no JSON: {e}"))?;
        let own = |name: &str| row.get(name).cloned().flatten();
        let cell = |name: &String| match name.as_str() {
            "file" | "rules" => own(name),
            "row" => own("row_number"),
            "seq" => own("change_seq"),
            name => record.get(name).and_then(|value| match value {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            }),
        };
        there.push(expected.header.iter().map(cell).collect());
    }
    let (file, seq) = (expected.column("file"), expected.column("seq"));
    let whole = |mut row: Vec<Option<String>>| {
        if let Some(cell) = file.map(|place| &mut row[place]) {
            *cell = cell.as_ref().map(|short| object_key(&contract.table, short));
        }
        if let Some(cell) = seq.map(|place| &mut row[place]) {
            *cell = Some(sequence(cell));
        }
        row
    };
    let rows = expected.rows.iter().cloned().map(whole).collect();
    Ok(unequal("quarantine", &expected.header, rows, there))
}

/// Counters that the case does not name are zero.
fn balance(expected: &BTreeMap<String, u64>, told: &BTreeMap<String, u64>) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = expected.keys().chain(told.keys()).collect();
    let count = |of: &BTreeMap<String, u64>, name: &String| of.get(name).copied().unwrap_or(0);
    let different = names.into_iter().filter(|name| count(expected, name) != count(told, name));
    let line = |name: &String| {
        format!("balance: {name} {}, expected {}", count(told, name), count(expected, name))
    };
    different.map(line).collect()
}

fn schema(expected: &[String], after: &Observed) -> Vec<String> {
    let Some(table) = &after.silver else { return vec!["there is no Silver table".into()] };
    let fields = table.metadata().current_schema().as_struct().fields();
    let mut there: Vec<String> = fields
        .iter()
        .filter(|field| !field.name.starts_with('_'))
        .map(|field| format!("{} {}", field.name, field.field_type).replace(", ", ","))
        .collect();
    let mut expected = expected.to_vec();
    expected.sort();
    there.sort();
    if expected == there {
        return Vec::new();
    }
    vec![format!("schema: {}, expected {}", there.join(", "), expected.join(", "))]
}
