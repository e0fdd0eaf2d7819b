//! What a run of a model did.

use std::collections::BTreeMap;
use std::fmt;

use super::audit::CheckResult;
use super::source::Versions;

/// What a run did.
#[derive(Clone, Debug)]
pub enum GoldOutcome {
    /// Inputs and query are unchanged: nothing was written.
    UpToDate,
    /// These inputs do not exist yet: nothing was written. Their jobs bring the model up again.
    Waiting(Vec<String>),
    /// The build passed its checks and is what readers see.
    Published(GoldReport),
    /// The build failed a check: readers see what they saw before.
    Red(GoldReport),
}

/// What a build is made of.
#[derive(Clone, Debug)]
pub struct GoldReport {
    /// `full` or `incremental`.
    pub mode: &'static str,
    /// Why it was a full build.
    pub because: Option<String>,
    /// The versions of the inputs.
    pub inputs: Versions,
    /// Their rows, as far as they are known without reading them.
    pub input_rows: BTreeMap<String, u64>,
    /// Keys that were computed again; nothing for a full build.
    pub keys: Option<u64>,
    /// Rows of the build.
    pub rows: u64,
    /// Rows that were written. Where a full build takes the place of another, all of them.
    pub inserted: u64,
    /// Published rows that are not in the build, or were written again.
    pub deleted: u64,
    /// The build's snapshot, on `main` or on the branch.
    pub snapshot: i64,
    /// The branch on which a red build stands.
    pub branch: Option<&'static str>,
    /// All checks.
    pub checks: Vec<CheckResult>,
}

impl GoldReport {
    /// The checks that failed, red ones and warnings.
    pub fn failed(&self) -> impl Iterator<Item = &CheckResult> {
        self.checks.iter().filter(|check| !check.passed())
    }
}

impl fmt::Display for GoldReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, {}", self.rows, self.mode)?;
        if let Some(keys) = self.keys {
            let plural = if keys == 1 { "" } else { "s" };
            write!(f, ", {keys} key{plural} computed again")?;
            write!(f, ", +{} -{}", self.inserted, self.deleted)?;
        }
        let passed = self.checks.iter().filter(|check| check.passed()).count();
        write!(f, "; {passed} of {} checks pass; snapshot {}", self.checks.len(), self.snapshot)
    }
}
