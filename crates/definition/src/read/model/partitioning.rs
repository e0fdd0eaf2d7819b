//! `partitioning` of a model's header: `bucket(column, n)`.

use crate::finding::RuleId;
use crate::model::{ModelColumn, Partitioning};
use crate::name::ColumnName;
use crate::read::model::find;
use crate::section::{At, Section};
use crate::types::LakeType;

/// A partitioning that cannot be read, or that does not fit the columns.
pub(crate) const PARTITIONING: RuleId = RuleId("model/partitioning");

/// Fewer would split nothing, more would make small files.
const BUCKETS: std::ops::RangeInclusive<u32> = 2..=1024;

/// `bucket(column, n)`.
pub(super) struct Bucket {
    column: ColumnName,
    buckets: u32,
}

impl From<Bucket> for Partitioning {
    fn from(bucket: Bucket) -> Partitioning {
        Partitioning::Bucket { column: bucket.column, buckets: bucket.buckets }
    }
}

/// The buckets; `None` for a table that is not partitioned.
pub(super) fn read(root: &Section<'_>) -> Option<At<Bucket>> {
    let text = root.text("partitioning")?;
    match bucket(text.value) {
        Ok(value) => Some(At { value, line: text.line }),
        Err(reason) => {
            let message = format!("`partitioning` is `{}`: {reason}", text.value);
            let (least, most) = (BUCKETS.start(), BUCKETS.end());
            let hint = format!(
                "only hash buckets are written: `bucket(column, n)` with n from {least} to {most}"
            );
            root.report(PARTITIONING, text.line, message, hint);
            None
        }
    }
}

fn bucket(text: &str) -> Result<Bucket, String> {
    let call = text.trim().strip_suffix(')').and_then(|call| call.split_once('('));
    let (transform, arguments) = call.ok_or("it is no transform of a column")?;
    let transform = transform.trim();
    if transform != "bucket" {
        return Err(format!("the transform `{transform}` is not known here"));
    }
    let (column, number) =
        arguments.split_once(',').ok_or("a bucket needs a column and a number")?;
    let column = column.trim().parse::<ColumnName>().map_err(|error| error.to_string())?;
    let number = number.trim();
    let buckets = number.parse::<u32>().ok().filter(|n| BUCKETS.contains(n));
    let buckets = buckets.ok_or_else(|| format!("`{number}` is no number of buckets"))?;
    Ok(Bucket { column, buckets })
}

/// The column is one by which Iceberg buckets, and the first by which rows are sorted: whoever
/// looks for a key then reads one bucket. That it is not nullable follows from the grain.
pub(super) fn check(
    root: &Section<'_>,
    bucket: &At<Bucket>,
    key: Option<&[At<ColumnName>]>,
    grain: &[At<ColumnName>],
    columns: &[At<ModelColumn>],
) {
    let column = &bucket.value.column;
    let report = |message: String, hint: &str| {
        root.report(PARTITIONING, bucket.line, message, hint.to_owned());
    };
    let Some(found) = find(columns, column) else {
        let message = format!("the partition column `{column}` is not among the columns");
        return report(message, "add its [[column]], or name another");
    };
    let lake_type = found.value.lake_type;
    if !can_be_bucketed(lake_type) {
        let message = format!("the partition column `{column}` is {lake_type}");
        report(message, "Iceberg makes no buckets of boolean, float and double");
    }
    let (first, of) = match key {
        Some(key) => (key.first(), "incremental key"),
        None => (grain.first(), "grain"),
    };
    if let Some(first) = first.filter(|first| first.value != *column) {
        let message = format!(
            "the partition column `{column}` is not the first of the {of}, which is `{}`",
            first.value
        );
        report(message, "rows are found by the first column: make buckets of it");
    }
}

/// The types that the Iceberg specification lists for the transform `bucket`.
fn can_be_bucketed(lake_type: LakeType) -> bool {
    match lake_type {
        LakeType::Boolean | LakeType::Float | LakeType::Double => false,
        LakeType::Int
        | LakeType::Long
        | LakeType::Decimal { .. }
        | LakeType::Date
        | LakeType::Timestamp
        | LakeType::TimestampTz
        | LakeType::String
        | LakeType::Binary => true,
    }
}
