//! A contract against its source table.

use std::mem::discriminant;

use medallion_definition::contract::{Column, TableContract};
use medallion_definition::name::ColumnName;
use medallion_definition::types::MySqlType;
use medallion_ingestion::types::arrow_type;

use super::SourceMismatch;
use crate::inspection::table::SourceTable;

/// How a table differs from its contract.
pub(super) fn mismatches(contract: &TableContract, table: &SourceTable) -> Vec<SourceMismatch> {
    let mut found = Vec::new();
    let mut push = |column: Option<&ColumnName>, difference: String| {
        let (table, column) = (contract.table.clone(), column.cloned());
        found.push(SourceMismatch { table, column, difference });
    };
    let key: Vec<&str> = contract.key.iter().map(ColumnName::as_str).collect();
    if !table.key.is_empty() && table.key != key {
        let (source, wanted) = (table.key.join(", "), key.join(", "));
        push(None, format!("the primary key is ({source}), the contract has ({wanted})"));
    }
    for column in &contract.columns {
        if let Some(difference) = column_difference(column, table) {
            push(Some(&column.name), difference);
        }
    }
    found
}

fn column_difference(column: &Column, table: &SourceTable) -> Option<String> {
    let Some(found) = table.column(column.name.as_str()) else {
        return Some("the source has no such column".to_owned());
    };
    if let Some(why) = found.left_out() {
        return Some(format!("it is {why}, and such columns are not replicated"));
    }
    let source_type = &found.column_type;
    let fits = source_type.parse().is_ok_and(|source| holds(&column.source_type, &source));
    if !fits {
        return Some(format!(
            "the source has the type `{source_type}`, which the contract's cannot hold"
        ));
    }
    None
}

/// True when every value of the source's type has its place in the contract's Bronze column.
/// Lengths of text and lists of members do not matter there.
pub(crate) fn holds(contract: &MySqlType, source: &MySqlType) -> bool {
    let texts = contract.is_text() && source.is_text();
    let same_kind = texts || discriminant(contract) == discriminant(source);
    let fraction_fits = match (contract, source) {
        (MySqlType::Time(contract), MySqlType::Time(source)) => contract >= source,
        _ => true,
    };
    same_kind && fraction_fits && arrow_type(contract) == arrow_type(source)
}
