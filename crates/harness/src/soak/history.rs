//! One history: random changes at the source while a replicator is killed again and again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_s3::Client;
use medallion_replicator::position::BinlogPosition;
use medallion_replicator::server::Source;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::compare::compare;
use super::workload::{Step, Workload};
use crate::fault_sink::{FaultAction, POINTS};

/// Set it to see what the replicators tell.
pub(super) const TRACE: &str = "MEDALLION_SOAK_TRACE";
/// How long a replicator may take for what is there.
const CATCH_UP: Duration = Duration::from_secs(120);
/// Errors of random statements that say nothing: a key twice, a lock that was not to be had.
const HARMLESS: [u16; 3] = [1062, 1205, 1213];
/// A prepared transaction whose own connection is still closing is not known to others yet.
const NOT_YET: [u16; 2] = [1397, 1399];

/// Where histories happen.
#[derive(Clone, Debug)]
pub struct Place {
    /// The MySQL server.
    pub mysql: String,
    /// The S3 endpoint.
    pub endpoint: String,
    /// Its region.
    pub region: String,
    /// A client of it.
    pub client: Client,
    /// This program.
    pub program: PathBuf,
    /// XA transactions are part of histories.
    pub xa: bool,
    /// A folder for large transactions.
    pub folder: PathBuf,
}

/// What a history came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Rows that Bronze and the source were compared on.
    pub rows: usize,
    /// How often a replicator was started.
    pub starts: u32,
    /// How often one was killed.
    pub kills: u32,
    /// Bronze files.
    pub files: usize,
    /// How often which fault struck.
    pub faults: BTreeMap<String, u32>,
}

/// Lives through the history of a seed.
///
/// # Errors
/// What differs between Bronze and the source, or what stopped the history.
pub async fn live(place: &Place, seed: u64) -> Result<Outcome, String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let schema = format!("soak_{seed}");
    let bucket = format!("soak-{seed}");
    let mut workload =
        Workload::new(ChaCha8Rng::seed_from_u64(rng.random()), schema.clone(), place.xa);
    place
        .client
        .create_bucket()
        .bucket(&bucket)
        .create_bucket_configuration(
            aws_sdk_s3::types::CreateBucketConfiguration::builder()
                .location_constraint(place.region.as_str().into())
                .build(),
        )
        .send()
        .await
        .map_err(|e| format!("the bucket: {e:?}"))?;
    let mut conn = connect(&place.mysql).await?;
    for statement in workload.create().into_iter().chain(workload.fill()) {
        execute(&mut conn, &statement).await?;
    }
    let steps = rng.random_range(30..90);
    let (ended, mut watching) = watch::channel(None);
    let driving = async {
        for _ in 0..steps {
            step(place, &mut conn, workload.step()).await?;
            if rng.random_bool(0.2) {
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..120))).await;
            }
        }
        for statement in workload.settle() {
            execute(&mut conn, &statement).await?;
        }
        let source = Source::from_url(&place.mysql).map_err(|e| e.to_string())?;
        let mut asking = source.connect().await.map_err(|e| e.to_string())?;
        let end = source.binlog_end(&mut asking).await.map_err(|e| e.to_string())?;
        // The position is known; how the connection ends no longer matters.
        let _ = asking.disconnect().await;
        ended.send(Some(end)).map_err(|_| "nobody waits for the end".to_owned())
    };
    let starts = ChaCha8Rng::seed_from_u64(seed ^ 0x5EED);
    let replicating = replicate(place, &schema, &bucket, starts, &mut watching);
    let ((), mut outcome) = tokio::try_join!(driving, replicating)?;
    compare(place, &schema, &bucket, &workload.tables, &mut conn, &mut outcome).await?;
    execute(&mut conn, &format!("DROP DATABASE {schema}")).await?;
    Ok(outcome)
}

async fn connect(url: &str) -> Result<Conn, String> {
    let opts = Opts::from_url(url).map_err(|e| e.to_string())?;
    // Prepared transactions keep their locks; without gap locks nothing else needs them.
    let setup = [
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET SESSION innodb_lock_wait_timeout = 2",
    ];
    let opts = OptsBuilder::from_opts(opts).setup(setup.map(str::to_owned).to_vec());
    Conn::new(opts).await.map_err(|e| e.to_string())
}

async fn execute(conn: &mut Conn, statement: &str) -> Result<(), String> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match conn.query_drop(statement).await {
            Ok(()) => return Ok(()),
            Err(mysql_async::Error::Server(error)) if HARMLESS.contains(&error.code) => {
                return Ok(());
            }
            Err(mysql_async::Error::Server(error))
                if NOT_YET.contains(&error.code) && attempts < 100 =>
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => {
                let begin: String = statement.chars().take(200).collect();
                return Err(format!("`{begin}`: {error}"));
            }
        }
    }
}

