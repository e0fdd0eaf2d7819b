//! Every table of every layer with its columns and their sensitivity, as policies see them.

use std::collections::BTreeMap;

use crate::change::{
    BEFORE_IMAGE_PREFIX, CHANGE_SEQ, DMS_TS, OP, SILVER_CHANGE_SEQ, SILVER_CHANGED_AT,
    SILVER_LOADED_AT,
};
use crate::contract::{Sensitivity, TableContract};
use crate::finding::{Finding, Findings, RuleId};
use crate::model::GoldModel;
use crate::name::{ColumnName, Layer};
use crate::policy::{ColumnSelection, Grant, Policy, TableSelection};
use crate::read::policy::ROW_FILTER;
use crate::types::LakeType;

/// A grant that selects no table.
pub const UNKNOWN_TABLE: RuleId = RuleId("policy/unknown-table");
/// A grant that names a column which its table does not have.
pub const UNKNOWN_COLUMN: RuleId = RuleId("policy/unknown-column");
/// A grant without row filter beside one with: the plain one outweighs every filter.
pub const FILTER_OUTWEIGHED: RuleId = RuleId("policy/filter-outweighed");

/// Two tables of the lake with one name.
pub const TABLE_NAME: RuleId = RuleId("lake/table-name");

/// One column as the catalog will hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueColumn {
    /// The name, as Glue and Athena see it. Bronze has `Op` and `BI_…` in mixed case.
    pub name: String,
    /// The type.
    pub lake_type: LakeType,
    /// How much it tells about a person.
    pub sensitivity: Sensitivity,
    /// Whether NULL may occur.
    pub nullable: bool,
    /// What it means.
    pub description: String,
}

/// One table of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueTable {
    /// The layer.
    pub layer: Layer,
    /// The name within the layer's database.
    pub name: String,
    /// The columns in order.
    pub columns: Vec<CatalogueColumn>,
}

impl CatalogueTable {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&CatalogueColumn> {
        self.columns.iter().find(|c| c.name == name)
    }
}

fn technical(name: &str, lake_type: LakeType, nullable: bool, about: &str) -> CatalogueColumn {
    CatalogueColumn {
        name: name.to_owned(),
        lake_type,
        sensitivity: Sensitivity::Internal,
        nullable,
        description: about.to_owned(),
    }
}

fn source_columns(contract: &TableContract, all_nullable: bool) -> Vec<CatalogueColumn> {
    let column = |c: &crate::contract::Column| CatalogueColumn {
        name: c.name.to_string(),
        lake_type: c.lake_type(),
        sensitivity: c.sensitivity,
        nullable: all_nullable || !contract.is_key(&c.name),
        description: c.description.clone(),
    };
    contract.columns.iter().map(column).collect()
}

fn bronze(contract: &TableContract) -> CatalogueTable {
    let mut columns = vec![
        technical(OP, LakeType::String, false, "operation: I, U or D"),
        technical(DMS_TS, LakeType::String, false, "commit time at the source, UTC"),
    ];
    columns.extend(source_columns(contract, true));
    for key in contract.key.iter().filter_map(|name| contract.column(name)) {
        columns.push(CatalogueColumn {
            name: format!("{BEFORE_IMAGE_PREFIX}{}", key.name),
            lake_type: key.lake_type(),
            sensitivity: key.sensitivity,
            nullable: true,
            description: "the key before an update".to_owned(),
        });
    }
    columns.push(technical(CHANGE_SEQ, LakeType::String, true, "place in the source's order"));
    CatalogueTable { layer: Layer::Bronze, name: contract.table.lake_table(), columns }
}

/// The Silver table: key columns required, everything else nullable, three technical columns.
pub fn silver(contract: &TableContract) -> CatalogueTable {
    let mut columns = source_columns(contract, false);
    columns.extend([
        technical(SILVER_CHANGE_SEQ, LakeType::String, false, "the change that made the row"),
        technical(SILVER_CHANGED_AT, LakeType::TimestampTz, true, "its commit time, UTC"),
        technical(SILVER_LOADED_AT, LakeType::TimestampTz, false, "when it was merged, UTC"),
    ]);
    CatalogueTable { layer: Layer::Silver, name: contract.table.lake_table(), columns }
}

