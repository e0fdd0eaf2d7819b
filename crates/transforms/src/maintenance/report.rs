//! What maintenance did.

use std::fmt;

use medallion_tables::maintenance::Removed;
use medallion_tables::maintenance::expiry::ExpiryReport;

/// Files that were rewritten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Old data files.
    pub before: usize,
    /// New data files.
    pub after: usize,
    /// Bytes of the old data files.
    pub bytes: u64,
    /// Files that are worth it too and left for later runs.
    pub left: usize,
}

impl fmt::Display for Compacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Compacted { before, after, bytes, left } = self;
        let plural = |count: &usize| if *count == 1 { "" } else { "s" };
        write!(f, "{before} file{} of {bytes} bytes became {after}", plural(before))?;
        if *left > 0 { write!(f, ", {left} left for later") } else { Ok(()) }
    }
}

/// What was done to one table; a part that is missing was not due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaintenanceReport {
    /// The table.
    pub table: String,
    /// Files that were rewritten.
    pub compacted: Option<Compacted>,
    /// Snapshots that went, with the files that only they needed.
    pub expired: Option<ExpiryReport>,
    /// Old metadata files that went.
    pub metadata: Option<Removed>,
    /// Files that went because nothing referred to them.
    pub orphans: Option<Removed>,
    /// Somebody else committed first: the rest of the work is left for another run.
    pub overtaken: bool,
}

impl MaintenanceReport {
    /// True when nothing was done, nor left.
    pub fn is_empty(&self) -> bool {
        let table = self.table.clone();
        *self == MaintenanceReport { table, ..MaintenanceReport::default() }
    }
}

impl fmt::Display for MaintenanceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "maintenance of {}: ", self.table)?;
        let mut parts = Vec::new();
        parts.extend(self.compacted.map(|compacted| compacted.to_string()));
        parts.extend(self.expired.as_ref().map(ToString::to_string));
        parts.extend(self.metadata.map(|removed| format!("old metadata: {removed}")));
        parts.extend(self.orphans.map(|removed| format!("orphans: {removed}")));
        if self.overtaken {
            parts.push("another writer was faster; the rest is left for later".to_owned());
        }
        if parts.is_empty() { f.write_str("nothing to do") } else { f.write_str(&parts.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_done_and_what_is_left() {
        let mut report =
            MaintenanceReport { table: "db.t".to_owned(), ..MaintenanceReport::default() };
        assert!(report.is_empty());
        assert_eq!(report.to_string(), "maintenance of db.t: nothing to do");
        report.compacted = Some(Compacted { before: 9, after: 1, bytes: 512, left: 2 });
        report.metadata = Some(Removed { files: 3, bytes: 30, failed: 0, left: 0 });
        report.overtaken = true;
        assert!(!report.is_empty());
        assert_eq!(
            report.to_string(),
            "maintenance of db.t: 9 files of 512 bytes became 1, 2 left for later; old metadata: \
             3 files of 30 bytes deleted; another writer was faster; the rest is left for later"
        );
    }
}
