//! What the engine did beside what the model says, after every run.

use std::collections::{BTreeMap, BTreeSet};

use medallion_definition::contract::TableContract;
use medallion_tables::warehouse::Warehouse;

use super::fold::{self, Change, Counters, State};
use super::history::File;
use super::rebuild::taken_over;
use super::shape::{KeyForm, Shape};
use crate::conformance::always;
use crate::conformance::observe::{Observed, counters};
use crate::small_lake::contents::{Row, causes};

/// Summary entry with the key of the batch record.
pub(super) const RECORD: &str = "medallion.batch.record";
/// Seconds that a new load has to rest.
const SETTLE: i64 = 300;
/// The most differing rows that are shown.
const SHOWN: usize = 3;

/// A file that arrived.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    pub(super) key: String,
    pub(super) modified: i64,
    pub(super) changes: Vec<Change>,
    pub(super) generation: usize,
    pub(super) is_load: bool,
    /// The contract that was in force then, by its place among all.
    pub(super) since: usize,
}

/// What there is after a run.
pub(super) struct Seen<'a> {
    pub(super) observed: &'a Observed,
    pub(super) shape: Shape,
    pub(super) now: i64,
}

/// The model's side of a history.
pub(super) struct Check {
    pub(super) form: KeyForm,
    /// By key and etag.
    pub(super) arrived: BTreeMap<(String, String), Arrived>,
    /// What was applied, of all loads.
    pub(super) applied: BTreeSet<(String, String)>,
    /// The load that Silver stands for.
    pub(super) generation: Option<usize>,
    /// The state as the batches make it, for what they count.
    pub(super) stepwise: State,
    /// The greatest sequence applied of this load.
    pub(super) reached: String,
    /// A late change came, so that the rows' own sequences are no longer foretold.
    pub(super) late: bool,
    /// The contracts so far, by their shapes.
    pub(super) shapes: Vec<Shape>,
    /// Something was committed by the contract in force: its columns have reached the table.
    landed: bool,
    last: Observed,
}

impl Check {
    pub(super) fn new(form: KeyForm) -> Check {
        Check {
            form,
            arrived: BTreeMap::new(),
            applied: BTreeSet::new(),
            generation: None,
            stepwise: State::new(),
            reached: String::new(),
            late: false,
            shapes: vec![Shape::default()],
            landed: false,
            last: Observed::default(),
        }
    }

    pub(super) fn arrived(&mut self, key: String, etag: String, modified: i64, file: &File) {
        let place = (key.clone(), etag);
        let before = self.arrived.get(&place).map(|before| before.since);
        let arrived = Arrived {
            key,
            modified,
            changes: file.changes.clone(),
            generation: file.generation,
            is_load: file.is_load,
            since: before.unwrap_or(self.shapes.len() - 1),
        };
        self.arrived.insert(place, arrived);
    }

    /// Another contract is in force from now on.
    pub(super) fn contract(&mut self, shape: Shape) {
        self.shapes.push(shape);
        self.landed = false;
    }

    /// True for a file of a load without rows, which is the same file in every load.
    pub(super) fn is_empty_load(&self, file: &(String, String)) -> bool {
        self.arrived.get(file).is_some_and(|file| file.is_load && file.changes.is_empty())
    }

    /// Follows the new commits, and compares the state that they left. Returns their number.
    pub(super) async fn look(
        &mut self,
        warehouse: &Warehouse,
        seen: &Seen<'_>,
        undisturbed: bool,
    ) -> Result<usize, String> {
        let commits = seen.observed.commits_since(self.last.snapshot());
        let mut batches = 0;
        for commit in &commits {
            let Some(record) = commit.get(RECORD) else { continue };
            if let Some(wrong) = always::unbalanced(commit, true) {
                return Err(format!("`{record}`: {wrong}"));
            }
            self.landed = true;
            let content = warehouse.bucket().get(record).await.map_err(|e| causes(&e))?;
            let taken_over = taken_over(warehouse, &content).await;
            if let Some(files) = taken_over.map_err(|e| format!("`{record}`: {e}"))? {
                self.rebuilt(&files)?;
                continue;
            }
            let files = files_of(&content).map_err(|e| format!("`{record}`: {e}"))?;
            let told = counters(std::slice::from_ref(commit)).unwrap_or_default();
            self.batch(&files, &told, seen).map_err(|e| format!("batch of {files:?}: {e}"))?;
            batches += 1;
        }
        self.compare(seen)?;
        if undisturbed && seen.observed.silver.is_some() {
            self.nothing_left(seen.now)?;
        }
        self.last = seen.observed.clone();
        Ok(batches)
    }

