//! Foreign keys whose cascade alters rows without an event of their own.

use medallion_definition::finding::RuleId;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::server::{Flavor, Server};
use crate::inspection::table_state::TableState;

/// Rows that a parent's change alters.
const CASCADE: RuleId = RuleId("source/cascade");

pub(super) fn check(table: &TableState<'_>, server: &Server, findings: &mut Findings) {
    for cascade in &table.cascades {
        let at = (CASCADE, Place::Table(table.id().clone()));
        let rules = format!(
            "foreign key `{}` to `{}` has ON UPDATE {} ON DELETE {}",
            cascade.constraint, cascade.parent, cascade.on_update, cascade.on_delete
        );
        if in_binlog(server) {
            findings.note(
                at,
                format!(
                    "{rules}; this server writes the rows that it alters to the binlog, servers \
                     before MySQL 9.6 do not"
                ),
                "",
            );
        } else {
            findings.error(
                at,
                format!(
                    "{rules}; the rows that InnoDB alters by it are not in the binlog, so that the \
                     lake keeps their old state"
                ),
                "let the application change the child rows first, and drop the cascade",
            );
        }
    }
}

/// Since MySQL 9.6 the SQL layer runs cascades and logs them, unless it is told to leave them to
/// InnoDB (reference manual, Replication and Foreign Keys). MariaDB leaves them to InnoDB.
fn in_binlog(server: &Server) -> bool {
    server.flavor == Flavor::MySql && server.is("innodb_native_foreign_keys", "OFF")
}
