//! Random changes of one small table, and the plain fold that says what Silver must hold.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Name and amount in cents.
pub(crate) type Row = (String, Option<i128>);

/// The rows by key.
pub(crate) type State = BTreeMap<i32, Row>;

/// One change as Bronze carries it.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) op: &'static str,
    /// 35 digits, or empty in the full load.
    pub(crate) seq: String,
    pub(crate) id: i32,
    /// The key before an update.
    pub(crate) before: Option<i32>,
    pub(crate) name: String,
    pub(crate) amount: Option<i128>,
}

impl Change {
    /// The contract's check on `name`.
    fn valid(&self) -> bool {
        !self.name.trim().is_empty() && self.name.trim().chars().all(|c| c.is_ascii_lowercase())
    }
}

/// When a file arrives, and whether a run follows.
pub(crate) struct Arrival {
    pub(crate) file: usize,
    /// The place of its name in time.
    pub(crate) name: usize,
    pub(crate) run: bool,
}

pub(crate) struct Generator {
    rng: ChaCha8Rng,
    number: u64,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Generator {
        Generator { rng: ChaCha8Rng::seed_from_u64(seed), number: 0 }
    }

    fn row(&mut self, op: &'static str, id: i32, before: Option<i32>) -> Change {
        let poison = self.rng.random_bool(0.08);
        let word = ["ana", " bia ", "caio", "davi"][self.rng.random_range(0..4)];
        let amount = self.rng.random_bool(0.8).then(|| self.rng.random_range(-9_999..9_999));
        let name = if poison { "N0T VALID".to_owned() } else { word.to_owned() };
        self.number += 1;
        // Many ties in time, so that the number alone decides.
        let second = self.number / 40;
        let seq = format!("2026010203{:02}{:02}00{:019}", second / 60, second % 60, self.number);
        Change { op, seq, id, before, name, amount }
    }

    pub(crate) fn load(&mut self) -> Vec<Change> {
        (0..60).map(|id| Change { seq: String::new(), ..self.row("I", id, None) }).collect()
    }

    /// What a source would do: insert absent keys, update and delete present ones.
    pub(crate) fn files(&mut self, load: &[Change]) -> Vec<Vec<Change>> {
        let mut live: BTreeSet<i32> = load.iter().map(|c| c.id).collect();
        let mut files = vec![Vec::new()];
        for _ in 0..self.rng.random_range(80..300) {
            let key = self.rng.random_range(0..90);
            let change = if !live.contains(&key) {
                live.insert(key);
                self.row("I", key, None)
            } else if self.rng.random_bool(0.25) {
                live.remove(&key);
                self.row("D", key, None)
            } else {
                let target = self.rng.random_range(0..90);
                let moves = self.rng.random_bool(0.3) && !live.contains(&target);
                let new = if moves { target } else { key };
                live.remove(&key);
                live.insert(new);
                self.row("U", new, Some(key))
            };
            if self.rng.random_bool(0.08) {
                files.push(Vec::new());
            }
            files.last_mut().unwrap().push(change);
        }
        files.retain(|f| !f.is_empty());
        files
    }

    /// Files mostly in order, some late, some again under a later name.
    pub(crate) fn arrivals(&mut self, files: usize) -> Vec<Arrival> {
        let mut order: Vec<(usize, usize)> = (0..files).map(|file| (file, file)).collect();
        for name in files..files + 2 {
            order.push((self.rng.random_range(0..files), name));
        }
        for window in order.chunks_mut(4) {
            window.shuffle(&mut self.rng);
        }
        let rng = &mut self.rng;
        order
            .into_iter()
            .map(|(file, name)| Arrival { file, name, run: rng.random_bool(0.4) })
            .collect()
    }
}

/// How many of the changes fail the contract's check.
pub(crate) fn invalid(load: &[Change], changes: &[Change]) -> usize {
    load.iter().chain(changes).filter(|c| c.op != "D" && !c.valid()).count()
}

/// The changes one after the other, in the order of the source.
pub(crate) fn fold(load: &[Change], changes: &[Change]) -> State {
    let mut state = State::new();
    for change in load.iter().chain(changes) {
        if change.op == "D" {
            state.remove(&change.id);
            continue;
        }
        if let Some(before) = change.before.filter(|before| *before != change.id) {
            state.remove(&before);
        }
        if change.valid() {
            state.insert(change.id, (change.name.trim().to_owned(), change.amount));
        }
    }
    state
}
