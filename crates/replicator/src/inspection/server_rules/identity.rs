//! Who the server is, and whether it is still the one at which a replication stopped.

use medallion_definition::finding::RuleId;

use crate::inspection::KnownBinlog;
use crate::inspection::finding::{Findings, Place};
use crate::inspection::server::{Flavor, Server};
use crate::inspection::state::ServerState;

/// A server without an id gives its binlog to nobody.
const SERVER_ID: RuleId = RuleId("source/server-id");
/// Positions are only file and offset.
const GTID: RuleId = RuleId("source/gtid-off");
/// The checkpoint is of another server.
const CHANGED: RuleId = RuleId("source/server-changed");
/// The checkpoint's binlog file is gone.
const PURGED: RuleId = RuleId("source/position-purged");

pub(super) fn check(
    state: &ServerState,
    stopped_in: Option<&KnownBinlog>,
    findings: &mut Findings,
) {
    let server = &state.server;
    if server.is("server_id", "0") {
        findings.error(
            (SERVER_ID, Place::Variable("server_id")),
            "it is 0: such a server gives its binlog to nobody",
            server.set("server_id", "1"),
        );
    }
    gtid(server, findings);
    let Some(known) = stopped_in else { return };
    let identity = server.identity();
    if identity.as_ref() != Some(&known.server_uuid) {
        let now = identity.unwrap_or_else(|| "unknown".to_owned());
        let at = (CHANGED, Place::Server);
        let told =
            format!("the checkpoint is of server `{}`, but `{now}` answers", known.server_uuid);
        if known.by_gtid && server.gtid() {
            findings.warning(
                at,
                format!("{told}; the replicator goes on by GTID, DMS has positions only"),
                "a DMS task has to load again",
            );
        } else {
            let hint = "positions mean nothing here: load again, or connect to the old server";
            findings.error(at, told, hint);
        }
        return;
    }
    let (Some(files), Some(file)) = (state.binlogs.answer(), &known.file) else { return };
    if !files.contains_key(file) {
        findings.error(
            (PURGED, Place::Server),
            format!("the checkpoint's binlog file `{file}` is purged: changes are lost"),
            "load again; a longer retention keeps the files until they are read",
        );
    }
}

fn gtid(server: &Server, findings: &mut Findings) {
    if server.flavor == Flavor::MariaDb || server.gtid() {
        return;
    }
    let mode = server.variable("gtid_mode").unwrap_or("OFF").to_owned();
    findings.note(
        (GTID, Place::Variable("gtid_mode")),
        format!(
            "it is {mode}: a position is a file and an offset, so that another server cannot \
             take over without a full load"
        ),
        "SET PERSIST enforce_gtid_consistency = ON, then gtid_mode step by step to ON",
    );
    if mode != "OFF" && !server.is("enforce_gtid_consistency", "ON") {
        findings.warning(
            (GTID, Place::Variable("enforce_gtid_consistency")),
            "statements that no GTID can carry are allowed while GTIDs are being switched on",
            "SET PERSIST enforce_gtid_consistency = ON",
        );
    }
}
