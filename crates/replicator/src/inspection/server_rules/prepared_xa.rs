//! XA transactions that are prepared and wait for their end.

use medallion_definition::finding::RuleId;

use crate::inspection::finding::{Findings, Place};
use crate::inspection::state::ServerState;

/// Open XA transactions.
const PREPARED: RuleId = RuleId("source/xa-prepared");

pub(super) fn check(state: &ServerState, findings: &mut Findings) {
    let count = state.prepared_xa.answer().copied().unwrap_or_default();
    if count > 0 {
        findings.warning(
            (PREPARED, Place::Server),
            format!(
                "{count} XA transactions are prepared: their rows stand in the binlog before a \
                 start now, their commit behind it"
            ),
            "end them (XA RECOVER lists them) before a full load begins",
        );
    }
}
