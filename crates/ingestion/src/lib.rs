//! The contract with AWS DMS: where Bronze files lie, which columns they have, and their types.
//!
//! Pure: no I/O and no clock.

pub mod dms;
pub mod layout;
pub mod schema;
pub mod types;
