//! One rule of table mappings.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::DmsError;
use super::mappings::SourceTable;

/// The column of the change sequence, its expression, and the digits that it has.
const SEQUENCE: (&str, &str, u32) = ("change_seq", "$AR_H_CHANGE_SEQ", 35);
const BEFORE_PREFIX: &str = "BI_";

/// A rule that the replicator performs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Include,
    Exclude,
    ChangeSequence,
    BeforeImage,
    /// A DECIMAL that Parquet cannot hold becomes text.
    DecimalAsText,
    Load {
        in_ranges: bool,
    },
}

#[derive(Debug)]
pub(super) struct Checked {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) locator: Locator,
    pub(super) rule: Rule,
}

impl Checked {
    pub(super) fn refused(&self, why: &str) -> DmsError {
        refused(&self.id, why)
    }
}

fn refused(id: &str, why: &str) -> DmsError {
    DmsError::value(format!("Invalid table mappings: rule {id}: {why}"))
}

/// Names of schemas and tables, case-sensitive. `%` stands for any text and `_` for any
/// character, except where a rule takes names literally.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Locator {
    schema_name: String,
    table_name: String,
    table_type: Option<String>,
    column_name: Option<String>,
    #[serde(skip)]
    literal: bool,
}

impl Locator {
    pub(super) fn matches(&self, table: &SourceTable) -> bool {
        if self.literal {
            return self.schema_name == table.schema && self.table_name == table.table;
        }
        like(&self.schema_name, &table.schema) && like(&self.table_name, &table.table)
    }

    /// The column that the rule is about.
    pub(super) fn column(&self) -> Option<&str> {
        self.column_name.as_deref()
    }

    fn is_exact(&self) -> bool {
        !self.schema_name.contains('%') && !self.table_name.contains('%')
    }
}

