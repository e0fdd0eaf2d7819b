//! Random lifetimes of a table: loads that are interrupted, changes that come late, files that
//! are archived or put back, batches of any size, runs that die. Whatever happens, each file of
//! the current load is applied once and in order, and none of an earlier one ever.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::file_order::place;
use crate::plan::FileKind;

/// What happened, as somebody knows it who wrote the files.
struct Lifetime {
    rng: ChaCha8Rng,
    world: World,
    /// Seconds after the start.
    time: i64,
    /// How many loads have begun.
    load: u32,
    /// The load to which each change file belongs.
    belongs: BTreeMap<String, u32>,
    /// Full-load files of the current load: key to etag.
    loaded: BTreeMap<String, String>,
    /// What was applied since the table was last begun anew.
    applied: BTreeSet<(String, String)>,
    /// The planner's generation, and the load that it saw when it began.
    generation: u64,
    seen: u32,
    archived: Vec<ObjectMeta>,
}

impl Lifetime {
    fn new(seed: u64) -> Lifetime {
        Lifetime {
            rng: ChaCha8Rng::seed_from_u64(seed),
            world: World::new(),
            time: 0,
            load: 0,
            belongs: BTreeMap::new(),
            loaded: BTreeMap::new(),
            applied: BTreeSet::new(),
            generation: 0,
            seen: 0,
            archived: Vec::new(),
        }
    }

    fn pass(&mut self, seconds: std::ops::RangeInclusive<i64>) {
        self.time += self.rng.random_range(seconds);
        self.world.now = self.time;
    }

    /// A change file, named by the time at which it arrives or by another one. Before anything was
    /// applied, one that is named by a time long before would be taken for a copy.
    fn change(&mut self) {
        let named = match self.rng.random_range(0..20) {
            0..=3 if self.generation > 0 => self.time - self.rng.random_range(1..hours(36)),
            4 => self.time + hours(700),
            _ => self.time,
        };
        let key = changes(named);
        if self.belongs.contains_key(&key) {
            return;
        }
        self.world.put(self.time, &key, &format!("c{named}"));
        self.world.now = self.time;
        self.belongs.insert(key, self.load);
    }

    /// The table is loaded anew, perhaps not at the first attempt, while runs go on.
    fn reload(&mut self) {
        self.pass(1..=50);
        self.load += 1;
        // Files that nobody has seen as they are, or without any change behind them, cannot be
        // told from those of a load that goes on.
        let loads = self.world.files.values().filter(|o| o.key.contains("LOAD"));
        let known = |o: &ObjectMeta| {
            let file = self.world.applied.state.loads.get(&o.key);
            file.is_some_and(|f| {
                f.file.etag == o.etag && f.modified_micros == Some(o.modified_micros)
            })
        };
        let all_seen = loads.into_iter().all(known)
            && self.seen + 1 == self.load
            && self.world.applied.state.first_change_micros.is_some();
        self.loaded.clear();
        if !all_seen {
            self.world.files.retain(|key, _| !key.contains("LOAD"));
        }
        let files = self.rng.random_range(1..=4);
        if self.rng.random_bool(0.3) {
            self.write_load(self.load, files - 1);
        }
        self.write_load(self.load, files);
        if self.rng.random_bool(0.5) {
            // A load that cleans up behind itself leaves no remnants.
            let loaded = &self.loaded;
            self.world.files.retain(|key, _| !key.contains("LOAD") || loaded.contains_key(key));
        }
        self.pass(1..=50);
    }

    fn write_load(&mut self, load_number: u32, files: u32) {
        for number in 1..=files {
            let key = load(number);
            let before = self.world.files.get(&key).map(|object| object.etag.clone());
            let etag = match before {
                Some(same) if number > 1 && self.rng.random_bool(0.2) => same,
                _ => format!("l{load_number}.{number}.{}", self.time),
            };
            self.world.put(self.time, &key, &etag);
            self.loaded.insert(key, etag);
            self.pass(1..=100);
            if self.rng.random_bool(0.3) {
                self.run();
            }
        }
    }

    /// An applied file goes for good; one of a full load may come back. Nobody archives a load
    /// before changes follow it.
    fn archive(&mut self) {
        if self.world.applied.state.first_change_micros.is_none() {
            return;
        }
        let applied = |o: &&ObjectMeta| self.applied.contains(&(o.key.clone(), o.etag.clone()));
        let Some(object) = self.world.files.values().filter(applied).choose(&mut self.rng) else {
            return;
        };
        let object = object.clone();
        self.world.remove(&object.key);
        if self.loaded.get(&object.key) == Some(&object.etag) && self.seen == self.load {
            self.archived.push(object);
        }
    }

