//! Rules about the server, one idea per file.

mod binlog_files;
mod filter;
mod identity;
mod prepared_xa;
mod privileges;
mod replica;
mod retention;
mod settings;
mod time_zone;
mod version;

#[cfg(test)]
mod tests;

use medallion_definition::contract::TableContract;

use super::Limits;
use super::finding::Findings;
use super::state::ServerState;

pub(super) fn check(
    state: &ServerState,
    contracts: &[TableContract],
    limits: &Limits,
    findings: &mut Findings,
) {
    version::check(&state.server, findings);
    settings::check(&state.server, findings);
    retention::check(state, findings);
    binlog_files::check(state, findings);
    filter::check(state, contracts, findings);
    replica::check(state, findings);
    identity::check(state, limits.stopped_in.as_ref(), findings);
    prepared_xa::check(state, findings);
    privileges::check(state, findings);
    time_zone::check(&state.server, findings);
}