    fn batch(
        &mut self,
        files: &[(String, String)],
        told: &BTreeMap<String, u64>,
        seen: &Seen<'_>,
    ) -> Result<(), String> {
        let mut parts: Vec<Arrived> = Vec::new();
        for file in files {
            let arrived = self.arrived.get(file).ok_or("a file that never arrived")?;
            let of_new_load = Some(arrived.generation) != self.generation;
            let again = self.is_empty_load(file) && of_new_load;
            if !self.applied.insert(file.clone()) && !again {
                return Err(format!("`{}` is applied twice", file.0));
            }
            parts.push(arrived.clone());
        }
        // The order of application: the load first, then by the time in the name.
        parts.sort_by(|a, b| (!a.is_load, &a.key).cmp(&(!b.is_load, &b.key)));
        let generation = parts.iter().map(|part| part.generation).max();
        if parts.iter().any(|part| Some(part.generation) != generation) {
            return Err("files of two loads in one batch".to_owned());
        }
        let mut replaced = 0;
        if generation != self.generation {
            if generation < self.generation {
                return Err("a file of an earlier load".to_owned());
            }
            replaced = self.begin(generation, &parts, seen.now)?;
        }
        let changes: Vec<&[Change]> = parts.iter().map(|part| part.changes.as_slice()).collect();
        let late = |change: &&Change| !change.seq.is_empty() && change.seq < self.reached;
        let is_late = changes.iter().flat_map(|part| part.iter()).any(|c| late(&c));
        let before = self.stepwise.len() as u64;
        let mut expected = fold::batch(&mut self.stepwise, &changes, seen.shape);
        if replaced > 0 {
            expected.insert("replaced", replaced);
        }
        if is_late {
            self.late = true;
            self.stepwise = self.folded();
            late_counters(&expected, told, before, self.stepwise.len() as u64)?;
        } else if !equal(&expected, told) {
            return Err(format!("counts {told:?}, expected {expected:?}"));
        }
        let greatest = changes.iter().flat_map(|part| part.iter()).map(|c| c.seq.as_str()).max();
        if let Some(greatest) = greatest.filter(|greatest| *greatest > self.reached.as_str()) {
            self.reached = greatest.to_owned();
        }
        Ok(())
    }

    /// A new load replaces what was there. Returns how many rows go.
    fn begin(
        &mut self,
        generation: Option<usize>,
        parts: &[Arrived],
        now: i64,
    ) -> Result<u64, String> {
        let rows = self.stepwise.len() as u64;
        let of_it = || self.arrived.values().filter(|file| Some(file.generation) == generation);
        if self.generation.is_some() && rows > 0 {
            let newest = of_it().filter(|f| f.is_load).map(|f| f.modified).max().unwrap_or(0);
            let followed = of_it().any(|file| !file.is_load && file.modified > newest);
            if !followed && now - newest < SETTLE {
                return Err("a new load is applied before it has settled".to_owned());
            }
            let loads = of_it().filter(|file| file.is_load);
            if loads.count() > parts.iter().filter(|part| part.is_load).count() {
                return Err("a new load is applied in part".to_owned());
            }
        }
        self.generation = generation;
        self.stepwise.clear();
        self.reached.clear();
        self.late = false;
        Ok(rows)
    }

    /// The fold over all applied files of the load in force.
    pub(super) fn folded(&self) -> State {
        let applied = self.applied.iter().filter_map(|file| self.arrived.get(file));
        let mut files: Vec<&Arrived> =
            applied.filter(|file| Some(file.generation) == self.generation).collect();
        files.sort_by(|a, b| (!a.is_load, &a.key).cmp(&(!b.is_load, &b.key)));
        let changes: Vec<&[Change]> = files.iter().map(|file| file.changes.as_slice()).collect();
        fold::fold(&changes)
    }

