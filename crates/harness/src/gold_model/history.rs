//! One history: tables change, models are built, and what they hold is compared.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use medallion::files;
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::model::GoldModel;
use medallion_definition::name::Layer;
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::gold::shape::shape;
use medallion_transforms::gold::{BRANCH, GoldJob, GoldOutcome, levels};
use medallion_transforms::spec;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::ground::{self, Feed};
use super::queries;
use crate::small_lake::contents::causes;
use crate::small_lake::{Endpoints, Repetition};

/// The time of all runs: 2026-01-05.
const NOW: i64 = 1_767_571_200_000_000;
/// Small enough that tables have several files.
const FILE_BYTES: u64 = 64 * 1024;

/// What happened in histories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lived {
    runs: u64,
    full: u64,
    incremental: u64,
    keys: u64,
    up_to_date: u64,
    rows: u64,
    /// Why builds were full ones, with how often.
    because: BTreeMap<String, u64>,
}

impl Lived {
    pub(super) fn add(&mut self, other: Lived) {
        self.runs += other.runs;
        self.full += other.full;
        self.incremental += other.incremental;
        self.keys += other.keys;
        self.up_to_date += other.up_to_date;
        self.rows += other.rows;
        for (why, count) in other.because {
            *self.because.entry(why).or_default() += count;
        }
    }

    /// A check in which hardly anything was computed by keys says nothing.
    pub(super) fn lacking(self) -> Option<String> {
        let enough = self.incremental * 3 >= self.runs && self.keys > 0 && self.rows > 0;
        (!enough && self.runs > 50)
            .then(|| format!("only {} of {} runs were incremental", self.incremental, self.runs))
    }
}

impl fmt::Display for Lived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} runs, {} full, {} incremental with {} keys, {} without a change, {} rows compared",
            self.runs, self.full, self.incremental, self.keys, self.up_to_date, self.rows
        )?;
        for (why, count) in &self.because {
            write!(f, "\n  {count} full builds: {why}")?;
        }
        Ok(())
    }
}

/// The lake of a seed: every third history has the models that ship.
fn definition(
    seed: u64,
    name: &str,
    shipped: &Path,
    random: &mut ChaCha8Rng,
) -> Result<LakeDefinition, String> {
    let files = if seed.is_multiple_of(3) {
        let found = files::definition_files(shipped).map_err(|e| causes(&e))?;
        let rename = |file: SourceFile| {
            let is_lake = file.path.ends_with("lake.toml");
            let text = if is_lake { renamed(&file.text, name) } else { file.text };
            SourceFile { text, ..file }
        };
        found.into_iter().map(rename).collect()
    } else {
        queries::lake(name, 4, random)
    };
    let mut lake = LakeDefinition::read(&files).map_err(|findings| findings.to_string())?;
    for model in &mut lake.models {
        // Random rows know nothing of what the checks ask.
        model.checks.clear();
    }
    Ok(lake)
}

