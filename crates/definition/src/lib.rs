//! The lake definition and the vocabulary that every other crate shares.
//!
//! Pure: no I/O, no clock, no environment. Files are handed in as text and come out as domain
//! types, or as findings with file, line, rule and hint, all at once.

pub mod catalogue;
pub mod change;
pub mod contract;
pub mod environment;
pub mod finding;
pub mod lake;
pub mod model;
pub mod name;
pub mod policy;
mod read;
pub mod row_expression;
mod section;
pub mod types;
pub mod unit_test;
