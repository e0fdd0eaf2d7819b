//! Random histories: what a source does, in which files it reaches Bronze, and when jobs run.

use std::collections::BTreeMap;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::fold::Change;
use super::shape::{KEYS, Key, KeyForm, Row, Shape};

/// One Bronze file.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// Below the table's prefix.
    pub(super) name: String,
    pub(super) changes: Vec<Change>,
    pub(super) shape: Shape,
    /// The load that it belongs to, from 0.
    pub(super) generation: usize,
    pub(super) is_load: bool,
}

/// What happens beside a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing.
    None,
    /// A second job runs at the same time.
    Twice,
    /// The table is compacted before the run.
    Compacted,
    /// The table is compacted at the same time.
    Compacting,
    /// A request fails. Which one is drawn when it comes to it.
    Fault,
    /// The job dies at a request.
    Crash,
}

/// One step of a history.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A file arrives.
    Put(File),
    /// A new load begins: the files of the one before it are gone.
    Reload,
    /// The contract follows the source.
    Contract(Shape),
    /// Time passes, in seconds.
    Wait(i64),
    /// A job runs.
    Run(Trouble),
}

/// A history with the sizes that bound its jobs.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) form: KeyForm,
    pub(super) buckets: u32,
    pub(super) batch_bytes: u64,
    pub(super) memory_bytes: u64,
    pub(super) file_bytes: u64,
    /// The contract asks for a history table.
    pub(super) states: bool,
    /// Whether the table is rebuilt now and then; when is drawn while the history is lived.
    pub(super) rebuilds: bool,
    pub(super) events: Vec<Event>,
}

/// Parts of histories that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Files that arrive after younger ones.
    Late,
    /// New full loads.
    Reload,
    /// New full loads whose files have other names than those before.
    OtherNames,
    /// Columns that come, go, change name or type.
    Schema,
    /// Failing requests and dying jobs.
    Fault,
    /// Two jobs at once.
    Twice,
    /// Compaction before and beside jobs.
    Compaction,
    /// History tables.
    States,
    /// Rebuilds of the table.
    Reprocess,
}

struct Maker<'a> {
    rng: ChaCha8Rng,
    without: &'a [Part],
    form: KeyForm,
    shape: Shape,
    source: BTreeMap<Key, Row>,
    generation: usize,
    /// Changes so far.
    number: u64,
    /// Change files so far.
    files: u32,
    /// What was written last, which a replication that resumes writes again.
    recent: Vec<Change>,
    held_back: Vec<File>,
    emptied: bool,
    events: Vec<Event>,
}

/// The history of a seed.
pub(super) fn history(seed: u64, without: &[Part]) -> History {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let form = KeyForm::random(&mut rng);
    let buckets = *[1, 2, 5].choose(&mut rng).unwrap_or(&1);
    let batch_bytes = *[1, 6_000, 1 << 20].choose(&mut rng).unwrap_or(&1);
    let memory_bytes = *[1 << 12, 1 << 16, 1 << 28].choose(&mut rng).unwrap_or(&(1 << 28));
    let file_bytes = *[1 << 11, 1 << 13, 1 << 27].choose(&mut rng).unwrap_or(&(1 << 27));
    let mut maker = Maker {
        rng,
        without,
        form,
        shape: Shape::default(),
        source: BTreeMap::new(),
        generation: 0,
        number: 0,
        files: 0,
        recent: Vec::new(),
        held_back: Vec::new(),
        emptied: false,
        events: Vec::new(),
    };
    maker.live();
    let events = maker.events;
    // Drawn apart, so that kept seeds give the histories that they always gave.
    let states = ChaCha8Rng::seed_from_u64(seed.wrapping_add(2 << 32)).random_bool(0.6);
    let form = maker.form;
    let states = states && !without.contains(&Part::States);
    let rebuilds = !without.contains(&Part::Reprocess);
    History { form, buckets, batch_bytes, memory_bytes, file_bytes, states, rebuilds, events }
}