fn renamed(text: &str, name: &str) -> String {
    let line = |line: &str| match line.starts_with("name =") {
        true => format!("name = \"{name}\"\n"),
        false => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// Lives through the history of a seed.
pub(super) async fn live(
    endpoints: &Endpoints,
    seed: u64,
    shipped: &Path,
) -> Result<Lived, String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let name = format!("gold{seed}");
    let small = endpoints.lake(&name).await.map_err(|e| causes(&e))?;
    let lake = definition(seed, &name, shipped, &mut random)?;
    let warehouse = small.warehouse(Repetition::Quick);
    let tables = ground::tables(&lake);
    let mut feeds: Vec<Feed> = lake.tables.iter().map(Feed::new).collect();
    for table in &tables {
        table.create(&lake, &warehouse).await?;
        for _ in 0..random.random_range(0..4) {
            table.change(&lake, &warehouse, &mut random).await?;
        }
    }
    let mut lived = Lived::default();
    for step in 0..random.random_range(4..9) {
        if step > 0 {
            for _ in 0..random.random_range(0..6) {
                let table = &tables[random.random_range(0..tables.len())];
                table.change(&lake, &warehouse, &mut random).await?;
            }
        }
        let feed = random.random_range(0..feeds.len());
        feeds[feed].deliver(&warehouse, &mut random).await?;
        for model in levels(&lake).map_err(|e| causes(&e))?.into_iter().flatten() {
            let built = build(&lake, model, &warehouse).await;
            lived.add(
                built.map_err(|e| {
                    format!("step {step}, model `{}`: {e}\n{}", model.name, model.sql)
                })?,
            );
        }
    }
    Ok(lived)
}

/// Builds a model and compares its table with its query asked in full.
async fn build(
    lake: &LakeDefinition,
    model: &GoldModel,
    warehouse: &Warehouse,
) -> Result<Lived, String> {
    let job = GoldJob {
        lake,
        model,
        warehouse,
        now_micros: NOW,
        memory_bytes: 256 << 20,
        file_bytes: FILE_BYTES,
        full: false,
    };
    let outcome = job.run().await.map_err(|e| causes(&e))?;
    let mut lived = Lived { runs: 1, ..Lived::default() };
    let mut mode = String::new();
    match outcome {
        GoldOutcome::UpToDate => lived.up_to_date = 1,
        GoldOutcome::Waiting(inputs) => return Err(format!("waits for {inputs:?}")),
        GoldOutcome::Red(report) => return Err(format!("is red: {report:?}")),
        GoldOutcome::Published(report) => {
            mode = format!("{} ({:?}, {:?} keys)", report.mode, report.because, report.keys);
            match report.keys {
                Some(keys) => {
                    lived.incremental = 1;
                    lived.keys = keys;
                }
                None => {
                    lived.full = 1;
                    lived.because.insert(report.because.unwrap_or_default(), 1);
                }
            }
        }
    }
    let (found, rows) = published(lake, model, warehouse).await?;
    let expected = asked(&job, model).await?;
    lived.rows = rows;
    let differing = |a: &Bag, b: &Bag| {
        let more = a.iter().filter(|(row, count)| b.get(*row).unwrap_or(&0) < *count);
        more.map(|(row, _)| row.clone()).take(5).collect::<Vec<_>>()
    };
    if found != expected {
        return Err(format!(
            "built {mode}: missing {:?}, unexpected {:?}",
            differing(&expected, &found),
            differing(&found, &expected)
        ));
    }
    Ok(lived)
}

/// Rows as texts, with how often they come.
type Bag = BTreeMap<String, u64>;

async fn published(
    lake: &LakeDefinition,
    model: &GoldModel,
    warehouse: &Warehouse,
) -> Result<(Bag, u64), String> {
    let ident = spec::ident(lake, Layer::Gold, model.name.as_str());
    let table = warehouse.load(&ident).await.map_err(|e| causes(&e))?;
    let table = table.ok_or("was not made")?;
    if table.at_branch(BRANCH).is_ok() {
        return Err(format!("the branch `{BRANCH}` was left behind"));
    }
    let names: Vec<String> = model.columns.iter().map(|c| c.name.to_string()).collect();
    let batches = table.read_all(Some(&names)).await.map_err(|e| causes(&e))?;
    let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    Ok((bag(&batches)?, rows))
}

async fn asked(job: &GoldJob<'_>, model: &GoldModel) -> Result<Bag, String> {
    let (context, _) = job.session().await.map_err(|e| causes(&e))?;
    let frame = context.sql(&model.sql).await.map_err(|e| causes(&e))?;
    let batches = frame.collect().await.map_err(|e| causes(&e))?;
    let shaped = batches.iter().map(|batch| shape(model, batch));
    let shaped = shaped.collect::<Result<Vec<_>, _>>().map_err(|e| causes(&e))?;
    bag(&shaped)
}

fn bag(batches: &[RecordBatch]) -> Result<Bag, String> {
    let mut bag = Bag::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| {
                let text = array_value_to_string(column, row).map_err(|e| e.to_string())?;
                Ok(if column.is_null(row) { "NULL".to_owned() } else { text })
            });
            let cells = cells.collect::<Result<Vec<_>, String>>()?;
            *bag.entry(cells.join(" | ")).or_default() += 1;
        }
    }
    Ok(bag)
}