async fn step(place: &Place, conn: &mut Conn, step: Step) -> Result<(), String> {
    match step {
        Step::Statements(statements) => {
            for statement in &statements {
                execute(conn, statement).await?;
            }
        }
        Step::Prepare(statements) => {
            let mut own = connect(&place.mysql).await?;
            for statement in &statements {
                execute(&mut own, statement).await?;
            }
            own.disconnect().await.map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}

/// Starts replicators until one has reached the end; each before the last meets a fault.
async fn replicate(
    place: &Place,
    schema: &str,
    bucket: &str,
    mut rng: ChaCha8Rng,
    end: &mut watch::Receiver<Option<BinlogPosition>>,
) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let faults = rng.random_range(1..6);
    let settings = settings(&mut rng);
    loop {
        outcome.starts += 1;
        let fault = (outcome.starts <= faults).then(|| {
            let (action, _) = FaultAction::ALL[rng.random_range(0..FaultAction::ALL.len())];
            let point = POINTS[rng.random_range(0..POINTS.len())];
            format!("{point}:{}:{action}", rng.random_range(1..6))
        });
        // Beside named points, any moment will do.
        let moment = fault.as_ref().filter(|_| rng.random_bool(0.3));
        let moment = moment.map(|_| Duration::from_millis(rng.random_range(50..2500)));
        if std::env::var_os(TRACE).is_some() {
            eprintln!("start {} {settings:?} {fault:?} {moment:?}", outcome.starts);
        }
        let mut child = start(place, schema, bucket, &settings, fault.as_deref())?;
        match attend(&mut child, end, moment, &mut outcome.faults).await? {
            Attended::Reached => break,
            Attended::Killed => outcome.kills += 1,
            // Between DROP and CREATE, or a lock that was not to be had.
            Attended::Ended(code, text) if code == 4 || text.contains("no such table") => {}
            Attended::Ended(code, text) => {
                return Err(format!("the replicator ended with {code}: {text}"));
            }
        }
    }
    Ok(outcome)
}

fn settings(rng: &mut ChaCha8Rng) -> Vec<String> {
    let pairs = [
        ("--server-id", rng.random_range(10_000..2_000_000_000)),
        ("--load-rows", rng.random_range(3..40)),
        ("--connections", rng.random_range(1..4)),
        ("--segment-rows", rng.random_range(4..30)),
        ("--flush-millis", rng.random_range(40..400)),
        ("--flush-bytes", rng.random_range(500..60_000)),
        ("--transaction-bytes", rng.random_range(300..20_000)),
    ];
    pairs
        .into_iter()
        .flat_map(|(name, value): (_, u32)| [name.to_owned(), value.to_string()])
        .collect()
}

fn start(
    place: &Place,
    schema: &str,
    bucket: &str,
    settings: &[String],
    fault: Option<&str>,
) -> Result<Child, String> {
    let mut command = Command::new(&place.program);
    command.arg("replicate").env("MEDALLION_SOURCE_URL", &place.mysql);
    for table in ["numbers", "pairs", "documents"] {
        command.args(["--table", &format!("{schema}.{table}")]);
    }
    command.args(["--endpoint", &place.endpoint, "--bucket", bucket, "--region", &place.region]);
    command.arg("--spill").arg(place.folder.join(schema));
    command.args(settings);
    if let Some(fault) = fault {
        command.args(["--fault", fault]);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().map_err(|e| format!("the replicator does not start: {e}"))
}

enum Attended {
    /// Everything is durable, and it has ended well.
    Reached,
    Killed,
    /// With this code and this text.
    Ended(i32, String),
}

/// Waits until the replicator has reached the end, or has ended otherwise.
async fn attend(
    child: &mut Child,
    end: &mut watch::Receiver<Option<BinlogPosition>>,
    moment: Option<Duration>,
    faults: &mut BTreeMap<String, u32>,
) -> Result<Attended, String> {
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    let mut stderr = child.stderr.take().ok_or("no standard error")?;
    let stdin = child.stdin.take();
    let reaching = async {
        let (mut durable, mut open) = (None, true);
        loop {
            let target = end.borrow_and_update().clone();
            if let (Some(durable), Some(target)) = (&durable, &target)
                && durable >= target
            {
                return true;
            }
            tokio::select! {
                line = lines.next_line() => match line {
                    Ok(Some(line)) => {
                        if std::env::var_os(TRACE).is_some() {
                            eprintln!("{line}");
                        }
                        if let Some(fault) = line.strip_prefix("fault ") {
                            *faults.entry(fault.to_owned()).or_default() += 1;
                        }
                        durable = position(&line).or(durable);
                    }
                    Ok(None) | Err(_) => return false,
                },
                changed = end.changed(), if open => open = changed.is_ok(),
            }
        }
    };
    let reached = tokio::select! {
        reached = tokio::time::timeout(CATCH_UP, reaching) => {
            reached.map_err(|_| format!("nothing durable within {} s", CATCH_UP.as_secs()))?
        }
        () = wait(moment) => {
            child.kill().await.map_err(|e| e.to_string())?;
            return Ok(Attended::Killed);
        }
    };
    // The end of its standard input tells the replicator to stop.
    drop(stdin);
    let mut text = String::new();
    stderr.read_to_string(&mut text).await.map_err(|e| e.to_string())?;
    let status = tokio::time::timeout(CATCH_UP, child.wait()).await;
    let status = status.map_err(|_| "the replicator does not stop".to_owned())?;
    match status.map_err(|e| e.to_string())?.code() {
        Some(0) if reached => Ok(Attended::Reached),
        Some(code) => Ok(Attended::Ended(code, text)),
        None => Ok(Attended::Killed),
    }
}

async fn wait(moment: Option<Duration>) {
    match moment {
        Some(moment) => tokio::time::sleep(moment).await,
        None => std::future::pending().await,
    }
}

fn position(line: &str) -> Option<BinlogPosition> {
    let (file, offset) = line.strip_prefix("durable ")?.rsplit_once(':')?;
    BinlogPosition::new(file, offset.parse().ok()?).ok()
}

/// Makes the folder of large transactions.
///
/// # Errors
/// It cannot be made.
pub fn folder(work: &Path) -> Result<PathBuf, String> {
    let folder = work.join("spill");
    std::fs::create_dir_all(&folder).map_err(|e| format!("`{}`: {e}", folder.display()))?;
    Ok(folder)
}
