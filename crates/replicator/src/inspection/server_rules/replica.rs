//! A source that is itself a replica.

use medallion_definition::finding::RuleId;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::state::ServerState;

/// Changes that a replica receives do not reach its own binlog.
const NO_UPDATES: RuleId = RuleId("source/replica-updates");
/// A replica lags.
const REPLICA: RuleId = RuleId("source/replica");

pub(super) fn check(state: &ServerState, findings: &mut Findings) {
    if state.is_replica.answer() != Some(&true) {
        return;
    }
    let server = &state.server;
    // MySQL renamed the variable in 8.0.26; MariaDB keeps the old name.
    let renamed = "log_replica_updates";
    let name = if server.variable(renamed).is_some() { renamed } else { "log_slave_updates" };
    if !server.is(name, "ON") {
        findings.error(
            (NO_UPDATES, Place::Variable(name)),
            "the server is a replica, and the changes that it receives do not reach its binlog",
            "start the server with --log-replica-updates (in MariaDB --log-slave-updates)",
        );
    }
    findings.warning(
        (REPLICA, Place::Server),
        "it is a replica: transactions that it has not yet applied when DMS starts can be missed",
        "start only when it has caught up, or read from the primary",
    );
}
