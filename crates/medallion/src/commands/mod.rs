//! One module per command.

pub(crate) mod access;
pub(crate) mod check;
pub(crate) mod doctor;
pub(crate) mod gold;
pub(crate) mod job;
pub(crate) mod maintain;
pub(crate) mod new_table;
pub(crate) mod preview;
pub(crate) mod query;
pub(crate) mod reprocess;
pub(crate) mod silver;
pub(crate) mod synth;
pub(crate) mod verify;
