//! `infra/lake/policy.toml`.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::DeValue;

use crate::finding::{Findings, RuleId};
use crate::name::{ColumnName, GroupName, Layer, RuleName};
use crate::policy::{ColumnSelection, Grant, Group, Policy, TableSelection, UFS};
use crate::read::contract::SENSITIVITIES;
use crate::row_expression::RowExpression;
use crate::section::{At, Reader, Section};

/// A grant to a group that the policy does not define.
pub(crate) const UNKNOWN_GROUP: RuleId = RuleId("policy/unknown-group");
/// A group or grant that stands twice.
pub(crate) const DUPLICATE: RuleId = RuleId("policy/duplicate");
/// A table or column selection that cannot be read.
pub(crate) const SELECTION: RuleId = RuleId("policy/selection");
/// A row filter that Lake Formation would not accept.
pub(crate) const ROW_FILTER: RuleId = RuleId("policy/row-filter");
/// A parameter that does not exist.
pub(crate) const PARAMETER: RuleId = RuleId("policy/parameter");

/// A group as written: its name may hold one `{parameter}`.
struct GroupTemplate {
    name: String,
    description: String,
    /// The parameter's name and its values.
    parameter: Option<(String, &'static [&'static str])>,
    line: usize,
}

impl GroupTemplate {
    /// One substitution per group that the template stands for.
    fn instances(&self) -> Vec<Vec<(String, &'static str)>> {
        match &self.parameter {
            None => vec![Vec::new()],
            Some((name, values)) => {
                values.iter().map(|v| vec![(format!("{{{name}}}"), *v)]).collect()
            }
        }
    }
}

