//! `infra/lake/models/*.sql`: a TOML header between `/*---` and `---*/`, then one query.
//!
//! The header, with everything that it can hold:
//!
//! ```toml
//! description = "Customers per region"           # what a row says
//! owner = "crm-data"                             # who answers for it
//! grain = ["region"]                             # the columns that make a row unique
//! materialisation = { incremental = ["region"] } # default "full"
//! partitioning = "bucket(region, 8)"             # default none
//!
//! [[column]]                                     # one per column of the query, in its order
//! name = "region"
//! type = "string"
//! nullable = false                               # default true
//! sensitivity = "public"                         # public, internal, personal
//! description = "Federation unit"
//!
//! [[column]]
//! name = "customers"
//! type = "long"
//! sensitivity = "internal"
//! safe = "counts of at least five people"        # why it tells nothing about a person
//!
//! [[check]]                                      # asked before a build is published
//! kind = "relationship"
//! name = "known_regions"                         # default kind and columns: `unique(a,b)`
//! severity = "warn"                              # default "error": the build is not published
//! column = "region"
//! to = "silver.crm_addresses"
//! to_column = "region"
//! ```
//!
//! Each kind of check has keys of its own:
//!
//! | kind | keys |
//! |---|---|
//! | `not_null` | `column` |
//! | `unique` | `columns` |
//! | `accepted_values` | `column`, `values`: texts |
//! | `relationship` | `column`, `to`: `<layer>.<table>`, `to_column` |
//! | `row_count_change` | `max_drop`, `max_growth`, or one of them: shares of the published rows |
//! | `freshness` | `column`, `max_age`: such as `36h` (s, m, h, d) |
//! | `sql` | `sql`: returns failing rows, reads the build as `this` |

mod check;
mod column;
mod materialisation;
mod partitioning;
mod relationship;
mod sort_key;

use std::collections::BTreeSet;

use crate::finding::{Findings, RuleId};
use crate::model::{GoldModel, Materialisation, ModelCheck, ModelColumn, Partitioning};
use crate::name::{ColumnName, ModelName};
use crate::section::{At, Reader, Section};

pub(crate) use relationship::check as check_relationships;

/// The file has no header, or no query behind it.
pub(crate) const HEADER: RuleId = RuleId("model/header");
/// A grain column that is not among the columns, or stands twice.
pub(crate) const GRAIN: RuleId = RuleId("model/grain");
/// A column or a check's name that stands twice.
pub(crate) const DUPLICATE: RuleId = RuleId("model/duplicate");

const OPEN: &str = "/*---";
const CLOSE: &str = "---*/";

pub(crate) fn read(file: &str, stem: &str, text: &str) -> (Option<GoldModel>, Findings) {
    let parts = text.trim_start().strip_prefix(OPEN).and_then(|rest| rest.split_once(CLOSE));
    let Some((header, sql)) = parts else {
        let reader = Reader::new(file, text, 0);
        let hint = format!("begin the file with a comment `{OPEN} … {CLOSE}` that holds TOML");
        reader.report(HEADER, 1, "the model has no header".to_owned(), hint);
        return (None, reader.into_findings());
    };
    // The header's text begins behind the opening mark, on the same line.
    let before = text.len() - text.trim_start().len() + OPEN.len();
    let lines_before = text[..before].matches('\n').count();
    let reader = Reader::new(file, header, lines_before);
    let sql_start = text.len() - sql.trim_start().len();
    let sql_line = 1 + text[..sql_start].matches('\n').count();
    let name = match stem.parse::<ModelName>() {
        Ok(name) => Some(name),
        Err(error) => {
            reader.report(HEADER, 0, error.to_string(), "rename the file".to_owned());
            None
        }
    };
    if query(sql).is_empty() {
        reader.report(HEADER, 1, "the model has no query".to_owned(), String::new());
    }
    let model = reader.root(|root| model(root, name, query(sql), sql_line));
    (model, reader.into_findings())
}

/// One SELECT without what surrounds it.
fn query(sql: &str) -> String {
    sql.trim().trim_end_matches(';').to_owned()
}

fn model(
    root: &Section<'_>,
    name: Option<ModelName>,
    sql: String,
    sql_line: usize,
) -> Option<GoldModel> {
    let description = root.required_text("description");
    let owner = root.required_text("owner");
    let grain = root.parsed_list::<ColumnName>("grain");
    let columns = root.each("column", "[[column]]", column::read);
    let key = materialisation::read(root);
    let bucket = partitioning::read(root);
    let checks = root.each("check", "[[check]]", |section| check::read(section, &columns));
    check_columns(root, &grain, &columns);
    check_names(root, &checks);
    if let Some(key) = &key {
        materialisation::check(root, key, &grain);
    }
    if let Some(bucket) = &bucket {
        partitioning::check(root, bucket, key.as_deref(), &grain, &columns);
    }
    if key.is_some() {
        sort_key::check(root, materialisation::MATERIALISATION, &grain, &columns);
    } else if bucket.is_some() {
        sort_key::check(root, partitioning::PARTITIONING, &grain, &columns);
    }
    Some(GoldModel {
        name: name?,
        description: description?.value.to_owned(),
        owner: owner?.value.to_owned(),
        grain: values(grain),
        columns: values(columns),
        materialisation: key
            .map_or(Materialisation::Full, |key| Materialisation::Incremental { key: values(key) }),
        partitioning: bucket.map_or(Partitioning::None, |bucket| bucket.value.into()),
        checks: values(checks),
        sql,
        file: root.reader.file().to_owned(),
        sql_line,
    })
}

fn values<T>(list: Vec<At<T>>) -> Vec<T> {
    list.into_iter().map(|at| at.value).collect()
}

fn find<'c>(columns: &'c [At<ModelColumn>], name: &ColumnName) -> Option<&'c At<ModelColumn>> {
    columns.iter().find(|c| c.value.name == *name)
}

fn check_columns(root: &Section<'_>, grain: &[At<ColumnName>], columns: &[At<ModelColumn>]) {
    if grain.is_empty() {
        let hint = "name the columns that make a row unique: `grain = [\"…\"]`".to_owned();
        root.report(GRAIN, root.line, "the model has no grain".to_owned(), hint);
    }
    for name in grain {
        if find(columns, &name.value).is_none() {
            let message = format!("the grain column `{}` is not among the columns", name.value);
            root.report(GRAIN, name.line, message, String::new());
        }
    }
    for name in repeated(grain) {
        let message = format!("the grain column `{}` stands twice", name.value);
        root.report(GRAIN, name.line, message, String::new());
    }
    let mut seen = BTreeSet::new();
    for column in columns {
        if !seen.insert(&column.value.name) {
            let message = format!("column `{}` stands twice", column.value.name);
            root.report(DUPLICATE, column.line, message, String::new());
        }
    }
}

/// The names that stand in the list before.
fn repeated(list: &[At<ColumnName>]) -> impl Iterator<Item = &At<ColumnName>> {
    let mut seen = BTreeSet::new();
    list.iter().filter(move |at| !seen.insert(&at.value))
}

fn check_names(root: &Section<'_>, checks: &[At<ModelCheck>]) {
    let mut seen = BTreeSet::new();
    for check in checks {
        if !seen.insert(&check.value.name) {
            let message = format!("check `{}` stands twice", check.value.name);
            let hint = "tell them apart with `name = \"…\"`".to_owned();
            root.report(DUPLICATE, check.line, message, hint);
        }
    }
}
