//! Table mappings: which tables are replicated, and the transformations that DMS must be told of
//! and the replicator always performs.
//!
//! Source: AWS DMS guide, "Using table mapping to specify task settings". Rules that the
//! replicator does not perform are refused with their id, never ignored.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;

use super::error::DmsError;
use super::mapping_rule::{self, Locator, Rule};

/// A table of the source by the names that MySQL has for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SourceTable {
    pub(super) schema: String,
    pub(super) table: String,
}

impl fmt::Display for SourceTable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.schema, self.table)
    }
}

/// Checked table mappings.
#[derive(Debug, Clone, Default)]
pub(super) struct Mappings {
    include: Vec<Locator>,
    exclude: Vec<Locator>,
    change_sequence: Vec<Locator>,
    before_image: Vec<Locator>,
    /// Columns that become text, with the rule's id.
    texts: Vec<(String, Locator)>,
    /// Tables to be loaded by key ranges.
    ranges: Vec<Locator>,
}

/// What the mappings select of a live source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) tables: Vec<SourceTable>,
    /// Those to be loaded by key ranges.
    pub(super) in_ranges: BTreeSet<SourceTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    rules: Vec<serde_json::Value>,
}

impl Mappings {
    /// Reads the JSON text.
    ///
    /// # Errors
    /// What DMS refuses, and every rule that the replicator does not perform.
    pub(super) fn parse(text: &str) -> Result<Self, DmsError> {
        let document: Document = serde_json::from_str(text).map_err(|error| {
            DmsError::value(format!("Invalid table mappings: the document is not valid: {error}"))
        })?;
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        let mut mappings = Self::default();
        for value in document.rules {
            let rule = mapping_rule::parse(value)?;
            if !ids.insert(rule.id.clone()) || !names.insert(rule.name.clone()) {
                return Err(rule.refused("rule-id and rule-name must be unique"));
            }
            mappings.add(rule);
        }
        if mappings.include.is_empty() {
            return Err(DmsError::value(
                "Invalid table mappings: at least one selection rule must include tables",
            ));
        }
        let missing = |what: &str| {
            DmsError::value(format!(
                "Invalid table mappings: a transformation rule must {what}: the local stand-in \
                 always writes these columns"
            ))
        };
        if mappings.change_sequence.is_empty() {
            return Err(missing("add the column change_seq with $AR_H_CHANGE_SEQ"));
        }
        if mappings.before_image.is_empty() {
            return Err(missing("add-before-image-columns with prefix BI_ and filter pk-only"));
        }
        Ok(mappings)
    }

    fn add(&mut self, rule: mapping_rule::Checked) {
        let locator = rule.locator;
        match rule.rule {
            Rule::Include => self.include.push(locator),
            Rule::Exclude => self.exclude.push(locator),
            Rule::ChangeSequence => self.change_sequence.push(locator),
            Rule::BeforeImage => self.before_image.push(locator),
            Rule::DecimalAsText => self.texts.push((rule.id, locator)),
            Rule::Load { in_ranges } => {
                if in_ranges {
                    self.ranges.push(locator);
                }
            }
        }
    }

    /// The rules that make text of a column, with their ids; the replicator does so for a DECIMAL
    /// of more than 38 digits, whatever a rule says.
    pub(super) fn texts(&self, table: &SourceTable) -> impl Iterator<Item = (&str, &str)> {
        let rules = self.texts.iter().filter(|(_, locator)| locator.matches(table));
        rules.filter_map(|(id, locator)| Some((id.as_str(), locator.column()?)))
    }

