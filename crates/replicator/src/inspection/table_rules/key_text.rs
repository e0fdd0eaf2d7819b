//! Text in keys: MySQL may take two texts for one key that the lake keeps apart.

use medallion_definition::finding::RuleId;
use medallion_definition::types::MySqlType;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::table_state::TableState;

/// `a` and `A` are one key in MySQL.
const CASE: RuleId = RuleId("source/key-case");
/// `a` and `a ` are one key in MySQL.
const PADDING: RuleId = RuleId("source/key-padding");

pub(super) fn check(table: &TableState<'_>, findings: &mut Findings) {
    let names = table.source.key.iter();
    for column in names.filter_map(|name| table.source.column(name)) {
        let Some(collation) = column.collation.as_deref() else { continue };
        let at = |rule| (rule, Place::Column(table.id().clone(), column.name.clone()));
        // ENUM and SET hold members of their list, each in one spelling.
        let Ok(MySqlType::Char { fixed, .. }) = column.column_type.parse() else { continue };
        if collation.contains("_ci") || collation.contains("_ai") {
            findings.warning(
                at(CASE),
                format!(
                    "it is a key with collation `{collation}`: MySQL takes spellings that differ \
                     in case or accent for one key, the lake does not"
                ),
                "write it in one spelling only, or give it a `_bin` or `_as_cs` collation",
            );
        }
        // CHAR loses trailing spaces when it is read, so that none arrive.
        if !fixed && pads(collation) {
            findings.warning(
                at(PADDING),
                format!(
                    "it is a key with collation `{collation}`: MySQL takes texts that differ in \
                     trailing spaces for one key, the lake does not"
                ),
                "never write trailing spaces, or give it a collation without padding",
            );
        }
    }
}

/// True for PAD SPACE collations: all but MySQL's of UCA 9, MariaDB's `nopad`, and `binary`.
fn pads(collation: &str) -> bool {
    !(collation.contains("_0900_") || collation.contains("nopad") || collation == "binary")
}