/// The columns that a history table has beside those of the source.
pub const HISTORY_COLUMNS: [&str; 7] = [
    HISTORY_GENERATION,
    SILVER_CHANGE_SEQ,
    VALID_FROM,
    VALID_TO,
    IS_CURRENT,
    ENDED_GENERATION,
    ENDED_SEQ,
];
/// History column: the load generation in which the state began; numbers of changes are ordered
/// only within one.
pub const HISTORY_GENERATION: &str = "_generation";
/// History column: when the state began at the source.
pub const VALID_FROM: &str = "valid_from";
/// History column: when the state ended; NULL while it lasts.
pub const VALID_TO: &str = "valid_to";
/// History column: whether the state lasts.
pub const IS_CURRENT: &str = "is_current";
/// History column: the load generation in which the state ended; NULL while it lasts.
pub const ENDED_GENERATION: &str = "_ended_generation";
/// History column: the change that ended the state; NULL while it lasts, empty when a full load
/// ended it.
pub const ENDED_SEQ: &str = "_ended_seq";

/// The name of a source table's history table within the Silver database.
pub fn history_name(contract: &TableContract) -> String {
    format!("{}_history", contract.table.lake_table())
}

/// The history table, when the contract wants one: one row per state that a key ever had. A row is
/// identified by the contract's key, `_generation` and `_change_seq`, which also give the order of a
/// key's states.
pub fn history(contract: &TableContract) -> Option<CatalogueTable> {
    if !contract.history {
        return None;
    }
    let mut columns = source_columns(contract, false);
    columns.extend([
        technical(
            HISTORY_GENERATION,
            LakeType::Long,
            false,
            "the full load, counted from 1, with or after which the state began",
        ),
        technical(SILVER_CHANGE_SEQ, LakeType::String, false, "the change that began the state"),
        technical(VALID_FROM, LakeType::TimestampTz, false, "when the state began, UTC"),
        technical(VALID_TO, LakeType::TimestampTz, true, "when it ended, UTC; empty if it lasts"),
        technical(IS_CURRENT, LakeType::Boolean, false, "whether the state lasts"),
        technical(
            ENDED_GENERATION,
            LakeType::Long,
            true,
            "the full load with or after which the state ended; empty if it lasts",
        ),
        technical(ENDED_SEQ, LakeType::String, true, "the change that ended it; empty if it lasts"),
    ]);
    Some(CatalogueTable { layer: Layer::Silver, name: history_name(contract), columns })
}

/// The quarantine table of a source table: one row per rejected change.
pub fn quarantine(contract: &TableContract) -> CatalogueTable {
    let personal = |name: &str, about: &str| CatalogueColumn {
        sensitivity: Sensitivity::Personal,
        ..technical(name, LakeType::String, false, about)
    };
    let columns = vec![
        technical("file", LakeType::String, false, "the Bronze file"),
        technical("row_number", LakeType::Long, false, "the row in that file, from 0"),
        technical("op", LakeType::String, false, "operation: I, U or D"),
        technical("change_seq", LakeType::String, false, "place in the source's order"),
        technical("rules", LakeType::String, false, "ids of the failed rules, comma between"),
        personal("record", "the raw row as JSON"),
        technical(
            "etag",
            LakeType::String,
            true,
            "the version of that file: a reload writes another",
        ),
        technical("quarantined_at", LakeType::TimestampTz, false, "when, UTC"),
    ];
    CatalogueTable { layer: Layer::Quarantine, name: contract.table.lake_table(), columns }
}

/// The Gold table of a model.
pub fn gold(model: &GoldModel) -> CatalogueTable {
    let column = |c: &crate::model::ModelColumn| CatalogueColumn {
        name: c.name.to_string(),
        lake_type: c.lake_type,
        sensitivity: c.sensitivity,
        nullable: c.nullable,
        description: c.description.clone(),
    };
    let columns = model.columns.iter().map(column).collect();
    CatalogueTable { layer: Layer::Gold, name: model.name.to_string(), columns }
}

pub(crate) fn of(tables: &[TableContract], models: &[GoldModel]) -> Vec<CatalogueTable> {
    let bronze = tables.iter().map(bronze);
    let silver = tables.iter().flat_map(|t| std::iter::once(silver(t)).chain(history(t)));
    let quarantine = tables.iter().map(quarantine);
    bronze.chain(silver).chain(quarantine).chain(models.iter().map(gold)).collect()
}

