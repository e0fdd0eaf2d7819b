//! Rules about a table and its contract, one idea per file.

mod cascade;
mod character_set;
mod columns;
mod key_text;
mod naming;
mod partition;
mod size;
mod structure;
mod trigger;
mod types;

#[cfg(test)]
mod tests;

use super::Limits;
use super::finding::Findings;
use super::state::ServerState;
use super::table_state::TableState;

pub(super) use structure::missing;

pub(super) fn check(
    table: &TableState<'_>,
    state: &ServerState,
    limits: &Limits,
    findings: &mut Findings,
) {
    structure::check(table, findings);
    columns::check(table, findings);
    types::check(table, findings);
    character_set::check(table, &state.readable_sets, findings);
    key_text::check(table, findings);
    naming::check(table, findings);
    cascade::check(table, &state.server, findings);
    trigger::check(table, findings);
    partition::check(table, findings);
    size::check(table, limits, findings);
}
