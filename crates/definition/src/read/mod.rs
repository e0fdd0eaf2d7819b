//! From files to domain types: one module per kind of file.

pub(crate) mod contract;
pub(crate) mod dms;
pub(crate) mod environment;
pub(crate) mod evolution;
pub(crate) mod load;
pub(crate) mod model;
pub(crate) mod policy;
