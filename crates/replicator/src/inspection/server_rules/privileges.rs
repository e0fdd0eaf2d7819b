//! What the user may do: tried where a harmless statement needs the privilege, else by the grants.

use medallion_definition::finding::RuleId;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::state::ServerState;

/// A privilege is missing.
const PRIVILEGE: RuleId = RuleId("source/privilege");

pub(super) fn check(state: &ServerState, findings: &mut Findings) {
    let at = |name| (PRIVILEGE, Place::Privilege(name));
    let grant = |name: &str| format!("GRANT {name} ON *.* TO the user");
    if state.filters.is_denied() {
        findings.error(
            at("REPLICATION CLIENT"),
            "the user may not ask where the binlog ends",
            grant("REPLICATION CLIENT"),
        );
    }
    if state.reads_binlog.is_denied() {
        findings.error(
            at("REPLICATION SLAVE"),
            "the user may not read the binlog",
            grant("REPLICATION SLAVE"),
        );
    }
    if !state.has_privilege(&["RELOAD", "FLUSH_TABLES"]) {
        findings.warning(
            at("RELOAD"),
            "the user may not take the short read lock that ties the replicator's full load to a \
             binlog position; DMS does without",
            grant("RELOAD"),
        );
    }
    if state.prepared_xa.is_denied() {
        findings.note(
            at("XA_RECOVER_ADMIN"),
            "the user may not see prepared XA transactions, so that nothing is known of them",
            grant("XA_RECOVER_ADMIN"),
        );
    }
}