/// Two source tables whose lake tables would have one name, as `a.b_c` and `a_b.c`.
pub(crate) fn check_names(tables: &[TableContract]) -> Findings {
    let mut findings = Findings::default();
    let mut owners = BTreeMap::new();
    for contract in tables {
        let history = contract.history.then(|| history_name(contract));
        for name in std::iter::once(contract.table.lake_table()).chain(history) {
            let Some(other) = owners.insert(name.clone(), contract) else { continue };
            findings.push(Finding {
                rule: TABLE_NAME,
                file: contract.file.clone(),
                line: 0,
                message: format!(
                    "`silver.{name}` would hold `{}` and `{}`",
                    other.table, contract.table
                ),
                hint: "a lake table has one source; history tables end in `_history`".to_owned(),
            });
        }
    }
    findings
}

impl TableSelection {
    /// True when the selection includes the table.
    pub fn includes(&self, layer: Layer, name: &str) -> bool {
        match self {
            TableSelection::Layer(selected) => *selected == layer,
            TableSelection::Table(selected, table) => *selected == layer && table == name,
        }
    }
}

pub(crate) fn check_policy(
    policy: &Policy,
    tables: &[TableContract],
    models: &[GoldModel],
) -> Findings {
    let catalogue = of(tables, models);
    let mut findings = Findings::default();
    for (i, grant) in policy.grants.iter().enumerate() {
        // A parameterised grant is judged once, by its first instance.
        if policy.grants[..i].iter().any(|g| g.place == grant.place) {
            continue;
        }
        let selected: Vec<&CatalogueTable> =
            catalogue.iter().filter(|t| grant.tables.includes(t.layer, &t.name)).collect();
        if selected.is_empty() {
            let known: Vec<String> =
                catalogue.iter().map(|t| format!("{}.{}", t.layer, t.name)).collect();
            let message = format!("grant `{}` selects no table", grant.name);
            findings.push(at(
                grant,
                UNKNOWN_TABLE,
                message,
                format!("known: {}", known.join(", ")),
            ));
        }
        for table in selected {
            check_columns(grant, table, &mut findings);
            check_outweighed(policy, grant, table, &mut findings);
        }
    }
    findings
}

fn at(grant: &Grant, rule: RuleId, message: String, hint: String) -> Finding {
    Finding { rule, file: grant.place.0.clone(), line: grant.place.1, message, hint }
}

fn check_columns(grant: &Grant, table: &CatalogueTable, findings: &mut Findings) {
    let named: &[ColumnName] = match &grant.columns {
        ColumnSelection::Named(names) | ColumnSelection::Excluding(names) => names,
        ColumnSelection::All | ColumnSelection::Sensitivity(_) => &[],
    };
    for name in named.iter().filter(|n| table.column(n.as_str()).is_none()) {
        let message = format!(
            "grant `{}` names the column `{name}`, which `{}.{}` does not have",
            grant.name, table.layer, table.name
        );
        findings.push(at(grant, UNKNOWN_COLUMN, message, String::new()));
    }
    let Some(rows) = &grant.rows else { return };
    let lookup = |name: &ColumnName| table.column(name.as_str()).map(|c| c.lake_type);
    for problem in rows.check_types(lookup) {
        let message = format!("`rows` on `{}.{}`: {problem}", table.layer, table.name);
        findings.push(at(grant, ROW_FILTER, message, String::new()));
    }
}

fn check_outweighed(
    policy: &Policy,
    grant: &Grant,
    table: &CatalogueTable,
    findings: &mut Findings,
) {
    if grant.rows.is_some() {
        return;
    }
    let filtered = policy.grants.iter().find(|g| {
        g.to == grant.to && g.rows.is_some() && g.tables.includes(table.layer, &table.name)
    });
    if let Some(filtered) = filtered {
        let message = format!(
            "grant `{}` without `rows` outweighs the row filter of `{}` on `{}.{}`",
            grant.name, filtered.name, table.layer, table.name
        );
        let hint = "Lake Formation adds grants up: give both the filter, or drop one".to_owned();
        findings.push(at(grant, FILTER_OUTWEIGHED, message, hint));
    }
}
