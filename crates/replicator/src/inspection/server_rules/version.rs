//! Which releases can be replicated, and which of them DMS names as a source.

use medallion_definition::finding::RuleId;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::server::{Flavor, Server};

/// Too old for the replicator.
const TOO_OLD: RuleId = RuleId("source/version");
/// Not in DMS's list of sources (`CHAP_Introduction.Sources`).
const NOT_FOR_DMS: RuleId = RuleId("source/version-dms");

pub(super) fn check(server: &Server, findings: &mut Findings) {
    let (version, product) = (&server.version_text, server.flavor.as_str());
    if !server.is_supported() {
        let (major, minor, patch) = server.first_supported();
        findings.error(
            (TOO_OLD, Place::Server),
            format!("it is {product} {version}, whose binlog has no column names"),
            format!("{product} {major}.{minor}.{patch} or later is needed"),
        );
    }
    if !dms_names(server) {
        let known = match server.flavor {
            Flavor::MySql => "5.5, 5.6, 5.7, 8.0 and 8.4",
            Flavor::MariaDb => "10.0.24 and later, 10.2 to 10.6, 10.11 and 11.4",
        };
        findings.warning(
            (NOT_FOR_DMS, Place::Server),
            format!("it is {product} {version}, which DMS does not name as a source"),
            format!("DMS names {product} {known}"),
        );
    }
}

fn dms_names(server: &Server) -> bool {
    match (server.flavor, server.version) {
        (Flavor::MySql, (major, minor, _)) => {
            matches!((major, minor), (5, 5..=7) | (8, 0 | 4))
        }
        (Flavor::MariaDb, (10, 0, patch)) => patch >= 24,
        (Flavor::MariaDb, (major, minor, _)) => {
            matches!((major, minor), (10, 2..=6 | 11) | (11, 4))
        }
    }
}
