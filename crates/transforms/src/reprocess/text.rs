//! The next step of a rebuild for people, and for programs.

use std::fmt;

use serde_json::{Value, json};

use super::{ReprocessPlan, ReprocessStep};
use crate::plan::SilverPlan;

impl ReprocessPlan {
    /// The version of the JSON form.
    pub const VERSION: u32 = 1;

    /// The batch that the step applies or leads to.
    pub fn batch(&self) -> Option<&SilverPlan> {
        match &self.step {
            ReprocessStep::Begin { batch, .. } | ReprocessStep::Apply { batch, .. } => Some(batch),
            ReprocessStep::Nothing | ReprocessStep::Swap { .. } | ReprocessStep::Settle { .. } => {
                None
            }
        }
    }

    /// The plan as one JSON object: `step` is `nothing`, `begin`, `apply`, `swap` or `settle`,
    /// `on` the snapshot that the step is made on (null: none), `batch` a plan of
    /// [`SilverPlan::to_json`] or null.
    pub fn to_json(&self) -> Value {
        let (step, on) = match &self.step {
            ReprocessStep::Nothing => ("nothing", None),
            ReprocessStep::Begin { on, .. } => ("begin", *on),
            ReprocessStep::Apply { head, .. } => ("apply", Some(*head)),
            ReprocessStep::Swap { head } => ("swap", Some(*head)),
            ReprocessStep::Settle { head, .. } => ("settle", Some(*head)),
        };
        json!({
            "version": ReprocessPlan::VERSION,
            "table": self.table.to_string(),
            "from": self.from.to_string(),
            "main": self.main,
            "step": step,
            "on": on,
            "batch": self.batch().map(SilverPlan::to_json),
        })
    }
}

impl fmt::Display for ReprocessPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let main = self.main.map_or("none".to_owned(), |id| id.to_string());
        writeln!(f, "reprocess plan for {}", self.table)?;
        writeln!(f, "  from           {}", self.from)?;
        writeln!(f, "  main snapshot  {main}")?;
        let next = match &self.step {
            ReprocessStep::Nothing => "nothing: no batch was applied after it".to_owned(),
            ReprocessStep::Begin { on: None, .. } => "a branch begins on an empty table".to_owned(),
            ReprocessStep::Begin { on: Some(on), .. } => {
                format!("a branch begins on snapshot {on}")
            }
            ReprocessStep::Apply { head, .. } => {
                format!("a rebuild that was begun goes on at snapshot {head}")
            }
            ReprocessStep::Swap { head } => {
                format!("the rebuilt table, snapshot {head}, takes the place of main")
            }
            ReprocessStep::Settle { head, .. } => {
                format!("snapshot {head} took the place of main; quarantine follows")
            }
        };
        writeln!(f, "  next           {next}")?;
        match self.batch() {
            Some(batch) => write!(f, "{batch}"),
            None => Ok(()),
        }
    }
}
