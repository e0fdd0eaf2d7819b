//! `infra/lake/models/*.sql`: a TOML header between `/*---` and `---*/`, then one query.

use crate::finding::{Findings, RuleId};
use crate::model::{GoldModel, Materialisation, ModelColumn, Partitioning};
use crate::name::{ColumnName, ModelName};
use crate::read::contract::sensitivity;
use crate::section::{At, Reader, Section};

/// The file has no header, or no query behind it.
pub(crate) const HEADER: RuleId = RuleId("model/header");
/// A grain column that is not among the columns.
pub(crate) const GRAIN: RuleId = RuleId("model/grain");
/// A column that stands twice.
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
    if sql.trim().is_empty() {
        reader.report(HEADER, 1, "the model has no query".to_owned(), String::new());
    }
    let model = reader.root(|root| {
        let description = root.required_text("description");
        let owner = root.required_text("owner");
        let grain = root.parsed_list::<ColumnName>("grain");
        let columns = root.each("column", "[[column]]", column);
        check_columns(root, &grain, &columns);
        Some(GoldModel {
            name: name?,
            description: description?.value.to_owned(),
            owner: owner?.value.to_owned(),
            grain: grain.into_iter().map(|g| g.value).collect(),
            columns: columns.into_iter().map(|c| c.value).collect(),
            materialisation: Materialisation::default(),
            partitioning: Partitioning::default(),
            checks: Vec::new(),
            sql: sql.trim().trim_end_matches(';').to_owned(),
            file: file.to_owned(),
            sql_line,
        })
    });
    (model, reader.into_findings())
}

fn column(section: &Section<'_>) -> Option<At<ModelColumn>> {
    let name = section.required("name");
    let lake_type = section.required("type");
    let sensitivity = sensitivity(section);
    let description = section.text("description").map_or("", |d| d.value).to_owned();
    let nullable = section.boolean("nullable").unwrap_or(true);
    Some(At {
        value: ModelColumn {
            name: name?.value,
            lake_type: lake_type?.value,
            sensitivity: sensitivity?,
            safe_because: None,
            description,
            nullable,
            line: section.line,
        },
        line: section.line,
    })
}

fn check_columns(root: &Section<'_>, grain: &[At<ColumnName>], columns: &[At<ModelColumn>]) {
    if grain.is_empty() {
        let hint = "name the columns that make a row unique: `grain = [\"…\"]`".to_owned();
        root.report(GRAIN, root.line, "the model has no grain".to_owned(), hint);
    }
    for name in grain {
        if !columns.iter().any(|c| c.value.name == name.value) {
            let message = format!("the grain column `{}` is not among the columns", name.value);
            root.report(GRAIN, name.line, message, String::new());
        }
    }
    for (i, column) in columns.iter().enumerate() {
        if columns[..i].iter().any(|c| c.value.name == column.value.name) {
            let message = format!("column `{}` stands twice", column.value.name);
            root.report(DUPLICATE, column.line, message, String::new());
        }
    }
}