fn substitute(text: &str, with: &[(String, &'static str)]) -> String {
    with.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

pub(crate) fn read(file: &str, text: &str) -> (Option<Policy>, Findings) {
    let reader = Reader::new(file, text, 0);
    let policy = reader.root(policy);
    (policy, reader.into_findings())
}

fn policy(root: &Section<'_>) -> Option<Policy> {
    root.version_one();
    let templates = root.each("group", "[[group]]", group);
    let mut policy = Policy::default();
    for template in &templates {
        for with in template.instances() {
            let name = substitute(&template.name, &with);
            let description = substitute(&template.description, &with);
            add_group(root, &mut policy, &name, description, template.line);
        }
    }
    let mut names = BTreeSet::new();
    let grants = root.each("grant", "[[grant]]", |section| {
        let name = section.required::<RuleName>("name")?;
        if !names.insert(name.value.clone()) {
            let message = format!("grant `{}` stands twice", name.value);
            section.report(DUPLICATE, name.line, message, String::new());
        }
        grant(section, name.value, &templates)
    });
    policy.grants = grants.into_iter().flatten().collect();
    Some(policy)
}

fn add_group(root: &Section<'_>, policy: &mut Policy, name: &str, about: String, line: usize) {
    match name.parse::<GroupName>() {
        Err(error) => root.report(SELECTION, line, error.to_string(), String::new()),
        Ok(name) if policy.group(name.as_str()).is_some() => {
            root.report(DUPLICATE, line, format!("group `{name}` stands twice"), String::new());
        }
        Ok(name) => policy.groups.push(Group { name, description: about }),
    }
}

fn group(section: &Section<'_>) -> Option<GroupTemplate> {
    let name = section.required_text("name");
    let description = section.text("description").map_or("", |d| d.value).to_owned();
    let parameter = section.value("parameter").and_then(|value| parameter(section, value));
    let name = name?;
    let template =
        GroupTemplate { name: name.value.to_owned(), description, parameter, line: name.line };
    let holds = template
        .parameter
        .as_ref()
        .is_some_and(|(p, _)| template.name.contains(&format!("{{{p}}}")));
    if template.name.contains('{') != holds {
        let message = format!("`{}` and its `parameter` do not fit together", template.name);
        let hint = "write `name = \"x-{p}\"` and `parameter = { p = \"uf\" }`".to_owned();
        section.report(PARAMETER, name.line, message, hint);
        return None;
    }
    Some(template)
}

fn parameter(
    section: &Section<'_>,
    value: &Spanned<DeValue<'_>>,
) -> Option<(String, &'static [&'static str])> {
    let table = value.get_ref().as_table();
    let entry = table.filter(|t| t.len() == 1).and_then(|t| t.iter().next());
    match entry.map(|(name, kind)| (name.get_ref().to_string(), kind.get_ref().as_str())) {
        Some((name, Some("uf"))) => Some((name, &UFS)),
        _ => {
            let hint = "known is `{ name = \"uf\" }`, the 27 federation units".to_owned();
            let message = "unknown group parameter".to_owned();
            section.report(PARAMETER, section.line_of(value), message, hint);
            None
        }
    }
}

fn grant(section: &Section<'_>, name: RuleName, groups: &[GroupTemplate]) -> Option<Vec<Grant>> {
    let to = section.required_text("to");
    let tables = tables(section);
    let columns = columns(section);
    let rows = section.text("rows");
    let to = to?;
    let Some(template) = groups.iter().find(|g| g.name == to.value) else {
        let known: Vec<&str> = groups.iter().map(|g| g.name.as_str()).collect();
        let hint = format!("groups of this policy are {}", known.join(", "));
        let message =
            format!("grant `{name}` names the group `{}`, which does not exist", to.value);
        section.report(UNKNOWN_GROUP, to.line, message, hint);
        return None;
    };
    let (tables, columns) = (tables?, columns?);
    let place = (section.reader.file().to_owned(), section.line);
    let mut grants = Vec::new();
    for with in template.instances() {
        let rows = match &rows {
            None => None,
            Some(text) => Some(row_filter(section, text, &with)?),
        };
        grants.push(Grant {
            name: name.clone(),
            to: substitute(to.value, &with).parse().ok()?,
            tables: tables.clone(),
            columns: columns.clone(),
            rows,
            place: place.clone(),
        });
    }
    Some(grants)
}

fn row_filter(
    section: &Section<'_>,
    text: &At<&str>,
    with: &[(String, &'static str)],
) -> Option<RowExpression> {
    match substitute(text.value, with).parse() {
        Ok(expression) => Some(expression),
        Err(error) => {
            section.report(ROW_FILTER, text.line, format!("`rows`: {error}"), String::new());
            None
        }
    }
}

fn tables(section: &Section<'_>) -> Option<TableSelection> {
    let text = section.required_text("tables")?;
    let parsed =
        text.value.split_once('.').ok_or("it has no `.`".to_owned()).and_then(|(layer, table)| {
            let layer: Layer = layer.parse().map_err(|e| format!("{e}"))?;
            Ok(match table {
                "*" => TableSelection::Layer(layer),
                table => TableSelection::Table(layer, table.to_owned()),
            })
        });
    match parsed {
        Ok(selection) => Some(selection),
        Err(reason) => {
            let message = format!("`tables` is `{}`: {reason}", text.value);
            let hint = "write `<layer>.*` or `<layer>.<table>`".to_owned();
            section.report(SELECTION, text.line, message, hint);
            None
        }
    }
}

fn columns(section: &Section<'_>) -> Option<ColumnSelection> {
    let Some(value) = section.value("columns") else {
        section.required_text("columns");
        return None;
    };
    if value.get_ref().as_str() == Some("*") {
        return Some(ColumnSelection::All);
    }
    let bad = || {
        let hint = "write \"*\", { sensitivity = […] }, { only = […] } or { except = […] }";
        let message = "`columns` cannot be read".to_owned();
        section.report(SELECTION, section.line_of(value), message, hint.to_owned());
    };
    let Some(table) = Section::of_value(section.reader, value, "`columns`") else {
        bad();
        return None;
    };
    let only: Vec<At<ColumnName>> = table.parsed_list("only");
    let except: Vec<At<ColumnName>> = table.parsed_list("except");
    let tags: Vec<At<String>> = table.parsed_list("sensitivity");
    table.finish();
    let names = |list: Vec<At<ColumnName>>| list.into_iter().map(|at| at.value).collect();
    match (only.is_empty(), except.is_empty(), tags.is_empty()) {
        (false, true, true) => Some(ColumnSelection::Named(names(only))),
        (true, false, true) => Some(ColumnSelection::Excluding(names(except))),
        (true, true, false) => sensitivities(section, &tags).map(ColumnSelection::Sensitivity),
        _ => {
            bad();
            None
        }
    }
}

fn sensitivities(
    section: &Section<'_>,
    tags: &[At<String>],
) -> Option<BTreeSet<crate::contract::Sensitivity>> {
    let mut out = BTreeSet::new();
    for tag in tags {
        match SENSITIVITIES.iter().find(|(name, _)| *name == tag.value) {
            Some((_, value)) => {
                out.insert(*value);
            }
            None => {
                let hint = "known are public, internal, personal".to_owned();
                let message = format!("`{}` is no sensitivity", tag.value);
                section.report(SELECTION, tag.line, message, hint);
                return None;
            }
        }
    }
    Some(out)
}
