//! One module per command.

pub(crate) mod access;
pub(crate) mod check;
pub(crate) mod gold;
pub(crate) mod job;
pub(crate) mod query;
pub(crate) mod silver;
