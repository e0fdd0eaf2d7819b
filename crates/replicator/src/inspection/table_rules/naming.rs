//! Names that DMS, Bronze or the lake cannot take.

use medallion_definition::change::{BEFORE_IMAGE_PREFIX, CHANGE_SEQ, DMS_TS, OP};
use medallion_definition::finding::RuleId;
use medallion_definition::name::ColumnName;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::table_state::TableState;

/// DMS does not take quotes and backticks in names (`CHAP_Source.MySQL`, limitations).
const QUOTES: RuleId = RuleId("source/name-quotes");
/// Names that Bronze files need for themselves.
const RESERVED: RuleId = RuleId("source/name-reserved");
/// Names that the Glue Data Catalog and Athena do not keep as they are.
const LAKE: RuleId = RuleId("source/name-lake");

pub(super) fn check(table: &TableState<'_>, findings: &mut Findings) {
    let travelling = table.source.columns.iter().filter(|column| column.left_out().is_none());
    for column in travelling {
        let name = column.name.as_str();
        let at = |rule| (rule, Place::Column(table.id().clone(), name.to_owned()));
        if name.contains(['\'', '"', '`']) {
            findings.error(
                at(QUOTES),
                "DMS does not take names with quotes or backticks",
                "rename the column",
            );
        } else if is_reserved(name, &table.source.key) {
            findings.error(
                at(RESERVED),
                "Bronze files have a column of that name themselves",
                "rename the column",
            );
        } else if name.parse::<ColumnName>().is_err() {
            findings.warning(
                at(LAKE),
                "no contract can name it: a lake column has lower-case letters, digits and `_`",
                "rename the column, or make it invisible",
            );
        }
    }
}

fn is_reserved(name: &str, key: &[String]) -> bool {
    [OP, DMS_TS, CHANGE_SEQ].iter().any(|own| own.eq_ignore_ascii_case(name))
        || name.strip_prefix(BEFORE_IMAGE_PREFIX).is_some_and(|rest| key.iter().any(|k| k == rest))
}
