//! What happens to the source, written down by MySQL itself: triggers on the source tables write
//! each change into `journal.changes`, within the change's own transaction. MySQL keeps no history
//! that could be asked otherwise.
//!
//! Triggers decide what REPLACE is: with a trigger on deletes MySQL deletes and inserts, instead of
//! updating. The journal and the binlog agree on it.

use medallion_definition::contract::{Column, TableContract};
use medallion_definition::types::MySqlType;

use super::SESSION;
use super::schema::database_sql;
use super::scripted::BROKEN;

/// The schema of the journal. Servers of the harness leave it out of the binlog.
pub const SCHEMA: &str = "journal";

/// A statement of the set-up, and the one that takes it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is to be done.
    pub make: String,
    /// What takes it back, if that is needed.
    pub undo: Option<String>,
}

/// The statements that begin the journal: the rows that are there, as operation `L`, then every
/// change. A row of the journal has the day in UTC, the source table, the operation and the rules
/// that the row breaks, comma between.
///
/// To be run when the first rows are there and nothing changes them.
pub fn create_sql(contracts: &[TableContract]) -> Vec<Step> {
    let table = format!(
        "CREATE TABLE {SCHEMA}.changes (\n  \
         id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,\n  \
         day date NOT NULL,\n  \
         table_name varchar(140) NOT NULL,\n  \
         op char(1) NOT NULL,\n  \
         rules varchar(2000) NOT NULL\n) ENGINE=InnoDB \
         CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    );
    let drop = format!("DROP DATABASE IF EXISTS {SCHEMA}");
    let mut out = vec![
        Step { make: SESSION.to_owned(), undo: None },
        Step { make: database_sql(SCHEMA), undo: Some(drop) },
        Step { make: table, undo: None },
    ];
    out.extend(contracts.iter().map(|c| Step { make: loaded(c), undo: None }));
    out.extend(contracts.iter().flat_map(triggers));
    out
}

/// The rules that a row breaks, as text; `row` is what stands before its columns.
fn broken(contract: &TableContract, row: &str) -> String {
    let table = contract.table.to_string();
    let rules = BROKEN.iter().filter(|broken| broken.table == table);
    let rules = rules.map(|b| format!(", IF({}, '{}', NULL)", b.when.replace('$', row), b.rule));
    // Alone it would have no text to join.
    format!("CONCAT_WS(',', NULL{})", rules.collect::<String>())
}

fn insert(contract: &TableContract, op: char, row: &str) -> String {
    let (table, rules) = (&contract.table, broken(contract, row));
    format!(
        "INSERT INTO {SCHEMA}.changes (day, table_name, op, rules) \
         SELECT UTC_DATE(), '{table}', '{op}', {rules}"
    )
}

fn loaded(contract: &TableContract) -> String {
    format!("{} FROM {}", insert(contract, 'L', ""), contract.table)
}

fn triggers(contract: &TableContract) -> [Step; 3] {
    let step = |event: &str, body: String| {
        let table = &contract.table;
        let name = format!("{}.{SCHEMA}_{}_{event}", table.schema, table.table);
        let make = format!("CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW {body}");
        Step { make, undo: Some(format!("DROP TRIGGER {name}")) }
    };
    let update = format!("{} FROM DUAL WHERE {}", insert(contract, 'U', "NEW."), changed(contract));
    // A delete is not checked.
    let table = &contract.table;
    let delete = format!(
        "INSERT INTO {SCHEMA}.changes (day, table_name, op, rules) \
         VALUES (UTC_DATE(), '{table}', 'D', '')"
    );
    [step("INSERT", insert(contract, 'I', "NEW.")), step("UPDATE", update), step("DELETE", delete)]
}

/// Whether an update has changed anything: a trigger is called in any case, but the binlog has only
/// rows that are not the same byte by byte.
fn changed(contract: &TableContract) -> String {
    let same: Vec<String> = contract.columns.iter().map(same).collect();
    format!("NOT ({})", same.join(" AND "))
}

fn same(column: &Column) -> String {
    let (old, new) = (format!("OLD.`{}`", column.name), format!("NEW.`{}`", column.name));
    let bytes = |value: &str| match &column.source_type {
        // Their comparison would ignore trailing spaces.
        MySqlType::Char { .. } | MySqlType::Text(_) => format!("CAST({value} AS BINARY)"),
        // Numbers that are equal may be written in two ways.
        MySqlType::Json => format!("CAST(CAST({value} AS CHAR) AS BINARY)"),
        MySqlType::Int { .. }
        | MySqlType::Decimal { .. }
        | MySqlType::Float
        | MySqlType::Double
        | MySqlType::Bit(_)
        | MySqlType::Date
        | MySqlType::DateTime(_)
        | MySqlType::Timestamp(_)
        | MySqlType::Time(_)
        | MySqlType::Year
        | MySqlType::Binary { .. }
        | MySqlType::Blob(_)
        | MySqlType::Enum(_)
        | MySqlType::Set(_)
        | MySqlType::Geometry(_) => value.to_owned(),
    };
    format!("{} <=> {}", bytes(&old), bytes(&new))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use medallion_definition::contract::OnFail;

    use super::*;
    use crate::workload::schema::tests::shipped;

    #[test]
    fn each_table_is_counted_once_and_watched_by_three_triggers() {
        let steps = create_sql(&shipped().tables);
        let made = |start: &str| steps.iter().filter(|s| s.make.starts_with(start)).count();
        assert_eq!((made("INSERT INTO journal.changes"), made("CREATE TRIGGER crm.")), (3, 9));
        let triggers = steps.iter().filter(|s| s.make.starts_with("CREATE TRIGGER"));
        assert!(triggers.clone().all(|s| s.undo.as_deref().unwrap().starts_with("DROP TRIGGER")));
        let names: BTreeSet<_> = triggers.map(|s| s.undo.clone()).collect();
        assert_eq!(names.len(), 9);
        assert!(steps.iter().all(|s| !s.make.contains('$')), "a column without its row");
    }

    #[test]
    fn an_update_compares_every_column_and_text_by_its_bytes() {
        let lake = shipped();
        let consents = lake.tables.iter().find(|t| t.table.to_string() == "crm.consents").unwrap();
        let condition = changed(consents);
        assert_eq!(condition.matches(" <=> ").count(), consents.columns.len());
        let text = "CAST(OLD.`purpose` AS BINARY) <=> CAST(NEW.`purpose` AS BINARY)";
        assert!(condition.contains(text), "{condition}");
        assert!(condition.contains("OLD.`ip` <=> NEW.`ip`"), "{condition}");
    }

    #[test]
    fn broken_rules_are_rules_of_the_contracts_that_reject() {
        let lake = shipped();
        for broken in &BROKEN {
            let contract = lake.tables.iter().find(|t| t.table.to_string() == broken.table);
            let contract = contract.unwrap();
            let is_check = contract.columns.iter().any(|column| {
                let mut checks = column.checks.iter();
                checks.any(|c| format!("{}:{}", column.name, c.name()) == broken.rule)
            });
            let is_row_rule = contract
                .row_rules
                .iter()
                .any(|r| r.name.to_string() == broken.rule && r.on_fail == OnFail::Quarantine);
            assert!(is_check || is_row_rule, "{}", broken.rule);
        }
    }
}