    fn compare(&self, seen: &Seen<'_>) -> Result<(), String> {
        let expected = self.folded();
        let (form, shape) = (self.form, seen.shape);
        let mut columns: Vec<String> = shape.columns(form).into_iter().map(|c| c.name).collect();
        let mut rows = BTreeMap::new();
        let steps_told = !self.late;
        for (key, (row, _)) in &expected {
            let mut values = shape.values(form, *key, row);
            if steps_told {
                values.push(self.stepwise.get(key).map(|(_, seq)| seq.clone()));
            }
            rows.insert(form.values(*key), values);
        }
        columns.extend(steps_told.then(|| "_change_seq".to_owned()));
        let mut there = BTreeMap::new();
        for row in &seen.observed.rows {
            let values = texts(row, &columns);
            let key = values[..form.columns().len()].to_vec();
            if there.insert(key.clone(), values).is_some() {
                return Err(format!("the key {key:?} is there twice"));
            }
        }
        let name = shape.name_column();
        if seen.observed.rows.first().is_some_and(|row| !row.contains_key(name)) {
            // A contract that nobody has run by yet has not reached the table.
            return match self.landed {
                false => Ok(()),
                true => Err(format!("the table lacks `{name}`, which was committed to")),
            };
        }
        let keys: BTreeSet<_> = rows.keys().chain(there.keys()).collect();
        let different = keys.into_iter().filter(|key| rows.get(*key) != there.get(*key));
        let lines: Vec<String> = different
            .map(|key| format!("{:?}, expected {:?}", there.get(key), rows.get(key)))
            .collect();
        if lines.is_empty() {
            return Ok(());
        }
        let shown = lines[..lines.len().min(SHOWN)].join("; ");
        Err(format!("{} rows differ: {shown}", lines.len()))
    }

    /// After a run that nothing disturbed, every file of the newest load is applied, unless that
    /// load has not settled.
    fn nothing_left(&self, now: i64) -> Result<(), String> {
        let newest = self.arrived.values().map(|file| file.generation).max();
        let of_it = || self.arrived.iter().filter(|(_, file)| Some(file.generation) == newest);
        let rested = of_it().filter(|(_, f)| f.is_load).all(|(_, f)| now - f.modified > SETTLE);
        if !rested && newest != self.generation {
            return Ok(());
        }
        match of_it().find(|(file, _)| !self.applied.contains(*file)) {
            Some((file, _)) => Err(format!("`{}` was left out", file.0)),
            None => Ok(()),
        }
    }

    /// What holds at the end.
    pub(super) async fn end(
        &self,
        warehouse: &Warehouse,
        contract: &TableContract,
        observed: &Observed,
    ) -> Result<(), String> {
        self.quarantine(observed)?;
        let none = Observed::default();
        let found = always::violations(warehouse, contract, &none, observed, true).await?;
        if found.is_empty() { Ok(()) } else { Err(found.join("; ")) }
    }
}

pub(super) fn texts(row: &Row, columns: &[String]) -> Vec<Option<String>> {
    columns.iter().map(|name| row.get(name).cloned().flatten()).collect()
}

fn equal(expected: &Counters, told: &BTreeMap<String, u64>) -> bool {
    let told: BTreeMap<&str, u64> =
        told.iter().filter(|(_, n)| **n > 0).map(|(name, n)| (name.as_str(), *n)).collect();
    told == *expected
}

/// Where late changes are counted depends on what came before them; what they come to does not.
fn late_counters(
    expected: &Counters,
    told: &BTreeMap<String, u64>,
    before: u64,
    after: u64,
) -> Result<(), String> {
    let told = |name: &str| told.get(name).copied().unwrap_or_default();
    for name in ["read", "quarantined"] {
        let expected = expected.get(name).copied().unwrap_or_default();
        if told(name) != expected {
            return Err(format!("{name} {}, expected {expected}", told(name)));
        }
    }
    if before + told("inserted") != after + told("deleted") + told("moved") {
        let (inserted, deleted, moved) = (told("inserted"), told("deleted"), told("moved"));
        return Err(format!(
            "{before} rows became {after} by {inserted} inserted, {deleted} deleted, {moved} moved"
        ));
    }
    Ok(())
}

/// Keys and etags of a batch record.
pub(super) fn files_of(content: &[u8]) -> Result<Vec<(String, String)>, String> {
    let record: serde_json::Value = serde_json::from_slice(content).map_err(|e| e.to_string())?;
    let files = record["files"].as_array().ok_or("no files")?;
    let text = |file: &serde_json::Value, name: &str| file[name].as_str().map(str::to_owned);
    let file = |file| text(file, "key").zip(text(file, "etag")).ok_or("a file without key or etag");
    Ok(files.iter().map(file).collect::<Result<_, _>>()?)
}