/// True when `text` fits a pattern with the wildcards of SQL's LIKE.
fn like(pattern: &str, text: &str) -> bool {
    let mut pattern_rest = pattern.chars();
    let mut text_rest = text.chars();
    match pattern_rest.next() {
        None => text.is_empty(),
        Some('%') => {
            let rest = pattern_rest.as_str();
            let mut tails = text.char_indices().map(|(at, _)| &text[at..]);
            rest.is_empty() || tails.any(|tail| like(rest, tail)) || like(rest, "")
        }
        Some(wanted) => {
            let fits = text_rest.next().is_some_and(|found| wanted == '_' || wanted == found);
            fits && like(pattern_rest.as_str(), text_rest.as_str())
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Selecting {
    object_locator: Locator,
    rule_action: String,
    filters: Option<Vec<Value>>,
    /// Only changes which table is loaded first.
    #[serde(rename = "load-order")]
    _load_order: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AddingColumn {
    object_locator: Locator,
    rule_target: String,
    value: String,
    expression: String,
    data_type: DataType,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct DataType {
    r#type: String,
    length: Option<u32>,
    precision: Option<Value>,
    scale: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ChangingType {
    object_locator: Locator,
    rule_target: String,
    data_type: DataType,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AddingBeforeImage {
    object_locator: Locator,
    rule_target: String,
    before_image_def: BeforeImage,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct BeforeImage {
    column_prefix: Option<String>,
    column_suffix: Option<String>,
    column_filter: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Loading {
    object_locator: Locator,
    parallel_load: Option<ParallelLoad>,
    lob_settings: Option<LobSettings>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ParallelLoad {
    r#type: String,
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default)]
    boundaries: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LobSettings {
    mode: Option<String>,
    bulk_max_size: Option<Value>,
}

/// Reads and checks one rule.
///
/// # Errors
/// What is malformed or not performed, with the rule's id.
pub(super) fn parse(value: Value) -> Result<Checked, DmsError> {
    let Value::Object(mut members) = value else {
        return Err(DmsError::value("Invalid table mappings: a rule must be an object"));
    };
    let id = match members.remove("rule-id") {
        Some(Value::String(id)) => id,
        Some(Value::Number(id)) => id.to_string(),
        _ => return Err(DmsError::value("Invalid table mappings: a rule has no rule-id")),
    };
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused(&id, "rule-id must be a number"));
    }
    let kind = text(&mut members, &id, "rule-type")?;
    let name = text(&mut members, &id, "rule-name")?;
    let (locator, rule) = match kind.as_str() {
        "selection" => selecting(&id, members)?,
        "transformation" => transforming(&id, members)?,
        "table-settings" => loading(&id, members)?,
        other => {
            let why = format!("rule-type {other} is not performed by the local stand-in");
            return Err(refused(&id, &why));
        }
    };
    if locator.table_type.as_deref().is_some_and(|kind| kind != "table") {
        return Err(refused(&id, "table-type must be table: views are not replicated"));
    }
    if locator.column_name.is_some() != (rule == Rule::DecimalAsText) {
        return Err(refused(&id, "column-name is for rules about columns that the source has"));
    }
    if locator.schema_name.is_empty() || locator.table_name.is_empty() {
        return Err(refused(&id, "schema-name and table-name must not be empty"));
    }
    Ok(Checked { id, name, locator, rule })
}

fn text(members: &mut Map<String, Value>, id: &str, name: &str) -> Result<String, DmsError> {
    match members.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(refused(id, &format!("{name} must be a text"))),
    }
}

fn read<T: DeserializeOwned>(id: &str, members: Map<String, Value>) -> Result<T, DmsError> {
    serde_json::from_value(Value::Object(members)).map_err(|e| refused(id, &e.to_string()))
}

fn selecting(id: &str, members: Map<String, Value>) -> Result<(Locator, Rule), DmsError> {
    let rule: Selecting = read(id, members)?;
    if rule.filters.is_some_and(|filters| !filters.is_empty()) {
        return Err(refused(id, "filters are not performed by the local stand-in"));
    }
    let mut locator = rule.object_locator;
    locator.literal = rule.rule_action == "explicit";
    let kind = match rule.rule_action.as_str() {
        "include" => Rule::Include,
        "exclude" => Rule::Exclude,
        "explicit" if locator.is_exact() => Rule::Include,
        "explicit" => return Err(refused(id, "an explicit rule names one table, without %")),
        other => return Err(refused(id, &format!("rule-action {other} is not valid"))),
    };
    Ok((locator, kind))
}

fn transforming(id: &str, mut members: Map<String, Value>) -> Result<(Locator, Rule), DmsError> {
    let action = text(&mut members, id, "rule-action")?;
    match action.as_str() {
        "add-column" => {
            let rule: AddingColumn = read(id, members)?;
            let (column, expression, digits) = SEQUENCE;
            let kind = &rule.data_type;
            let holds = kind.r#type == "string" && kind.length.is_some_and(|it| it >= digits);
            let plain = kind.precision.is_none() && kind.scale.is_none();
            let named = rule.value == column && rule.expression == expression;
            if rule.rule_target != "column" || !named || !holds || !plain {
                return Err(refused(
                    id,
                    &format!(
                        "the only column that the local stand-in adds is {column}, a string of \
                         {digits} characters or more, with the expression {expression}"
                    ),
                ));
            }
            Ok((rule.object_locator, Rule::ChangeSequence))
        }
        "add-before-image-columns" => {
            let rule: AddingBeforeImage = read(id, members)?;
            let image = &rule.before_image_def;
            let suffix = image.column_suffix.as_deref().unwrap_or_default();
            let named = image.column_prefix.as_deref() == Some(BEFORE_PREFIX) && suffix.is_empty();
            if rule.rule_target != "column" || !named || image.column_filter != "pk-only" {
                return Err(refused(
                    id,
                    "before images must be pk-only with the prefix BI_ and no suffix: the local \
                     stand-in writes no others",
                ));
            }
            Ok((rule.object_locator, Rule::BeforeImage))
        }
        "change-data-type" => {
            let rule: ChangingType = read(id, members)?;
            let kind = &rule.data_type;
            // Sign, point, and more digits than Parquet holds.
            let holds = kind.r#type == "string" && kind.length.is_some_and(|it| it > 40);
            if rule.rule_target != "column" || !holds {
                return Err(refused(
                    id,
                    "the only type that the local stand-in changes is that of a DECIMAL of more \
                     than 38 digits, to a string that holds them",
                ));
            }
            Ok((rule.object_locator, Rule::DecimalAsText))
        }
        other => Err(refused(
            id,
            &format!("the transformation {other} is not performed by the local stand-in"),
        )),
    }
}

fn loading(id: &str, members: Map<String, Value>) -> Result<(Locator, Rule), DmsError> {
    let rule: Loading = read(id, members)?;
    if !rule.object_locator.is_exact() {
        return Err(refused(id, "table-settings name one table, without %"));
    }
    if let Some(lob) = &rule.lob_settings {
        let size = lob.bulk_max_size.as_ref().map(|size| match size {
            Value::String(text) => text.parse::<u64>().is_ok(),
            other => other.is_u64(),
        });
        if lob.mode.as_deref() != Some("limited") || size == Some(false) {
            return Err(refused(
                id,
                "lob-settings must have mode limited and a bulk-max-size in KB: an S3 target \
                 knows no other mode",
            ));
        }
    }
    let in_ranges = match &rule.parallel_load {
        None => false,
        Some(load) => match load.r#type.as_str() {
            "none" => false,
            "ranges" if load.columns.is_empty() || load.columns.len() > 10 => {
                return Err(refused(id, "ranges need one to ten columns"));
            }
            "ranges" if load.boundaries.iter().any(|it| it.len() != load.columns.len()) => {
                return Err(refused(id, "each boundary needs a value per column"));
            }
            "ranges" if load.boundaries.is_empty() => {
                return Err(refused(id, "ranges need boundaries"));
            }
            "ranges" => true,
            other => {
                let why = format!("parallel-load {other} is not performed by the local stand-in");
                return Err(refused(id, &why));
            }
        },
    };
    let mut locator = rule.object_locator;
    locator.literal = true;
    Ok((locator, Rule::Load { in_ranges }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_those_of_like() {
        for (pattern, text, fits) in [
            ("%", "", true),
            ("a", "a", true),
            ("a", "A", false),
            ("a%", "abc", true),
            ("%c", "abc", true),
            ("a%c", "ac", true),
            ("a%b%c", "a-b-b-c", true),
            ("a%b%c", "a-c-b", false),
            ("ab%ba", "aba", false),
            ("a_c", "abc", true),
            ("a_c", "ac", false),
            ("é_", "éé", true),
            ("%%", "x", true),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} {text}");
        }
    }
}