    fn restore(&mut self) {
        let Some(object) = self.archived.pop() else { return };
        let same = self.loaded.get(&object.key) == Some(&object.etag);
        if same && self.seen == self.load && !self.world.files.contains_key(&object.key) {
            self.world.put(self.time, &object.key, &object.etag);
        }
    }

    /// A change file is copied onto itself: one of an earlier load, or a young one.
    fn touch(&mut self) {
        if self.seen != self.load || self.generation == 0 {
            return;
        }
        let young = (START + self.time - hours(40)) * 1_000_000;
        let known = |o: &&ObjectMeta| {
            self.belongs
                .get(&o.key)
                .is_some_and(|load| *load < self.load || o.modified_micros > young)
        };
        let Some(object) = self.world.files.values().filter(known).choose(&mut self.rng) else {
            return;
        };
        let object = object.clone();
        self.world.put(self.time, &object.key, &object.etag);
    }

    /// One run of the job, of which only the commit lasts. It may die before.
    fn run(&mut self) {
        let bytes = [1, 10, 30, 1_000];
        self.world.options.batch_bytes = bytes[self.rng.random_range(0..bytes.len())];
        if self.rng.random_bool(0.05) {
            self.world.applied.empty = true;
        }
        let plan = self.world.plan();
        self.check(&plan);
        if plan.files.is_empty() || self.rng.random_bool(0.2) {
            return;
        }
        self.world.commit(&plan);
        if plan.generation.number != self.generation {
            self.applied.clear();
            self.generation = plan.generation.number;
            self.seen = self.load;
        }
        for file in plan.batch_files() {
            self.applied.insert((file.key, file.etag));
        }
    }

    fn check(&self, plan: &SilverPlan) {
        let places: Vec<_> = plan.files.iter().map(|f| place(&f.file.key)).collect();
        assert!(places.is_sorted(), "{plan}");
        let anew = plan.generation.number != self.generation;
        assert!(plan.mode == Mode::Merge || anew, "{plan}");
        for planned in &plan.files {
            let file = &planned.file;
            let version = (file.key.clone(), file.etag.clone());
            assert!(anew || !self.applied.contains(&version), "applied twice: {file:?}\n{plan}");
            match planned.kind {
                FileKind::Load => {
                    assert_eq!(self.loaded.get(&file.key), Some(&file.etag), "a remnant\n{plan}");
                }
                FileKind::Changes => {
                    assert_eq!(self.belongs[&file.key], self.load, "earlier: {file:?}\n{plan}");
                }
            }
        }
        let all = plan.files.iter().filter(|f| f.kind == FileKind::Load).count();
        let whole = plan.mode == Mode::Merge || plan.waiting.is_some();
        assert!(whole || all == plan.generation.loads, "in parts\n{plan}");
    }

    fn live(mut self) -> Lifetime {
        let steps = self.rng.random_range(10..120);
        let pace = [1_000, 4_000, 20_000][self.rng.random_range(0..3)];
        for _ in 0..steps {
            self.pass(1..=pace);
            match self.rng.random_range(0..100) {
                0..=5 => self.reload(),
                6..=9 => self.archive(),
                10..=11 => self.restore(),
                12..=15 => self.touch(),
                16..=60 => self.change(),
                _ => self.run(),
            }
        }
        self.pass(300..=300);
        while !self.world.plan().files.is_empty() {
            self.run();
        }
        self
    }

    fn finish(self) {
        let plan = self.world.plan();
        assert!(plan.files.is_empty() && plan.waiting.is_none(), "{plan}");
        for object in self.world.files.values() {
            let current = self.loaded.get(&object.key) == Some(&object.etag)
                || self.belongs.get(&object.key) == Some(&self.load);
            let applied = self.applied.contains(&(object.key.clone(), object.etag.clone()));
            // Twice is refused when it is planned.
            assert_eq!(applied, current, "{object:?}\n{plan}");
        }
    }
}

#[test]
fn every_file_of_the_current_load_is_applied_once() {
    for seed in 0..400 {
        let told = std::panic::catch_unwind(|| Lifetime::new(seed).live().finish());
        assert!(told.is_ok(), "seed {seed}");
    }
}

#[test]
fn lifetimes_have_everything_in_them() {
    let lives: Vec<Lifetime> = (0..100).map(|seed| Lifetime::new(seed).live()).collect();
    assert!(lives.iter().filter(|l| l.load > 2).count() > 20, "reloads");
    assert!(lives.iter().filter(|l| l.generation > u64::from(l.load)).count() > 2, "interrupted");
    assert!(lives.iter().any(|l| l.world.applied.state.forgotten_seq.is_some()), "forgotten");
    assert!(lives.iter().any(|l| !l.world.earlier.is_empty()), "earlier files");
    assert!(lives.iter().any(|l| l.load == 0 && l.generation == 1), "no load at all");
}
