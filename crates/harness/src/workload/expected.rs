//! What Silver must hold, computed by MySQL: an oracle that shares no code with the transforms.
//!
//! The schema `expected` gets one table per contract, named as in the lake. It starts as the source
//! tables with zero dates as NULL, without poisoned keys, with the rows that were kept of them; then
//! each normaliser and each emptying row rule is one UPDATE.

mod normalise;

use medallion_definition::contract::{Column, OnFail, TableContract};
use medallion_definition::types::LakeType;

use super::schema::{database_sql, key_list, table_sql};
use super::{Poisoned, SESSION};

/// The statements that build the schema `expected` anew, for the source as it stands.
pub fn create_sql(contracts: &[TableContract], poisoned: &[Poisoned]) -> Vec<String> {
    let mut out = vec![
        SESSION.to_owned(),
        "DROP DATABASE IF EXISTS expected".to_owned(),
        database_sql("expected"),
    ];
    for contract in contracts {
        let of_table: Vec<&Poisoned> =
            poisoned.iter().filter(|p| p.table == contract.table).collect();
        let target = format!("expected.{}", contract.table.lake_table());
        out.push(table_sql(contract, &target, true));
        out.extend(fill(contract, &target, &of_table));
        for column in &contract.columns {
            out.extend(column.normalisers.iter().map(|n| normalise::update(&target, column, n)));
        }
        out.extend(emptied(contract, &target));
    }
    out
}

fn fill(contract: &TableContract, target: &str, poisoned: &[&Poisoned]) -> Vec<String> {
    let columns: Vec<String> = contract.columns.iter().map(without_zero_date).collect();
    let columns = columns.join(", ");
    let key = key_list(contract);
    let list = |wanted: &dyn Fn(&Poisoned) -> bool| -> Vec<String> {
        let chosen = poisoned.iter().filter(|p| wanted(p));
        chosen.map(|p| format!("({})", p.key.join(", "))).collect()
    };
    let (all, kept) = (list(&|_| true), list(&|p| p.last_valid));
    let healthy = match all.is_empty() {
        true => String::new(),
        false => format!(" WHERE ({key}) NOT IN ({})", all.join(", ")),
    };
    let mut out =
        vec![format!("INSERT INTO {target} SELECT {columns} FROM {}{healthy}", contract.table)];
    if !kept.is_empty() {
        let source = format!("kept.{}", contract.table.lake_table());
        let condition = format!("({key}) IN ({})", kept.join(", "));
        out.push(format!("INSERT INTO {target} SELECT {columns} FROM {source} WHERE {condition}"));
    }
    out
}

/// DMS hands zero dates on as NULL.
fn without_zero_date(column: &Column) -> String {
    let name = &column.name;
    match column.lake_type() {
        LakeType::Date | LakeType::Timestamp | LakeType::TimestampTz => {
            format!("IF(CAST(`{name}` AS CHAR) LIKE '0000-00-00%', NULL, `{name}`)")
        }
        _ => format!("`{name}`"),
    }
}

/// The conditions of row rules are portable SQL, so MySQL can judge them itself.
fn emptied(contract: &TableContract, target: &str) -> Vec<String> {
    let emptying = |rule: &medallion_definition::contract::RowRule| match &rule.on_fail {
        OnFail::NullField(column) => {
            Some(format!("UPDATE {target} SET `{column}` = NULL WHERE NOT ({})", rule.sql))
        }
        OnFail::Quarantine | OnFail::Warn => None,
    };
    contract.row_rules.iter().filter_map(emptying).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::schema::tests::shipped;

    #[test]
    fn poisoned_keys_are_left_out_and_kept_rows_come_back() {
        let tables = shipped().tables;
        let poison = |seq: &str, last_valid| Poisoned {
            table: "crm.addresses".parse().unwrap(),
            key: vec!["7".to_owned(), seq.to_owned()],
            last_valid,
        };
        let sql = create_sql(&tables, &[poison("1", true), poison("2", false)]);
        let inserts: Vec<&String> =
            sql.iter().filter(|s| s.starts_with("INSERT INTO expected.crm_addresses")).collect();
        assert!(
            inserts[0].ends_with(
                "FROM crm.addresses WHERE (`customer_id`, `seq`) NOT IN ((7, 1), (7, 2))"
            )
        );
        assert!(
            inserts[1]
                .ends_with("FROM kept.crm_addresses WHERE (`customer_id`, `seq`) IN ((7, 1))")
        );
        let others = sql.iter().filter(|s| s.contains("FROM crm.") && s.contains("NOT IN"));
        assert_eq!(others.count(), 1);
    }

    #[test]
    fn every_normaliser_and_every_emptying_rule_of_the_shipped_contracts_is_one_update() {
        let tables = shipped().tables;
        let normalisers: usize =
            tables.iter().flat_map(|t| &t.columns).map(|c| c.normalisers.len()).sum();
        let emptying = tables.iter().flat_map(|t| &t.row_rules);
        let emptying = emptying.filter(|r| matches!(r.on_fail, OnFail::NullField(_))).count();
        let sql = create_sql(&tables, &[]);
        let updates = sql.iter().filter(|s| s.starts_with("UPDATE expected.")).count();
        assert_eq!(updates, normalisers + emptying);
        assert!(emptying >= 3 && normalisers >= 20);
    }
}
