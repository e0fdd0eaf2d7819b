//! The variables that decide what stands in the binlog.

use medallion_definition::finding::RuleId;

use crate::inspection::binlog::SETTINGS;
use crate::inspection::finding::{Findings, Place};
use crate::inspection::server::Server;

/// The text of statements in the binlog.
const STATEMENT_TEXT: RuleId = RuleId("source/statement-text");

pub(super) fn check(server: &Server, findings: &mut Findings) {
    for setting in &SETTINGS {
        let Some(value) = setting.wrong(server) else { continue };
        let at = (setting.rule, Place::Variable(setting.name));
        let message = if value.is_empty() {
            format!("it is not set: {}", setting.meaning)
        } else {
            format!("it is {value}: {}", setting.meaning)
        };
        if setting.dms_only {
            findings.warning(at, message, setting.hint(server));
        } else {
            findings.error(at, message, setting.hint(server));
        }
    }
    if server.is("binlog_rows_query_log_events", "ON") {
        findings.note(
            (STATEMENT_TEXT, Place::Variable("binlog_rows_query_log_events")),
            "it is ON: the binlog also holds the text of statements with the values in it; \
             nothing of that reaches Bronze",
            "",
        );
    }
}
