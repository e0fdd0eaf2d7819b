//! The table mappings: which tables travel, and what is added to them.

use medallion_definition::change::{BEFORE_IMAGE_PREFIX, CHANGE_SEQ};
use medallion_definition::contract::{Column, LoadRanges, TableContract};
use medallion_definition::name::{ColumnName, TableId};
use medallion_definition::types::MySqlType;
use serde_json::{Value, json};

use super::lob;

/// Characters of the column for `$AR_H_CHANGE_SEQ`: 35 digits, and room.
pub const CHANGE_SEQ_LENGTH: u32 = 50;
/// The expression for a change's place in the order of the source.
pub const CHANGE_SEQ_EXPRESSION: &str = "$AR_H_CHANGE_SEQ";
/// The most digits of a decimal in Parquet, Iceberg and Athena.
pub const MOST_DIGITS: u8 = 38;

/// One rule about one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingRule {
    /// Unique in the document; the lower one wins where two rules speak of one object.
    pub id: u32,
    /// The table.
    pub table: TableId,
    /// What the rule does.
    pub action: RuleAction,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// The table travels. The name is meant literally.
    Select,
    /// Adds `change_seq`.
    AddChangeSeq,
    /// Adds `BI_<key>` for each key column.
    AddBeforeImage,
    /// A DECIMAL that Parquet cannot hold becomes text of at most so many characters.
    DecimalAsText {
        /// The column.
        column: ColumnName,
        /// Digits, sign and point.
        length: u32,
    },
    /// How the table is loaded.
    Load {
        /// Key ranges that are read in parallel.
        ranges: Option<LoadRanges>,
        /// The limit above which LOB values are cut, in KB.
        lob_kb: Option<u64>,
    },
}

/// The rules of a replication, in the order of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMappings {
    /// The rules.
    pub rules: Vec<MappingRule>,
}

impl TableMappings {
    /// The rules for these contracts: selections first, then what is added, then settings.
    pub fn new(contracts: &[TableContract]) -> TableMappings {
        let kinds: [fn(&TableContract) -> Vec<RuleAction>; 5] = [
            |_| vec![RuleAction::Select],
            |_| vec![RuleAction::AddChangeSeq],
            |_| vec![RuleAction::AddBeforeImage],
            wide_decimals,
            load,
        ];
        let mut rules = Vec::new();
        for kind in kinds {
            for contract in contracts {
                for action in kind(contract) {
                    let id = u32::try_from(rules.len() + 1).unwrap_or(u32::MAX);
                    rules.push(MappingRule { id, table: contract.table.clone(), action });
                }
            }
        }
        TableMappings { rules }
    }

    /// The document.
    pub fn document(&self) -> Value {
        let rules: Vec<Value> = self.rules.iter().map(MappingRule::document).collect();
        json!({ "rules": rules })
    }
}

/// True for a column that Parquet cannot hold as a decimal.
pub fn is_above_limit(column: &Column) -> bool {
    matches!(column.source_type, MySqlType::Decimal { precision, .. } if precision > MOST_DIGITS)
}

/// The columns of a contract that Parquet cannot hold as decimals, with their digits.
pub fn decimals_above_limit(contract: &TableContract) -> impl Iterator<Item = (&ColumnName, u8)> {
    contract.columns.iter().filter_map(|column| match column.source_type {
        MySqlType::Decimal { precision, .. } if precision > MOST_DIGITS => {
            Some((&column.name, precision))
        }
        _ => None,
    })
}

fn wide_decimals(contract: &TableContract) -> Vec<RuleAction> {
    decimals_above_limit(contract)
        .map(|(column, digits)| RuleAction::DecimalAsText {
            column: column.clone(),
            // A sign and a point.
            length: u32::from(digits) + 2,
        })
        .collect()
}

fn load(contract: &TableContract) -> Vec<RuleAction> {
    let lob_kb = lob::needed_kb(contract);
    let ranges = contract.load.ranges.clone();
    if lob_kb.is_none() && ranges.is_none() {
        return Vec::new();
    }
    vec![RuleAction::Load { ranges, lob_kb }]
}

impl MappingRule {
    fn name(&self) -> String {
        let table = self.table.lake_table();
        match &self.action {
            RuleAction::Select => format!("select_{table}"),
            RuleAction::AddChangeSeq => format!("sequence_{table}"),
            RuleAction::AddBeforeImage => format!("before_image_{table}"),
            RuleAction::DecimalAsText { column, .. } => format!("text_{table}_{column}"),
            RuleAction::Load { .. } => format!("load_{table}"),
        }
    }

    fn document(&self) -> Value {
        let mut rule = self.action_document();
        rule["rule-id"] = json!(self.id.to_string());
        rule["rule-name"] = json!(self.name());
        rule["object-locator"]["schema-name"] = json!(self.table.schema.as_str());
        rule["object-locator"]["table-name"] = json!(self.table.table.as_str());
        rule
    }

    fn action_document(&self) -> Value {
        match &self.action {
            RuleAction::Select => json!({
                "rule-type": "selection",
                "rule-action": "explicit",
                "object-locator": {},
            }),
            RuleAction::AddChangeSeq => json!({
                "rule-type": "transformation",
                "rule-target": "column",
                "rule-action": "add-column",
                "object-locator": {},
                "value": CHANGE_SEQ,
                "expression": CHANGE_SEQ_EXPRESSION,
                "data-type": { "type": "string", "length": CHANGE_SEQ_LENGTH },
            }),
            RuleAction::AddBeforeImage => json!({
                "rule-type": "transformation",
                "rule-target": "column",
                "rule-action": "add-before-image-columns",
                "object-locator": {},
                "before-image-def": {
                    "column-prefix": BEFORE_IMAGE_PREFIX,
                    "column-suffix": "",
                    "column-filter": "pk-only",
                },
            }),
            RuleAction::DecimalAsText { column, length } => json!({
                "rule-type": "transformation",
                "rule-target": "column",
                "rule-action": "change-data-type",
                "object-locator": { "column-name": column.as_str() },
                "data-type": { "type": "string", "length": length },
            }),
            RuleAction::Load { ranges, lob_kb } => load_document(ranges.as_ref(), *lob_kb),
        }
    }
}

fn load_document(ranges: Option<&LoadRanges>, lob_kb: Option<u64>) -> Value {
    let mut rule = json!({ "rule-type": "table-settings", "object-locator": {} });
    if let Some(kb) = lob_kb {
        // The guide writes the number as text.
        rule["lob-settings"] = json!({ "mode": "limited", "bulk-max-size": kb.to_string() });
    }
    if let Some(ranges) = ranges {
        let columns: Vec<&str> = ranges.columns.iter().map(ColumnName::as_str).collect();
        let texts = |row: &Vec<_>| row.iter().map(ToString::to_string).collect::<Vec<String>>();
        let boundaries: Vec<Vec<String>> = ranges.boundaries.iter().map(texts).collect();
        rule["parallel-load"] =
            json!({ "type": "ranges", "columns": columns, "boundaries": boundaries });
    }
    rule
}