impl Maker<'_> {
    fn may(&mut self, part: Part, chance: f64) -> bool {
        // Drawn in any case, so that leaving a part out changes no more than it must.
        let drawn = self.rng.random_bool(chance);
        drawn && !self.without.contains(&part)
    }

    fn live(&mut self) {
        for key in 0..KEYS {
            if self.rng.random_bool(0.6) {
                let row = self.row();
                self.source.insert(key, row);
            }
        }
        if self.rng.random_bool(0.85) {
            self.load();
        } else {
            self.source.clear();
        }
        for _ in 0..self.rng.random_range(3..9) {
            if self.may(Part::Reload, 0.12) {
                self.reload();
            }
            if self.may(Part::Schema, 0.2) {
                self.shape = self.shape.changed(&mut self.rng);
                self.events.push(Event::Contract(self.shape));
            }
            self.change_file();
            if self.rng.random_bool(0.55) {
                self.run();
            }
            if self.rng.random_bool(0.1) {
                self.events.push(Event::Wait(400));
            }
        }
        self.deliver_all();
        self.run();
    }

    fn row(&mut self) -> Row {
        let word = *["ana", " bia ", "caio", "davi"].choose(&mut self.rng).unwrap_or(&"ana");
        let name = if self.rng.random_bool(0.08) { "N0T VALID" } else { word };
        let cents = self.rng.random_bool(0.8).then(|| self.rng.random_range(-99_999..99_999));
        let city = self.rng.random_bool(0.7).then(|| "Recife".to_owned());
        Row { name: name.to_owned(), cents, city: city.filter(|_| self.shape.city) }
    }

    fn change(&mut self, op: &'static str, key: Key, before: Option<Key>, row: Row) -> Change {
        self.number += 1;
        // Many ties in time, so that the number alone decides.
        let second = self.number / 40;
        let seq = format!("2026010203{:02}{:02}00{:019}", second / 60, second % 60, self.number);
        Change { op, seq, key, before, row }
    }

    /// What a source would do next: insert absent keys, update, move and delete present ones.
    fn next(&mut self) -> Change {
        let key = self.rng.random_range(0..KEYS);
        let Some(present) = self.source.get(&key).cloned() else {
            let row = self.row();
            self.source.insert(key, row.clone());
            return self.change("I", key, None, row);
        };
        if self.rng.random_bool(0.25) {
            self.source.remove(&key);
            return self.change("D", key, None, present);
        }
        let target = self.rng.random_range(0..KEYS);
        let moves = self.rng.random_bool(0.3) && !self.source.contains_key(&target);
        let (new, row) = match (moves, self.rng.random_bool(0.2)) {
            (true, _) => (target, self.row()),
            (false, true) => (key, present),
            (false, false) => (key, self.row()),
        };
        self.source.remove(&key);
        self.source.insert(new, row.clone());
        self.change("U", new, Some(key), row)
    }

    fn change_file(&mut self) {
        let mut changes = Vec::new();
        if self.rng.random_bool(0.2) {
            let again = self.rng.random_range(0..=self.recent.len());
            changes.extend_from_slice(&self.recent[again..]);
        }
        let fresh: Vec<Change> = (0..self.rng.random_range(1..20)).map(|_| self.next()).collect();
        self.recent.extend_from_slice(&fresh);
        changes.extend(fresh);
        self.files += 1;
        let n = self.files;
        let name = format!("2026/01/02/20260102-0304{:02}{:03}", n % 60, n);
        let (shape, generation) = (self.shape, self.generation);
        let file = File { name, changes, shape, generation, is_load: false };
        if self.may(Part::Late, 0.25) {
            self.held_back.push(file);
            return;
        }
        self.events.push(Event::Put(file));
        if !self.held_back.is_empty() && self.rng.random_bool(0.4) {
            self.deliver_all();
        }
    }

    fn deliver_all(&mut self) {
        self.held_back.shuffle(&mut self.rng);
        self.events.extend(self.held_back.drain(..).map(Event::Put));
    }

    fn run(&mut self) {
        let trouble = match self.rng.random_range(0..100) {
            0..15 if !self.without.contains(&Part::Twice) => Trouble::Twice,
            15..22 if !self.without.contains(&Part::Compaction) => Trouble::Compacted,
            22..30 if !self.without.contains(&Part::Compaction) => Trouble::Compacting,
            30..48 if !self.without.contains(&Part::Fault) => Trouble::Fault,
            48..62 if !self.without.contains(&Part::Fault) => Trouble::Crash,
            _ => Trouble::None,
        };
        self.events.push(Event::Run(trouble));
    }

    /// The whole source as the files of a full load, with runs in between.
    fn load(&mut self) {
        let rows: Vec<(Key, Row)> = self.source.iter().map(|(k, r)| (*k, r.clone())).collect();
        self.emptied |= rows.is_empty();
        let parts = if rows.is_empty() { 1 } else { self.rng.random_range(1..=3) };
        let segments = self.may(Part::OtherNames, 0.4);
        let size = rows.len().div_ceil(parts).max(1);
        let mut chunks: Vec<Vec<(Key, Row)>> = rows.chunks(size).map(<[_]>::to_vec).collect();
        if chunks.is_empty() {
            chunks.push(Vec::new());
        }
        for (number, chunk) in chunks.into_iter().enumerate() {
            let number = number + 1;
            let name = match segments {
                true => format!("SEGMENT{number}_LOAD00000001"),
                false => format!("LOAD{number:08X}"),
            };
            let insert =
                |(key, row)| Change { op: "I", seq: String::new(), key, before: None, row };
            let changes = chunk.into_iter().map(insert).collect();
            let (shape, generation) = (self.shape, self.generation);
            self.events.push(Event::Put(File { name, changes, shape, generation, is_load: true }));
            if self.rng.random_bool(0.25) {
                self.run();
            }
        }
    }

    fn reload(&mut self) {
        self.deliver_all();
        self.recent.clear();
        self.generation += 1;
        // Two empty files would be one and the same to whoever compares contents.
        if !self.emptied && self.rng.random_bool(0.15) {
            self.source.clear();
        } else if self.emptied && self.source.is_empty() {
            let row = self.row();
            self.source.insert(0, row);
        }
        self.events.push(Event::Reload);
        self.load();
        if self.rng.random_bool(0.5) {
            self.events.push(Event::Wait(400));
        }
    }
}
