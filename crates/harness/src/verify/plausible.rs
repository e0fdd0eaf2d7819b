//! What MySQL cannot know about Gold tables, looked at for what it can be: times of the lake.

use std::collections::BTreeSet;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDate, Utc};
use medallion_definition::change::{SILVER_CHANGE_SEQ, SILVER_CHANGED_AT};
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::spec;

use super::{Difference, RunFacts, Verdict, VerifyError};

/// The model of operations per day.
const OPERATIONS: &str = "registry_operations";
/// Its percentiles, from the lowest.
const LATENCIES: [&str; 3] = ["latency_p50", "latency_p95", "latency_p99"];
/// The model of rules.
const QUALITY: &str = "data_quality";
/// Commits have whole seconds, so that a change may look up to a second older than it is.
const SECOND: i64 = 1_000_000;

/// Looks at the latencies and at the times of rejections, as far as the lake has these models.
///
/// # Errors
/// When a table cannot be read.
pub async fn verify(
    lake: &LakeDefinition,
    warehouse: &Warehouse,
    facts: &RunFacts,
) -> Result<Verdict, VerifyError> {
    let mut verdict = Verdict::default();
    let now = Utc::now();
    if lake.model(OPERATIONS).is_some() {
        let merged = merged(lake, warehouse).await?;
        let longest = (now - facts.began).num_microseconds().unwrap_or(i64::MAX - SECOND) + SECOND;
        let ident = spec::ident(lake, Layer::Gold, OPERATIONS);
        for batch in super::read_table(warehouse, &ident).await? {
            latencies(&batch, &merged, longest, &mut verdict)?;
        }
    }
    if lake.model(QUALITY).is_some() {
        let ident = spec::ident(lake, Layer::Gold, QUALITY);
        for batch in super::read_table(warehouse, &ident).await? {
            rejections(&batch, (facts.began, now), &mut verdict)?;
        }
    }
    Ok(verdict)
}

/// The days in UTC and source tables of the changes that made a row of Silver.
async fn merged(
    lake: &LakeDefinition,
    warehouse: &Warehouse,
) -> Result<BTreeSet<(NaiveDate, String)>, VerifyError> {
    let mut found = BTreeSet::new();
    for contract in &lake.tables {
        let ident = spec::ident(lake, Layer::Silver, &contract.table.lake_table());
        for batch in super::read_table(warehouse, &ident).await? {
            let seqs = column(&batch, SILVER_CHANGE_SEQ)?.as_string::<i32>();
            let times = column(&batch, SILVER_CHANGED_AT)?;
            let times = times.as_primitive::<TimestampMicrosecondType>();
            for (seq, time) in seqs.iter().zip(times) {
                let day = time.and_then(DateTime::from_timestamp_micros).map(|t| t.date_naive());
                if let Some(day) = day.filter(|_| seq.is_some_and(|seq| !seq.is_empty())) {
                    found.insert((day, contract.table.to_string()));
                }
            }
        }
    }
    Ok(found)
}

/// Each percentile is there exactly when a change of the day made a row, and none is above the next
/// or longer than the run.
fn latencies(
    batch: &RecordBatch,
    merged: &BTreeSet<(NaiveDate, String)>,
    longest: i64,
    verdict: &mut Verdict,
) -> Result<(), VerifyError> {
    let days = column(batch, "day")?.as_primitive::<Date32Type>();
    let tables = column(batch, "table_name")?.as_string::<i32>();
    let percentiles: Vec<_> =
        LATENCIES.iter().map(|name| column(batch, name)).collect::<Result<_, _>>()?;
    for row in 0..batch.num_rows() {
        let value = |percentile: &&ArrayRef| {
            let percentile = percentile.as_primitive::<Decimal128Type>();
            percentile.is_valid(row).then(|| percentile.value(row))
        };
        let values: Vec<Option<i128>> = percentiles.iter().map(value).collect();
        let day = days.value_as_date(row).unwrap_or_default();
        let table = tables.value(row);
        let expected = merged.contains(&(day, table.to_owned()));
        verdict.values += LATENCIES.len();
        if let Some(what) = odd_latencies(&values, expected, longest.into()) {
            let row = Some(format!("day={day},table_name={table}"));
            verdict.differences.push(difference(OPERATIONS, row, what));
        }
    }
    Ok(())
}

/// What is wrong with percentiles in microseconds.
fn odd_latencies(values: &[Option<i128>], expected: bool, longest: i128) -> Option<String> {
    let there: Vec<i128> = values.iter().copied().flatten().collect();
    if there.len() != if expected { values.len() } else { 0 } {
        let changes = if expected { "a change" } else { "no change" };
        return Some(format!("{} latencies, and {changes} of this day in Silver", there.len()));
    }
    let in_order = there.is_sorted() && there.iter().all(|v| (0..=longest).contains(v));
    (!in_order).then(|| format!("latencies of {there:?} microseconds, within {longest}"))
}

/// The times are there exactly when something was rejected, in order and within the run.
fn rejections(
    batch: &RecordBatch,
    (began, now): (DateTime<Utc>, DateTime<Utc>),
    verdict: &mut Verdict,
) -> Result<(), VerifyError> {
    let rules = column(batch, "rule")?.as_string::<i32>();
    let counts = column(batch, "rejected")?.as_primitive::<Int64Type>();
    let time = |name| Ok(column(batch, name)?.as_primitive::<TimestampMicrosecondType>());
    let (firsts, lasts) = (time("first_rejected_at")?, time("last_rejected_at")?);
    for row in 0..batch.num_rows() {
        let first = firsts.is_valid(row).then(|| firsts.value(row));
        let last = lasts.is_valid(row).then(|| lasts.value(row));
        verdict.values += 2;
        let right = match (first, last) {
            (None, None) => counts.value(row) == 0,
            (Some(first), Some(last)) => {
                let times = [began.timestamp_micros(), first, last, now.timestamp_micros()];
                counts.value(row) > 0 && times.is_sorted()
            }
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !right {
            let what = format!("{} rejections, from {first:?} to {last:?}", counts.value(row));
            let row = Some(format!("rule={}", rules.value(row)));
            verdict.differences.push(difference(QUALITY, row, what));
        }
    }
    Ok(())
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef, VerifyError> {
    batch.column_by_name(name).ok_or_else(|| VerifyError::Missing(name.to_owned()))
}

fn difference(model: &str, row: Option<String>, what: String) -> Difference {
    Difference { check: "gold", place: format!("gold.{model}"), row, column: None, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_there_with_a_change_and_in_order_within_the_run() {
        let three = |a, b, c| [Some(a), Some(b), Some(c)];
        let odd = |values: &[Option<i128>], expected| odd_latencies(values, expected, 10).is_some();
        assert!(!odd(&three(0, 5, 10), true));
        assert!(!odd(&[None, None, None], false));
        for wrong in [three(5, 4, 6), three(-1, 0, 1), three(1, 2, 11)] {
            assert!(odd(&wrong, true), "{wrong:?}");
        }
        assert!(odd(&three(1, 2, 3), false));
        assert!(odd(&[None, None, None], true));
        assert!(odd(&[Some(1), None, Some(2)], true));
    }
}
