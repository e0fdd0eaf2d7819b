//! How much goes through a server: what benches count.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// Of objects that were asked for: their length or that of the range, headers aside.
    pub read: u64,
    /// Of objects and parts that were stored.
    pub written: u64,
}

/// Requests and bytes since the server's start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests, refused ones included.
    pub requests: u64,
    /// Bytes by the first part of the object's key, such as `bronze`.
    pub bytes: BTreeMap<String, Bytes>,
}

impl Traffic {
    /// What came after an earlier moment.
    #[must_use]
    pub fn since(&self, earlier: &Traffic) -> Traffic {
        let bytes = self.bytes.iter().map(|(prefix, now)| {
            let then = earlier.bytes.get(prefix).copied().unwrap_or_default();
            let read = now.read.saturating_sub(then.read);
            let written = now.written.saturating_sub(then.written);
            (prefix.clone(), Bytes { read, written })
        });
        Traffic { requests: self.requests.saturating_sub(earlier.requests), bytes: bytes.collect() }
    }

    /// The bytes under all prefixes.
    pub fn total(&self) -> Bytes {
        self.bytes.values().fold(Bytes::default(), |sum, part| Bytes {
            read: sum.read + part.read,
            written: sum.written + part.written,
        })
    }
}

/// The counter of one server.
#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<Traffic>);

impl Meter {
    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn request(&self) {
        self.traffic().requests += 1;
    }

    pub(super) fn read(&self, key: &str, bytes: u64) {
        self.count(key, |counted| counted.read += bytes);
    }

    pub(super) fn written(&self, key: &str, bytes: u64) {
        self.count(key, |counted| counted.written += bytes);
    }

    fn count(&self, key: &str, add: impl FnOnce(&mut Bytes)) {
        let prefix = key.split('/').next().unwrap_or(key);
        let mut traffic = self.traffic();
        match traffic.bytes.get_mut(prefix) {
            Some(counted) => add(counted),
            None => add(traffic.bytes.entry(prefix.to_owned()).or_default()),
        }
    }

    pub(super) fn now(&self) -> Traffic {
        self.traffic().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_by_the_first_part_of_the_key() {
        let meter = Meter::default();
        meter.read("bronze/crm/a.parquet", 5);
        let before = meter.now();
        meter.request();
        meter.read("bronze/crm/b.parquet", 7);
        meter.written("silver/data/c.parquet", 11);
        let since = meter.now().since(&before);
        assert_eq!(since.requests, 1);
        assert_eq!(since.bytes["bronze"], Bytes { read: 7, written: 0 });
        assert_eq!(since.bytes["silver"], Bytes { read: 0, written: 11 });
        assert_eq!(since.total(), Bytes { read: 7, written: 11 });
        assert_eq!(meter.now().total().read, 12);
    }
}
