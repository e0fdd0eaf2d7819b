//! The conformance suite of Bronze to Silver: small named inputs with the state that must follow,
//! in a form in which any engine can be scored.

pub(crate) mod always;
pub mod case;
mod compare;
pub mod engine;
mod files;
pub(crate) mod observe;
mod play;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use futures::StreamExt;

use self::case::Case;
use self::engine::{Engine, InProcess, Program};
pub use self::play::Score;
use crate::failure::HarnessError;
use crate::small_lake::Endpoints;

/// How long one case may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What to score.
#[derive(Debug, Args)]
pub struct ConformanceOptions {
    /// Only cases whose name contains this
    #[arg(long)]
    case: Option<String>,
    /// Score another program: `<program> … {table} {definition} {environment}`, and if it can
    /// be told so much `{batch}` and `{file}`
    #[arg(long, conflicts_with = "binary")]
    engine_command: Option<String>,
    /// How that program maintains a table, for the cases that need it
    #[arg(long, requires = "engine_command")]
    maintenance_command: Option<String>,
    /// Score the `medallion` binary in place of the engine in process
    #[arg(long)]
    binary: bool,
    /// How many cases at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Folder of the cases
    #[arg(long, default_value = "fixtures/conformance")]
    cases: PathBuf,
    /// The `medallion` binary
    #[arg(long, hide = true, env = "MEDALLION_BIN", default_value = "medallion")]
    medallion: PathBuf,
}

/// A case with what became of it.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The case.
    pub case: Case,
    /// How the engine did.
    pub score: Score,
}

/// Plays all cases of a folder, so many at a time, and returns them in the order of their names.
///
/// # Errors
/// When a case cannot be read, the endpoints fail or the engine cannot be started.
pub async fn score(
    engine: &dyn Engine,
    cases: &Path,
    only: Option<&str>,
    jobs: usize,
) -> Result<Vec<Scored>, HarnessError> {
    let cases = case::read_all(cases, only);
    let cases = cases.map_err(|e| HarnessError::set_up("the cases", std::io::Error::other(e)))?;
    let played = cases.into_iter().enumerate().map(|(number, case)| async move {
        // A fault strikes everything at its endpoint, so that every case has its own.
        let endpoints = Endpoints::start().await?;
        let lake = format!("case{number}");
        let played = play::play(&endpoints, engine, &case, &lake);
        let score = match tokio::time::timeout(PATIENCE, played).await {
            Ok(score) => score,
            Err(_) => Ok(Score::Fail(vec![format!("it takes more than {PATIENCE:?}")])),
        };
        endpoints.stop().await;
        Ok(Scored { case, score: score? })
    });
    let played: Vec<Result<Scored, HarnessError>> =
        futures::stream::iter(played).buffered(jobs.max(1)).collect().await;
    played.into_iter().collect()
}

fn binary(medallion: &Path) -> Program {
    let begin = format!(
        "{} --definition {{definition}} --environment {{environment}}",
        medallion.display()
    );
    Program {
        command: format!("{begin} silver --table {{table}} --batch {{batch}} --file-size {{file}}"),
        maintenance: Some(format!("{begin} maintain --table {{table}}")),
        ours: true,
    }
}

/// Scores an engine and prints the scoreboard. True when no case fails; of our own engine every
/// case must be played and pass.
///
/// # Errors
/// As [`score`].
pub async fn run(options: &ConformanceOptions) -> Result<bool, HarnessError> {
    let engine: Box<dyn Engine> = match (&options.engine_command, options.binary) {
        (Some(command), _) => Box::new(Program {
            command: command.clone(),
            maintenance: options.maintenance_command.clone(),
            ours: false,
        }),
        (None, true) => Box::new(binary(&options.medallion)),
        (None, false) => Box::new(InProcess),
    };
    let started = Instant::now();
    let scored =
        score(engine.as_ref(), &options.cases, options.case.as_deref(), options.jobs).await?;
    print!("{}", scoreboard(&engine.name(), &scored));
    println!("{:.1} s", started.elapsed().as_secs_f64());
    let ours = options.engine_command.is_none();
    let good = |score: &Score| match score {
        Score::Pass => true,
        Score::Fail(_) => false,
        Score::Unsupported(_) => !ours,
    };
    Ok(!scored.is_empty() && scored.iter().all(|scored| good(&scored.score)))
}

/// The scoreboard as text.
pub fn scoreboard(engine: &str, scored: &[Scored]) -> String {
    let mut out = format!("engine: {engine}\n");
    let (mut passed, mut failed, mut unsupported) = (0, 0, 0);
    for Scored { case, score } in scored {
        let word = match score {
            Score::Pass => {
                passed += 1;
                "PASS"
            }
            Score::Fail(_) => {
                failed += 1;
                "FAIL"
            }
            Score::Unsupported(_) => {
                unsupported += 1;
                "UNSUPPORTED"
            }
        };
        out += &format!("{word:<11} {:<44} {}\n", case.name, case.covers.join(" "));
        match score {
            Score::Pass => {}
            Score::Fail(found) => {
                out += &format!("            {}\n", case.title);
                found.iter().for_each(|line| out += &format!("            - {line}\n"));
            }
            Score::Unsupported(reason) => out += &format!("            {reason}\n"),
        }
    }
    out + &format!("{passed} pass, {failed} fail, {unsupported} unsupported\n")
}
