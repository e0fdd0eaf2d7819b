//! `infra/lake/tables/*.toml`.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::DeValue;

use crate::contract::{
    Check, Column, Engine, Normaliser, OnFail, RowRule, Sensitivity, TableContract,
};
use crate::finding::{Findings, RuleId};
use crate::name::ColumnName;
use crate::read::{evolution, load};
use crate::section::{At, Reader, Section};
use crate::types::LakeType;

/// A table needs a key: Silver holds one row per key.
pub(crate) const KEY_MISSING: RuleId = RuleId("contract/key-missing");
/// A key column must be one of the columns, not nullable, not personal, and without normalisers.
pub(crate) const KEY_COLUMN: RuleId = RuleId("contract/key-column");
/// A name stands twice.
pub(crate) const DUPLICATE: RuleId = RuleId("contract/duplicate");
/// A rule does not fit the column's type.
pub(crate) const RULE_TYPE: RuleId = RuleId("contract/rule-type");
/// A rule that does not exist, or with a wrong argument.
pub(crate) const RULE: RuleId = RuleId("contract/rule");

pub(crate) const SENSITIVITIES: [(&str, Sensitivity); 3] = [
    ("public", Sensitivity::Public),
    ("internal", Sensitivity::Internal),
    ("personal", Sensitivity::Personal),
];

/// The value of `sensitivity`; it has to be said, because forgetting it would open a column.
pub(crate) fn sensitivity(section: &Section<'_>) -> Option<Sensitivity> {
    section.required_text("sensitivity")?;
    section.one_of("sensitivity", &SENSITIVITIES).map(|at| at.value)
}

pub(crate) fn read(file: &str, text: &str) -> (Option<TableContract>, Findings) {
    let reader = Reader::new(file, text, 0);
    let contract = reader.root(contract);
    (contract, reader.into_findings())
}

fn contract(root: &Section<'_>) -> Option<TableContract> {
    root.version_one();
    let table = root.required("table");
    let description = root.required_text("description");
    let key = root.parsed_list::<ColumnName>("key");
    let key_line = root.line_of_key("key");
    let buckets = root.integer("buckets", 1, 1024).unwrap_or(1);
    let engines = [("native", Engine::Native), ("spark", Engine::Spark), ("auto", Engine::Auto)];
    let engine = root.one_of("engine", &engines).map_or(Engine::Auto, |at| at.value);
    let columns = root.each("column", "[[column]]", column);
    let row_rules = root.each("row_rule", "[[row_rule]]", row_rule);
    let load = load::read(root, &columns);
    let dropped = root.parsed_list::<ColumnName>("dropped");
    let history = root.boolean("history").unwrap_or(false);
    let history_line = root.line_of_key("history");
    check_key(root, &key, key_line, &columns);
    check_names(root, &columns, &row_rules);
    evolution::check(root, &key, &columns, &dropped);
    if history {
        evolution::check_history(root, history_line, &columns);
    }
    Some(TableContract {
        table: table?.value,
        description: description?.value.to_owned(),
        key: key.into_iter().map(|k| k.value).collect(),
        columns: columns.into_iter().map(|c| c.value).collect(),
        row_rules: row_rules.into_iter().map(|r| r.value).collect(),
        buckets,
        engine,
        load,
        dropped: dropped.into_iter().map(|d| d.value).collect(),
        history,
        file: root.reader.file().to_owned(),
    })
}

fn check_key(root: &Section<'_>, key: &[At<ColumnName>], line: usize, columns: &[At<Column>]) {
    if key.is_empty() {
        let hint = "add `key = [\"…\"]` with the primary key of the source table".to_owned();
        root.report(KEY_MISSING, line, "the table has no key".to_owned(), hint);
    }
    for name in key {
        match columns.iter().find(|c| c.value.name == name.value) {
            None => {
                let message = format!("the key column `{}` is not among the columns", name.value);
                root.report(KEY_COLUMN, name.line, message, "add its [[column]]".to_owned());
            }
            Some(column) if column.value.nullable => {
                let message = format!("the key column `{}` is nullable", name.value);
                let hint = "a primary key is never NULL: set `nullable = false`".to_owned();
                root.report(KEY_COLUMN, column.line, message, hint);
            }
            Some(column) if !column.value.normalisers.is_empty() => {
                let message = format!("the key column `{}` has normalisers", name.value);
                let hint = "changes find their row by the key as MySQL has it".to_owned();
                root.report(KEY_COLUMN, column.line, message, hint);
            }
            Some(column) if column.value.sensitivity == Sensitivity::Personal => {
                let message = format!("the key column `{}` is personal", name.value);
                let hint = "keys stand in bounds, batch records and messages".to_owned();
                root.report(KEY_COLUMN, column.line, message, hint);
            }
            Some(_) => {}
        }
    }
}

