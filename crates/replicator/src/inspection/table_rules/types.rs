//! Types that not every reader on the way can carry.

use medallion_definition::finding::RuleId;
use medallion_definition::types::MySqlType;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::table_state::TableState;

/// More digits than Parquet, Iceberg and Athena hold.
const DIGITS: RuleId = RuleId("source/decimal-digits");
/// A type that DMS does not name (`CHAP_Source.MySQL`, data types).
const UNKNOWN: RuleId = RuleId("source/type-unknown");

/// Types of newer servers and of MariaDB that DMS does not name.
const NOT_FOR_DMS: [&str; 4] = ["vector", "uuid", "inet4", "inet6"];

pub(super) fn check(table: &TableState<'_>, findings: &mut Findings) {
    let travelling = table.source.columns.iter().filter(|column| column.left_out().is_none());
    for column in travelling {
        let at = |rule| (rule, Place::Column(table.id().clone(), column.name.clone()));
        let parsed: Option<MySqlType> = column.column_type.parse().ok();
        if let Some(MySqlType::Decimal { precision, .. }) = parsed
            && precision > 38
        {
            findings.warning(
                at(DIGITS),
                format!(
                    "it has {precision} digits; a lake decimal has 38 at most, so that it is text \
                     here, and what DMS does is not documented"
                ),
                "make it DECIMAL(38, …) or smaller if its values allow that",
            );
        }
        if NOT_FOR_DMS.contains(&column.type_name().to_ascii_lowercase().as_str()) {
            findings.error(
                at(UNKNOWN),
                format!("it is `{}`, a type that DMS does not name", column.column_type),
                "make the column invisible, or keep it in a table of its own",
            );
        }
    }
}
