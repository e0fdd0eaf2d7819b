//! Personal data that would get into columns which do not say so.

use std::collections::BTreeSet;

use medallion_definition::contract::Sensitivity;
use medallion_definition::finding::{Finding, Findings, RuleId};
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::{GoldModel, ModelColumn};

use super::source::SourceColumn;
use super::{ColumnLineage, lineage};
use crate::error::TransformError;
use crate::gold::Input;

/// A column that is computed from personal columns, but neither personal nor declared safe.
pub const UNDECLARED_LEAK: RuleId = RuleId("model/undeclared-leak");
/// A column that is declared safe without need.
pub const NEEDLESS_SAFE: RuleId = RuleId("model/needless-safe");

/// The findings on columns that are computed from personal ones, at the lines of the header.
///
/// A column is computed from whatever its own expression uses, in every part of the query through
/// which its value passes: arguments, conditions of CASE, partition and order of a window, rows of
/// a subquery in the expression. What only decides about the model's rows (joins, filters, groups,
/// order) makes no column personal; the lineage shows it. Columns of other models count as those
/// models declare them. That an internal column gets into a public one is no finding.
///
/// # Errors
/// As [`lineage`].
pub async fn leaks(lake: &LakeDefinition, model: &GoldModel) -> Result<Findings, TransformError> {
    let lineage = lineage(lake, model).await?;
    let personal = personal_columns(lake);
    let mut findings = Findings::default();
    for column in &model.columns {
        if let Some((rule, message, hint)) = judge(column, &sources(&lineage, column, &personal)) {
            let (file, line) = (model.file.clone(), column.line);
            findings.push(Finding { rule, file, line, message, hint });
        }
    }
    Ok(findings)
}

/// Every personal column of the lake that models can read.
fn personal_columns(lake: &LakeDefinition) -> BTreeSet<SourceColumn> {
    let mut personal = BTreeSet::new();
    for table in lake.catalogue() {
        let input = Input { layer: table.layer, table: table.name };
        let columns = table.columns.iter().filter(|c| c.sensitivity == Sensitivity::Personal);
        // Sessions have Bronze's columns in lower case, as Glue has them.
        personal.extend(
            columns.map(|c| SourceColumn { input: input.clone(), column: c.name.to_lowercase() }),
        );
    }
    personal
}

/// The personal columns that a column is computed from, as text.
fn sources(
    lineage: &ColumnLineage,
    column: &ModelColumn,
    personal: &BTreeSet<SourceColumn>,
) -> Vec<String> {
    let made_of = lineage.named(column.name.as_str()).flat_map(|c| c.sources.iter());
    let names: BTreeSet<&SourceColumn> =
        made_of.map(|(source, _)| source).filter(|s| personal.contains(*s)).collect();
    names.into_iter().map(|s| format!("`{s}`")).collect()
}

fn judge(column: &ModelColumn, personal: &[String]) -> Option<(RuleId, String, String)> {
    let (name, declared) = (&column.name, column.sensitivity.as_str());
    match (column.sensitivity, &column.safe_because, personal.is_empty()) {
        (Sensitivity::Public | Sensitivity::Internal, None, false) => Some((
            UNDECLARED_LEAK,
            format!(
                "column `{name}` is {declared}, but computed from the personal {}",
                personal.join(", ")
            ),
            "declare it `sensitivity = \"personal\"`, or say why it tells nothing about a \
             person: `safe = \"…\"`"
                .to_owned(),
        )),
        (_, Some(_), true) => Some((
            NEEDLESS_SAFE,
            format!("column `{name}` is declared safe, but computed from nothing personal"),
            "drop `safe`".to_owned(),
        )),
        (Sensitivity::Public | Sensitivity::Internal, Some(_), false)
        | (Sensitivity::Public | Sensitivity::Internal, None, true)
        | (Sensitivity::Personal, Some(_), false)
        | (Sensitivity::Personal, None, _) => None,
    }
}
