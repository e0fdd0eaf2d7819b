//! How long the server keeps its binlog: a reader that pauses longer has lost changes.

use medallion_definition::finding::RuleId;

use crate::inspection::attempt::Attempt;
use crate::inspection::finding::{Findings, Place};
use crate::inspection::server::Server;
use crate::inspection::state::ServerState;

/// DMS asks for a day at least (`CHAP_Source.MySQL`, prerequisites).
const RETENTION: RuleId = RuleId("source/retention");

const DAY: u64 = 86_400;

pub(super) fn check(state: &ServerState, findings: &mut Findings) {
    let server = &state.server;
    if let Attempt::Answer(hours) = state.rds_retention {
        // On RDS this setting decides, whatever the variables say.
        rds(hours, findings);
    } else if let Some((name, seconds)) = purged_after(server).filter(|(_, s)| *s < DAY) {
        findings.error(
            (RETENTION, Place::Variable(name)),
            format!(
                "the binlog is purged after {seconds} s; changes of a longer pause are lost, and \
                 DMS asks for {DAY} s at least"
            ),
            server.set("binlog_expire_logs_seconds", "604800"),
        );
    }
    if server.number("max_binlog_total_size").is_some_and(|bytes| bytes > 0) {
        findings.warning(
            (RETENTION, Place::Variable("max_binlog_total_size")),
            "the binlog is purged by its size, so that a burst shortens how long it reaches back",
            server.set("max_binlog_total_size", "0"),
        );
    }
}

fn rds(hours: Option<u64>, findings: &mut Findings) {
    if hours.is_some_and(|hours| hours >= 24) {
        return;
    }
    let message = match hours {
        Some(hours) => format!("RDS purges the binlog after {hours} h"),
        None => "RDS purges the binlog as soon as it can".to_owned(),
    };
    findings.error(
        (RETENTION, Place::Server),
        message + "; changes of a longer pause are lost",
        "CALL mysql.rds_set_configuration('binlog retention hours', 168)",
    );
}

/// The variable that purges and after how many seconds; `None` when nothing is purged by age.
fn purged_after(server: &Server) -> Option<(&'static str, u64)> {
    if server.is("binlog_expire_logs_auto_purge", "OFF") {
        return None;
    }
    match server.number("binlog_expire_logs_seconds") {
        Some(0) | None => {}
        Some(seconds) => return Some(("binlog_expire_logs_seconds", seconds)),
    }
    // Only counts when the seconds are 0; gone in MySQL 8.4.
    let days: f64 = server.variable("expire_logs_days")?.parse().ok()?;
    let whole = std::time::Duration::try_from_secs_f64(days * DAY as f64).ok()?.as_secs();
    (whole > 0).then_some(("expire_logs_days", whole))
}
