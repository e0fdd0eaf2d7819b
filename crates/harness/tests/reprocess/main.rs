//! Reprocessing of a Silver table: by other rules, from several points, beside the regular job,
//! and after crashes. What it must come to is computed by a naive fold over the changes, and by a
//! second lake that is made from the same Bronze.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod beside;
mod crashes;
mod history;
mod points;
mod rules;
mod world;