fn check_names(root: &Section<'_>, columns: &[At<Column>], rules: &[At<RowRule>]) {
    let mut seen = BTreeSet::new();
    for column in columns {
        if !seen.insert(column.value.name.clone()) {
            let message = format!("column `{}` stands twice", column.value.name);
            root.report(DUPLICATE, column.line, message, String::new());
        }
    }
    let mut names = BTreeSet::new();
    for rule in rules {
        if !names.insert(&rule.value.name) {
            let message = format!("row rule `{}` stands twice", rule.value.name);
            root.report(DUPLICATE, rule.line, message, String::new());
        }
        let OnFail::NullField(field) = &rule.value.on_fail else { continue };
        let target = columns.iter().find(|c| c.value.name == *field);
        if !target.is_some_and(|c| c.value.nullable) {
            let message = format!("`null_field` names `{field}`, which is no nullable column");
            root.report(RULE, rule.line, message, String::new());
        }
    }
}

fn column(section: &Section<'_>) -> Option<At<Column>> {
    let name = section.required("name");
    let source_type = section.required("type");
    let nullable = section.boolean("nullable");
    if section.value("nullable").is_none() {
        section.required_text("nullable");
    }
    let sensitivity = sensitivity(section);
    let description = section.text("description").map_or("", |d| d.value).to_owned();
    let normalisers = rules(section, "normalise", normaliser);
    let checks = rules(section, "check", check);
    let added = section.boolean("added").unwrap_or(false);
    let renamed_from = section.parsed_list::<ColumnName>("renamed_from");
    let column = Column {
        name: name?.value,
        source_type: source_type?.value,
        nullable: nullable?,
        sensitivity: sensitivity?,
        description,
        normalisers: normalisers.iter().map(|n| n.value.clone()).collect(),
        checks: checks.iter().map(|c| c.value.clone()).collect(),
        added,
        renamed_from: renamed_from.into_iter().map(|old| old.value).collect(),
    };
    if !column.source_type.is_text() {
        for at in &normalisers {
            let message = format!("a normaliser on `{}`, which is no text column", column.name);
            section.report(RULE_TYPE, at.line, message, String::new());
        }
    }
    for at in &checks {
        if !fits(&at.value, &column) {
            let message = format!("check `{}` does not fit `{}`", at.value.name(), column.name);
            let hint = format!("the column's lake type is {}", column.lake_type());
            section.report(RULE_TYPE, at.line, message, hint);
        }
    }
    Some(At { value: column, line: section.line })
}

fn fits(check: &Check, column: &Column) -> bool {
    match check {
        Check::NotNull => true,
        Check::Range { .. } => matches!(
            column.lake_type(),
            LakeType::Int
                | LakeType::Long
                | LakeType::Float
                | LakeType::Double
                | LakeType::Decimal { .. }
        ),
        Check::NotFuture => matches!(
            column.lake_type(),
            LakeType::Date | LakeType::Timestamp | LakeType::TimestampTz
        ),
        Check::Cpf
        | Check::Cnpj
        | Check::Email
        | Check::PhoneBr
        | Check::Cep
        | Check::Uf
        | Check::Regex(_)
        | Check::AcceptedValues(_) => column.lake_type() == LakeType::String,
    }
}

/// Turns a rule's name and argument into the rule, or says what is wrong with it.
type RuleParser<T> = fn(&str, Option<&Spanned<DeValue<'_>>>, &Section<'_>) -> Result<T, String>;

/// A list of rules: each a name, or an inline table with one key for rules with an argument.
fn rules<T>(section: &Section<'_>, key: &'static str, parse: RuleParser<T>) -> Vec<At<T>> {
    let mut out = Vec::new();
    for element in section.list(key) {
        let line = section.line_of(element);
        let parsed = match element.get_ref() {
            DeValue::String(name) => parse(name, None, section),
            DeValue::Table(table) if table.len() == 1 => match table.iter().next() {
                Some((name, argument)) => parse(name.get_ref(), Some(argument), section),
                None => Err("an empty table is no rule".to_owned()),
            },
            _ => Err("a rule is a name, or a table with one key".to_owned()),
        };
        match parsed {
            Ok(value) => out.push(At { value, line }),
            Err(message) => section.report(RULE, line, message, String::new()),
        }
    }
    out
}

