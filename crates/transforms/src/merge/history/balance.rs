//! The row balance of a history batch: nothing is dropped without a counter.

use std::fmt;

/// Where each change row of a batch went in the history, and what it did to the states there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryBalance {
    /// Change rows read from Bronze.
    pub read: u64,
    /// Rows that began a state; the one before it ended, if there was one.
    pub began: u64,
    /// Rows that took their key away and so ended its state.
    pub ended: u64,
    /// Rows that changed nothing.
    pub unchanged: u64,
    /// Rows that the history knew already.
    pub stale: u64,
    /// Rows with the sequence of a later row of the same key.
    pub superseded: u64,
    /// Rows that failed a check.
    pub quarantined: u64,
    /// States that ended because their row moved to another key; not part of the sum.
    pub moved: u64,
    /// States that ended because a new full load does not have their key; not part of the sum.
    pub missing: u64,
    /// States written before that late rows made different or undid; not part of the sum.
    pub revised: u64,
}

impl HistoryBalance {
    /// True when every row read went somewhere.
    pub fn holds(&self) -> bool {
        let sum = self.began + self.ended + self.unchanged + self.stale;
        self.read == sum + self.superseded + self.quarantined
    }

    /// The counters by name.
    pub fn counters(&self) -> [(&'static str, u64); 10] {
        [
            ("read", self.read),
            ("began", self.began),
            ("ended", self.ended),
            ("unchanged", self.unchanged),
            ("stale", self.stale),
            ("superseded", self.superseded),
            ("quarantined", self.quarantined),
            ("moved", self.moved),
            ("missing", self.missing),
            ("revised", self.revised),
        ]
    }
}

impl std::ops::Add for HistoryBalance {
    type Output = HistoryBalance;

    fn add(self, other: HistoryBalance) -> HistoryBalance {
        HistoryBalance {
            read: self.read + other.read,
            began: self.began + other.began,
            ended: self.ended + other.ended,
            unchanged: self.unchanged + other.unchanged,
            stale: self.stale + other.stale,
            superseded: self.superseded + other.superseded,
            quarantined: self.quarantined + other.quarantined,
            moved: self.moved + other.moved,
            missing: self.missing + other.missing,
            revised: self.revised + other.revised,
        }
    }
}

impl fmt::Display for HistoryBalance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Zeros say nothing, but `read` is always there.
        let told = self.counters().into_iter().filter(|(name, n)| *n > 0 || *name == "read");
        let parts: Vec<String> = told.map(|(name, n)| format!("{name} {n}")).collect();
        f.write_str(&parts.join(", "))
    }
}
