//! Publishing of Gold models: what fails a check is not published, what dies half way is finished
//! by the next run, and what changed is computed again.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod checks;
mod crashes;
mod histories;
mod publishing;
mod world;
