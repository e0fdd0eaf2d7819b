//! What relationship checks name, held against the tables of the lake.

use crate::catalogue::CatalogueTable;
use crate::finding::{Finding, Findings, RuleId};
use crate::model::{CheckKind, GoldModel, ModelCheck};
use crate::name::{ColumnName, Layer};

/// A relationship to a table or a column that the lake does not have, or to the model itself.
pub(crate) const RELATIONSHIP: RuleId = RuleId("model/relationship");

/// Reports relationships that lead nowhere.
pub(crate) fn check(models: &[GoldModel], catalogue: &[CatalogueTable]) -> Findings {
    let mut findings = Findings::default();
    for model in models {
        for check in &model.checks {
            let CheckKind::Relationship { to_layer, to_table, to_column, .. } = &check.kind else {
                continue;
            };
            if *to_layer == Layer::Gold && to_table == model.name.as_str() {
                let message =
                    format!("check `{}` compares the model with its own table", check.name);
                let hint = "that table still has the rows of an earlier build: write a check of \
                            kind `sql`, which reads this one as `this`";
                findings.push(at(model, check, message, hint.to_owned()));
                continue;
            }
            let target = (*to_layer, to_table.as_str(), to_column);
            if let Some((message, hint)) = problem(check, target, catalogue) {
                findings.push(at(model, check, message, hint));
            }
        }
    }
    findings
}

fn at(model: &GoldModel, check: &ModelCheck, message: String, hint: String) -> Finding {
    Finding { rule: RELATIONSHIP, file: model.file.clone(), line: check.line, message, hint }
}

/// Message and hint, when the other table or its column does not exist.
fn problem(
    check: &ModelCheck,
    (layer, table, column): (Layer, &str, &ColumnName),
    catalogue: &[CatalogueTable],
) -> Option<(String, String)> {
    let Some(found) = catalogue.iter().find(|t| t.layer == layer && t.name == table) else {
        let known: Vec<&str> =
            catalogue.iter().filter(|t| t.layer == layer).map(|t| t.name.as_str()).collect();
        let message = format!(
            "check `{}` names the table `{layer}.{table}`, which the lake does not have",
            check.name
        );
        return Some((message, format!("tables of {layer}: {}", known.join(", "))));
    };
    // Queries see the names of Bronze in lower case, as Glue has them.
    let names: Vec<String> = found.columns.iter().map(|c| c.name.to_lowercase()).collect();
    if names.iter().any(|name| name == column.as_str()) {
        return None;
    }
    let message = format!(
        "check `{}` names the column `{column}`, which `{layer}.{table}` does not have",
        check.name
    );
    Some((message, format!("its columns: {}", names.join(", "))))
}
