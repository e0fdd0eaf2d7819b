//! What histories came to, and what of all that may happen never happened in them.

use std::collections::BTreeMap;

use crate::aws::faults::{Fault, FaultCount};

/// Fewer histories need not hold everything.
const ENOUGH: usize = 500;
/// An operation for which undisturbed jobs ask less than once in so many histories is only shown.
const RARE: u64 = 50;
/// How names of faults end that refuse a request.
const REFUSED: &str = "refused";
/// How names of faults end that lose the reply to a request.
const REPLY_LOST: &str = "reply-lost";

/// What a history came to, or several together.
#[derive(Clone, Debug, Default)]
pub(super) struct Lived {
    pub(super) runs: u32,
    pub(super) batches: usize,
    pub(super) rows: usize,
    /// Rows of history tables that were compared.
    pub(super) states: usize,
    /// Delete files of Silver that were there at some look.
    pub(super) delete_files: usize,
    /// How often a request was struck: `survived <fault> <operation>` of a job that went on,
    /// `died <refused|reply-lost> <operation>` of one that died of it.
    pub(super) struck: BTreeMap<String, u32>,
    /// The requests of jobs that nothing disturbed, by operation.
    pub(super) asked: BTreeMap<String, u64>,
    pub(super) crashes: u32,
    pub(super) compactions: u32,
    pub(super) rebuilds: u32,
}

impl Lived {
    /// Takes over what another history came to.
    pub(super) fn add(&mut self, other: Lived) {
        self.runs += other.runs;
        self.batches += other.batches;
        self.rows += other.rows;
        self.states += other.states;
        self.delete_files += other.delete_files;
        self.crashes += other.crashes;
        self.compactions += other.compactions;
        self.rebuilds += other.rebuilds;
        for (what, times) in other.struck {
            *self.struck.entry(what).or_default() += times;
        }
        self.asked(&other.asked);
    }

    /// Notes the requests of a job that nothing disturbed.
    pub(super) fn asked(&mut self, requests: &BTreeMap<String, u64>) {
        for (operation, times) in requests {
            *self.asked.entry(operation.clone()).or_default() += times;
        }
    }

    /// Notes what a fault struck, and whether the job died of it.
    pub(super) fn note(&mut self, fault: Fault, count: &FaultCount, died: bool) {
        let fate = match (died, fault.loses_reply()) {
            (false, _) => format!("survived {}", fault.name()),
            (true, true) => format!("died {REPLY_LOST}"),
            (true, false) => format!("died {REFUSED}"),
        };
        for (operation, times) in count.operations() {
            *self.struck.entry(format!("{fate} {operation}")).or_default() += times;
        }
        self.crashes += u32::from(died);
    }

    /// What never happened in so many histories, though each of them may hold it.
    pub(super) fn lacking(&self, histories: usize) -> Vec<String> {
        if histories < ENOUGH {
            return Vec::new();
        }
        let mut found = Vec::new();
        let counts = [
            ("compaction", self.compactions as usize),
            ("rebuild", self.rebuilds as usize),
            ("crash", self.crashes as usize),
            ("delete file", self.delete_files),
        ];
        let never = counts.into_iter().filter(|(_, times)| *times == 0);
        found.extend(never.map(|(what, _)| format!("there was no {what}")));
        let often = |times: u64| times.saturating_mul(RARE) >= histories as u64;
        for (operation, _) in self.asked.iter().filter(|(_, times)| often(**times)) {
            // A read whose reply is lost is refused: nothing was read.
            let is_read = ["Get", "Head", "List"].iter().any(|verb| operation.starts_with(verb));
            let refused: &[&str] = if is_read { &[REFUSED, REPLY_LOST] } else { &[REFUSED] };
            if !self.was("survived", refused, operation) {
                found.push(format!("no {operation} was refused to a job that went on"));
            }
            if !is_read && !self.was("survived", &[REPLY_LOST], operation) {
                found.push(format!("no reply to a {operation} was lost by a job that went on"));
            }
            if !self.was("died", &[REFUSED, REPLY_LOST], operation) {
                found.push(format!("no job died at a {operation}"));
            }
        }
        found
    }

    fn was(&self, fate: &str, effects: &[&str], operation: &str) -> bool {
        self.struck.keys().any(|key| {
            let mut words = key.split(' ');
            let fault = words.next().filter(|word| *word == fate).and_then(|_| words.next());
            let effect = fault.is_some_and(|fault| effects.iter().any(|e| fault.ends_with(e)));
            effect && words.next() == Some(operation)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jobs_ask_for_often_has_to_fail_in_every_way() {
        let asked = [("GetObject", 9_000), ("PutObject", 500), ("CopyObject", 2)];
        let struck = [
            "survived any-reply-lost GetObject",
            "died refused GetObject",
            "survived s3-put-refused PutObject",
            "died reply-lost PutObject",
        ];
        let mut lived = Lived {
            delete_files: 1,
            crashes: 1,
            compactions: 1,
            rebuilds: 1,
            struck: struck.into_iter().map(|key| (key.to_owned(), 1)).collect(),
            asked: asked.into_iter().map(|(name, times)| (name.to_owned(), times)).collect(),
            ..Lived::default()
        };
        let lost = "no reply to a PutObject was lost by a job that went on";
        assert_eq!(lived.lacking(500), [lost]);
        lived.struck.insert("survived s3-put-reply-lost PutObject".to_owned(), 1);
        assert_eq!(lived.lacking(500), [""; 0]);
        lived.rebuilds = 0;
        assert_eq!(lived.lacking(499), [""; 0]);
        assert_eq!(lived.lacking(500), ["there was no rebuild"]);
    }
}
