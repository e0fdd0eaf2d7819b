//! Begins the journal of the source, where the server lets the run do it.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::failure::HarnessError;
use crate::report::Report;
use crate::stack::Stack;
use crate::workload::journal;

/// MySQL's refusals for want of a right: to create a schema, to use a table, to create a trigger
/// (TRIGGER), and to do so beside a binlog (SUPER, or `log_bin_trust_function_creators`).
const DENIED: [u16; 4] = [1044, 1142, 1227, 1419];

/// Begins the journal. False when a server that is not our own does not let us; then nothing is
/// left of it, and the report says what is not compared.
///
/// # Errors
/// Any other refusal.
pub(super) async fn begin(
    stack: &Stack,
    conn: &mut Conn,
    given: bool,
    report: &Report,
) -> Result<bool, HarnessError> {
    let failed = |e| HarnessError::set_up("the journal of the source", e);
    let mut undo = Vec::new();
    for step in journal::create_sql(&stack.lake.tables) {
        match conn.query_drop(step.make).await {
            Ok(()) => undo.extend(step.undo),
            Err(mysql_async::Error::Server(error)) if given && DENIED.contains(&error.code) => {
                for statement in undo.iter().rev() {
                    conn.query_drop(statement).await.map_err(failed)?;
                }
                let about = format!(
                    "SKIPPED: the user may not create triggers ({}); Gold tables about changes are \
                     not compared with MySQL",
                    error.code
                );
                report.line("journal", &about);
                return Ok(false);
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(true)
}
