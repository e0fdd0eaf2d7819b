//! Who can see what: the effective access that a policy gives, as Lake Formation computes it, and
//! its enforcement in DataFusion, so that any SQL can be run locally as any group.
//!
//! [`access`] is pure: policy, groups and a table's columns in, rows and cells out.
//! [`enforce`] puts that answer below the query engine, where no SQL reaches around it.

pub mod access;
pub mod enforce;
