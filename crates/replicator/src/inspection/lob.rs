//! Large columns: how long their values really are, against the length at which DMS cuts them.

use medallion_definition::finding::RuleId;
use medallion_definition::name::TableId;
use mysql_async::{Conn, Row};

use super::attempt::{Attempt, attempt, number};
use super::finding::{Findings, Place};
use super::table::SourceColumn;
use super::table_state::TableState;
use super::{Asked, quoted, quoted_table};
use crate::server::DatabaseError;

/// Values that DMS cuts.
const CUT: RuleId = RuleId("source/lob-cut");
/// Values that will be cut when they grow a little.
const NEAR: RuleId = RuleId("source/lob-near-limit");

/// Types that DMS moves as LOBs (`CHAP_Source.MySQL`, data types): BLOB, NCLOB and CLOB.
const LOB_TYPES: [&str; 5] = ["mediumtext", "longtext", "mediumblob", "longblob", "json"];

/// How many rows are looked at when all of them take too long.
const SAMPLE: u32 = 20_000;

/// The longest value of a large column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LobLength {
    /// The table.
    pub table: TableId,
    /// The column.
    pub column: String,
    /// Its type.
    pub column_type: String,
    /// The longest value in bytes of UTF-8; `None` in an empty table.
    pub longest: Option<u64>,
    /// False when only a part of the rows was looked at.
    pub complete: bool,
}

/// Measures the large columns of a table in one scan.
pub(super) async fn measure(
    asked: &Asked<'_>,
    conn: &mut Conn,
    table: &TableState<'_>,
    findings: &mut Findings,
) -> Result<Vec<LobLength>, DatabaseError> {
    let travels = |column: &&SourceColumn| {
        LOB_TYPES.contains(&column.type_name()) && column.left_out().is_none()
    };
    let columns: Vec<&SourceColumn> = table.source.columns.iter().filter(travels).collect();
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let id = table.id();
    let list = columns.iter().map(|column| longest(column)).collect::<Vec<_>>().join(", ");
    let all = asked.bounded(&list, &quoted_table(id));
    let mut outcome = attempt(asked.source, conn, READING, &all).await?;
    let complete = outcome != Attempt::TimedOut;
    if !complete {
        let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
        let names = names.join(", ");
        let part = format!("(SELECT {names} FROM {} LIMIT {SAMPLE}) AS part", quoted_table(id));
        outcome = attempt(asked.source, conn, READING, &asked.bounded(&list, &part)).await?;
    }
    let Some(row) = outcome.answer().and_then(|rows| rows.first()) else {
        asked.not_measured(id, "the lengths of its large columns", findings);
        return Ok(Vec::new());
    };
    let lengths = lengths(&columns, row, id, complete);
    let limit = match table.contract.load.lob_max_kb {
        Some(promised) => LobLimit::Promised(promised.into()),
        None => LobLimit::Default(asked.limits.lob_kib),
    };
    for length in &lengths {
        judge(length, limit, findings);
    }
    Ok(lengths)
}

const READING: &str = "measuring large columns";

/// DMS moves text as UTF-8, whatever the column's character set.
fn longest(column: &SourceColumn) -> String {
    let name = quoted(&column.name);
    let value = match column.character_set.as_deref() {
        Some(set) if set != "utf8mb4" => format!("CONVERT({name} USING utf8mb4)"),
        _ => name,
    };
    format!("MAX(OCTET_LENGTH({value}))")
}

fn lengths(columns: &[&SourceColumn], row: &Row, id: &TableId, complete: bool) -> Vec<LobLength> {
    let length = |(place, column): (usize, &&SourceColumn)| LobLength {
        table: id.clone(),
        column: column.name.clone(),
        column_type: column.column_type.clone(),
        longest: number(row, place),
        complete,
    };
    columns.iter().enumerate().map(length).collect()
}

/// At which length values are cut, in KiB.
#[derive(Clone, Copy, Debug)]
enum LobLimit {
    /// The contract promises that no value is longer, and DMS is set up by that.
    Promised(u64),
    /// What DMS takes by itself.
    Default(u64),
}

fn judge(length: &LobLength, limit: LobLimit, findings: &mut Findings) {
    let Some(longest) = length.longest else { return };
    let (kib, who) = match limit {
        LobLimit::Promised(kib) => (kib, "that the contract promises"),
        LobLimit::Default(kib) => (kib, "at which DMS cuts by itself"),
    };
    let bytes = kib.saturating_mul(1024);
    let at = |rule| (rule, Place::Column(length.table.clone(), length.column.clone()));
    let seen = if length.complete { "" } else { " (of the rows looked at)" };
    let enough = longest.div_ceil(1024).saturating_mul(2);
    let hint = format!("write `lob_max_kb = {enough}` or more under [load] in the contract");
    if longest > bytes {
        let message =
            format!("its longest value{seen} has {longest} bytes, more than the {kib} KB {who}");
        findings.error(at(CUT), message, hint);
    } else if longest.saturating_mul(2) > bytes {
        let message = format!(
            "its longest value{seen} has {longest} bytes, more than half of the {kib} KB {who}"
        );
        findings.warning(at(NEAR), message, hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspection::finding::Severity;

    #[test]
    fn a_value_is_told_when_it_is_cut_or_nearly_so() {
        let told = |longest: Option<u64>| {
            let length = LobLength {
                table: "crm.customers".parse().unwrap(),
                column: "notes".to_owned(),
                column_type: "mediumtext".to_owned(),
                longest,
                complete: true,
            };
            let mut findings = Findings::default();
            judge(&length, LobLimit::Promised(32), &mut findings);
            findings.sorted().first().map(|f| (f.severity, f.rule.0))
        };
        assert_eq!(told(None), None);
        assert_eq!(told(Some(16_384)), None);
        assert_eq!(told(Some(16_385)), Some((Severity::Warning, "source/lob-near-limit")));
        assert_eq!(told(Some(32_768)), Some((Severity::Warning, "source/lob-near-limit")));
        assert_eq!(told(Some(32_769)), Some((Severity::Error, "source/lob-cut")));
    }
}
