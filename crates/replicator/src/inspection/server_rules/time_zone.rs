//! The server's time zone: it decides what `NOW()` writes into DATETIME columns.

use medallion_definition::finding::RuleId;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::server::Server;

/// Not UTC.
const TIME_ZONE: RuleId = RuleId("source/time-zone");

pub(super) fn check(server: &Server, findings: &mut Findings) {
    let global = server.variable("time_zone").unwrap_or("SYSTEM");
    let system = server.variable("system_time_zone").unwrap_or("UTC");
    let (name, zone) = match global {
        "SYSTEM" => ("system_time_zone", system),
        _ => ("time_zone", global),
    };
    if !is_utc(zone) {
        findings.note(
            (TIME_ZONE, Place::Variable(name)),
            format!(
                "it is {zone}: DATETIME columns hold what their writers call the time, and travel \
                 as they are; TIMESTAMP columns arrive in UTC"
            ),
            "leave ServerTimezone of the DMS endpoint unset: it shifts full load and changes \
             differently",
        );
    }
}

fn is_utc(zone: &str) -> bool {
    matches!(zone.to_ascii_uppercase().as_str(), "UTC" | "GMT" | "+00:00" | "-00:00" | "ETC/UTC")
}