    /// Selects of the tables that a source has.
    ///
    /// # Errors
    /// A selected table that a required transformation does not cover: DMS would write its files
    /// without the column.
    pub(super) fn select(&self, existing: &[SourceTable]) -> Result<Selection, String> {
        let any = |locators: &[Locator], table: &SourceTable| {
            locators.iter().any(|locator| locator.matches(table))
        };
        let selected =
            |table: &&SourceTable| any(&self.include, table) && !any(&self.exclude, table);
        let mut tables: Vec<SourceTable> = existing.iter().filter(selected).cloned().collect();
        tables.sort();
        for table in &tables {
            for (locators, what) in [
                (&self.change_sequence, "add-column change_seq"),
                (&self.before_image, "add-before-image-columns"),
            ] {
                if !any(locators, table) {
                    return Err(format!(
                        "table {table} is selected, but no rule {what} covers it, which the local \
                         stand-in cannot do without"
                    ));
                }
            }
        }
        let in_ranges = tables.iter().filter(|table| any(&self.ranges, table)).cloned().collect();
        Ok(Selection { tables, in_ranges })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn selection(id: u32, action: &str, schema: &str, table: &str) -> Value {
        json!({"rule-type": "selection", "rule-id": id.to_string(), "rule-name": format!("s{id}"),
            "object-locator": {"schema-name": schema, "table-name": table},
            "rule-action": action, "filters": []})
    }

    fn transformation(id: u32, table: &str, rest: Value) -> Value {
        let mut rule = json!({"rule-type": "transformation", "rule-id": id.to_string(),
            "rule-name": format!("t{id}"), "rule-target": "column",
            "object-locator": {"schema-name": "%", "table-name": table}});
        for (key, value) in rest.as_object().unwrap() {
            rule[key] = value.clone();
        }
        rule
    }

    fn sequence() -> Value {
        json!({"rule-action": "add-column", "value": "change_seq",
            "expression": "$AR_H_CHANGE_SEQ", "data-type": {"type": "string", "length": 50}})
    }

    fn before() -> Value {
        json!({"rule-action": "add-before-image-columns",
            "before-image-def": {"column-prefix": "BI_", "column-suffix": "",
                "column-filter": "pk-only"}})
    }

    fn mappings(rules: &[Value]) -> Result<Mappings, DmsError> {
        let always = [transformation(90, "%", sequence()), transformation(91, "%", before())];
        let rules: Vec<_> = rules.iter().chain(&always).collect();
        Mappings::parse(&json!({"rules": rules}).to_string())
    }

    fn tables(names: &[&str]) -> Vec<SourceTable> {
        let table = |name: &&str| {
            let (schema, table) = name.split_once('.').unwrap();
            SourceTable { schema: schema.to_owned(), table: table.to_owned() }
        };
        names.iter().map(table).collect()
    }

    #[test]
    fn wildcards_include_and_exclude() {
        let rules = [
            selection(1, "include", "crm", "%"),
            selection(2, "exclude", "crm", "%\u{5f}old"),
            selection(5, "exclude", "crm", "order\u{5f}"),
            selection(3, "include", "s%p", "order%s"),
            selection(4, "explicit", "kept", "o_e"),
        ];
        let existing = tables(&[
            "crm.customers",
            "crm.customers_old",
            "crmx.customers",
            "shop.orders",
            "shop.orders_x",
            "shop.order_lines",
            "kept.one",
            "kept.o_e",
            "Crm.upper",
            "crm.order1",
        ]);
        let selected = mappings(&rules).unwrap().select(&existing).unwrap();
        let expected = tables(&["crm.customers", "kept.o_e", "shop.order_lines", "shop.orders"]);
        assert_eq!(selected.tables, expected);
    }

    #[test]
    fn parallel_ranges_are_per_table() {
        let load = |kind: &str| {
            json!({"rule-type": "table-settings", "rule-id": "5", "rule-name": "load",
                "object-locator": {"schema-name": "crm", "table-name": "customers"},
                "parallel-load": {"type": kind, "columns": ["id"],
                    "boundaries": [["1000"], ["2000"]]},
                "lob-settings": {"mode": "limited", "bulk-max-size": "64"}})
        };
        let rules = [selection(1, "include", "crm", "%"), load("ranges")];
        let existing = tables(&["crm.addresses", "crm.customers"]);
        let selected = mappings(&rules).unwrap().select(&existing).unwrap();
        assert_eq!(selected.in_ranges, tables(&["crm.customers"]).into_iter().collect());
        let rules = [selection(1, "include", "crm", "%"), load("partitions-auto")];
        let refused = mappings(&rules).unwrap_err().to_string();
        assert!(refused.contains("rule 5") && refused.contains("partitions-auto"), "{refused}");
    }

    #[test]
    fn the_required_transformations_must_be_there_and_cover_every_table() {
        let include = selection(1, "include", "crm", "%");
        for (only, missing) in [
            (transformation(9, "%", before()), "change_seq"),
            (transformation(9, "%", sequence()), "add-before-image-columns"),
        ] {
            let text = json!({"rules": [include, only]}).to_string();
            let refused = Mappings::parse(&text).unwrap_err().to_string();
            assert!(refused.contains(missing), "{refused}");
        }
        let rules = json!({"rules": [include, transformation(8, "%", before()),
            transformation(9, "customers", sequence())]});
        let mappings = Mappings::parse(&rules.to_string()).unwrap();
        let refused = mappings.select(&tables(&["crm.addresses", "crm.customers"])).unwrap_err();
        assert!(refused.starts_with("table crm.addresses is selected"), "{refused}");
    }

    #[test]
    fn rules_that_the_replicator_does_not_perform_are_refused_with_their_id() {
        let include = || selection(1, "include", "crm", "%");
        let mut filtered = selection(7, "include", "crm", "customers");
        filtered["filters"] = json!([{"filter-type": "source", "column-name": "id"}]);
        let mut views = selection(7, "include", "crm", "%");
        views["object-locator"]["table-type"] = json!("all");
        let renamed = json!({"rule-action": "rename", "rule-target": "table", "value": "x"});
        let masked = json!({"rule-action": "data-masking-hash-mask"});
        let changed = |mut rule: Value, key: &str, value: Value| {
            rule[key] = value;
            transformation(7, "%", rule)
        };
        for wrong in [
            filtered,
            views,
            selection(7, "explicit", "crm", "%"),
            transformation(7, "%", renamed),
            transformation(7, "%", masked),
            transformation(
                7,
                "%",
                json!({"rule-action": "change-data-type",
                "data-type": {"type": "string", "length": 20}}),
            ),
            changed(sequence(), "value", json!("seq")),
            changed(sequence(), "expression", json!("$AR_H_TIMESTAMP")),
            changed(sequence(), "data-type", json!({"type": "string", "length": 20})),
            changed(
                before(),
                "before-image-def",
                json!({"column-prefix": "BI_",
                "column-filter": "all"}),
            ),
            json!({"rule-type": "post-processing", "rule-id": "7", "rule-name": "tag",
                "rule-action": "add-tag"}),
        ] {
            let shown = wrong.to_string();
            let refused = mappings(&[include(), wrong]).unwrap_err();
            assert_eq!(refused.code(), "InvalidParameterValueException", "{shown}");
            assert!(refused.to_string().contains("rule 7"), "{shown}: {refused}");
        }
    }

    #[test]
    fn malformed_documents_are_refused() {
        for wrong in [
            "",
            "[]",
            r#"{"rules": []}"#,
            r#"{"rules": [{}]}"#,
            r#"{"rule": []}"#,
            r#"{"rules": [{"rule-type": "selection", "rule-id": "one"}]}"#,
        ] {
            let refused = Mappings::parse(wrong).unwrap_err();
            assert_eq!(refused.code(), "InvalidParameterValueException", "{wrong}");
        }
        let twice = [selection(1, "include", "a", "%"), selection(1, "include", "b", "%")];
        assert!(mappings(&twice).unwrap_err().to_string().contains("unique"));
        let mut typed = selection(1, "include", "a", "%");
        typed["rule-acton"] = json!("include");
        assert!(mappings(&[typed]).unwrap_err().to_string().contains("rule-acton"));
    }
}
