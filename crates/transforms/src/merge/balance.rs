//! The row balance of a batch: nothing is dropped without a counter.

use std::fmt;

/// Where each change row of a batch went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Change rows read from Bronze.
    pub read: u64,
    /// Keys that appeared.
    pub inserted: u64,
    /// Keys whose row changed.
    pub updated: u64,
    /// Keys that went.
    pub deleted: u64,
    /// Rows followed by a later change of the same key in the batch.
    pub superseded: u64,
    /// Rows not newer than what the table already holds.
    pub stale: u64,
    /// Rows that change nothing.
    pub unchanged: u64,
    /// Rows that failed a check.
    pub quarantined: u64,
    /// Old keys removed because their row moved to another key; not part of the sum.
    pub moved: u64,
    /// Rows dropped because the table was replaced as a whole; not part of the sum.
    pub replaced: u64,
}

impl Balance {
    /// True when every row read went somewhere.
    pub fn holds(&self) -> bool {
        let sum = self.inserted + self.updated + self.deleted + self.superseded;
        self.read == sum + self.stale + self.unchanged + self.quarantined
    }

    /// The counters by name.
    pub fn counters(&self) -> [(&'static str, u64); 10] {
        [
            ("read", self.read),
            ("inserted", self.inserted),
            ("updated", self.updated),
            ("deleted", self.deleted),
            ("superseded", self.superseded),
            ("stale", self.stale),
            ("unchanged", self.unchanged),
            ("quarantined", self.quarantined),
            ("moved", self.moved),
            ("replaced", self.replaced),
        ]
    }
}

impl std::ops::Add for Balance {
    type Output = Balance;

    fn add(self, other: Balance) -> Balance {
        Balance {
            read: self.read + other.read,
            inserted: self.inserted + other.inserted,
            updated: self.updated + other.updated,
            deleted: self.deleted + other.deleted,
            superseded: self.superseded + other.superseded,
            stale: self.stale + other.stale,
            unchanged: self.unchanged + other.unchanged,
            quarantined: self.quarantined + other.quarantined,
            moved: self.moved + other.moved,
            replaced: self.replaced + other.replaced,
        }
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Zeros say nothing, but `read` is always there.
        let told = self.counters().into_iter().filter(|(name, n)| *n > 0 || *name == "read");
        let parts: Vec<String> = told.map(|(name, n)| format!("{name} {n}")).collect();
        f.write_str(&parts.join(", "))
    }
}