fn text_argument(name: &str, argument: Option<&Spanned<DeValue<'_>>>) -> Result<String, String> {
    argument
        .and_then(|a| a.get_ref().as_str())
        .map(str::to_owned)
        .ok_or_else(|| format!("`{name}` needs a text: {{ {name} = \"…\" }}"))
}

fn normaliser(
    name: &str,
    argument: Option<&Spanned<DeValue<'_>>>,
    _: &Section<'_>,
) -> Result<Normaliser, String> {
    Ok(match name {
        "trim" => Normaliser::Trim,
        "collapse_whitespace" => Normaliser::CollapseWhitespace,
        "nfc" => Normaliser::Nfc,
        "lower" => Normaliser::Lower,
        "upper" => Normaliser::Upper,
        "digits" => Normaliser::Digits,
        "null_if_empty" => Normaliser::NullIfEmpty,
        "null_if" => Normaliser::NullIf(text_argument(name, argument)?),
        "phone_br" => Normaliser::PhoneBr,
        "email" => Normaliser::Email,
        _ => return Err(format!("there is no normaliser `{name}`")),
    })
}

fn check(
    name: &str,
    argument: Option<&Spanned<DeValue<'_>>>,
    section: &Section<'_>,
) -> Result<Check, String> {
    Ok(match name {
        "not_null" => Check::NotNull,
        "cpf" => Check::Cpf,
        "cnpj" => Check::Cnpj,
        "email" => Check::Email,
        "phone_br" => Check::PhoneBr,
        "cep" => Check::Cep,
        "uf" => Check::Uf,
        "not_future" => Check::NotFuture,
        "regex" => {
            let pattern = text_argument(name, argument)?;
            regex::Regex::new(&pattern).map_err(|e| format!("`regex` does not compile: {e}"))?;
            Check::Regex(pattern)
        }
        "range" => range(argument, section)?,
        "accepted_values" => accepted_values(argument)?,
        _ => return Err(format!("there is no check `{name}`")),
    })
}

fn range(argument: Option<&Spanned<DeValue<'_>>>, section: &Section<'_>) -> Result<Check, String> {
    let usage = || "`range` needs bounds: { range = { min = …, max = … } }".to_owned();
    let bounds =
        argument.and_then(|a| Section::of_value(section.reader, a, "`range`")).ok_or_else(usage)?;
    let (min, max) = (bounds.number("min"), bounds.number("max"));
    bounds.finish();
    if min.is_none() && max.is_none() { Err(usage()) } else { Ok(Check::Range { min, max }) }
}

fn accepted_values(argument: Option<&Spanned<DeValue<'_>>>) -> Result<Check, String> {
    let list = argument.and_then(|a| a.get_ref().as_array());
    let texts: Option<Vec<String>> =
        list.and_then(|l| l.iter().map(|v| v.get_ref().as_str().map(str::to_owned)).collect());
    match texts {
        Some(texts) if !texts.is_empty() => Ok(Check::AcceptedValues(texts)),
        _ => Err("`accepted_values` needs texts: { accepted_values = [\"…\"] }".to_owned()),
    }
}

fn row_rule(section: &Section<'_>) -> Option<At<RowRule>> {
    let name = section.required("name");
    let sql = section.required_text("sql");
    let on_fail = on_fail(section);
    Some(At {
        value: RowRule { name: name?.value, sql: sql?.value.to_owned(), on_fail: on_fail? },
        line: section.line,
    })
}

fn on_fail(section: &Section<'_>) -> Option<OnFail> {
    let Some(value) = section.value("on_fail") else { return Some(OnFail::Quarantine) };
    if let Some(table) = Section::of_value(section.reader, value, "`on_fail`") {
        let column = table.required("null_field");
        table.finish();
        return Some(OnFail::NullField(column?.value));
    }
    let known = [("quarantine", false), ("warn", true)];
    let warn = section.one_of("on_fail", &known)?.value;
    Some(if warn { OnFail::Warn } else { OnFail::Quarantine })
}
