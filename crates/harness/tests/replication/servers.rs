//! The servers of this test binary, each started when the first test asks for it.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::LazyLock;

use medallion_harness::mysql::{self, Flavor, MySqlRequest, MySqlServer};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use rustix::process::{Pid, test_kill_process};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// Survives SIGKILL: what is committed is in the operating system's hands.
const DURABLE: &str = "--innodb-flush-log-at-trx-commit=2";
/// Folders of runs of this binary.
const FOLDER: &str = "replication-";

/// The servers outlive each single test, and so does the runtime that serves them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    remove_leftovers();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});
static SHARED: OnceCell<MySqlServer> = OnceCell::const_new();
static ALONE: Mutex<Option<MySqlServer>> = Mutex::const_new(None);
static MARIADB: Mutex<Option<MySqlServer>> = Mutex::const_new(None);

/// Runs a test.
pub(crate) fn run(test: impl Future<Output = ()>) {
    RUNTIME.block_on(test);
}

/// A server for tests that leave each other in peace, each in a schema of its own.
pub(crate) async fn shared() -> &'static str {
    SHARED.get_or_init(|| start("shared", Flavor::MySql, &[])).await.url()
}

/// A server for one test at a time, which may do with it what it likes.
pub(crate) struct Alone(MutexGuard<'static, Option<MySqlServer>>);

impl Deref for Alone {
    type Target = MySqlServer;

    fn deref(&self) -> &MySqlServer {
        self.0.as_ref().unwrap()
    }
}

impl DerefMut for Alone {
    fn deref_mut(&mut self) -> &mut MySqlServer {
        self.0.as_mut().unwrap()
    }
}

/// MySQL for one test at a time.
pub(crate) async fn alone() -> Alone {
    Alone(ready("alone", Flavor::MySql, ALONE.lock().await).await)
}

/// MariaDB for one test at a time.
pub(crate) async fn mariadb() -> Alone {
    Alone(ready("mariadb", Flavor::MariaDb, MARIADB.lock().await).await)
}

async fn ready(
    name: &str,
    flavor: Flavor,
    mut server: MutexGuard<'static, Option<MySqlServer>>,
) -> MutexGuard<'static, Option<MySqlServer>> {
    match server.as_mut() {
        None => *server = Some(start(name, flavor, &[DURABLE]).await),
        // A test that failed may have left it ended, or with transactions that are prepared.
        Some(server) => {
            if Conn::new(opts(server.url())).await.is_err() {
                server.kill().await.unwrap();
                server.start_again(&[]).await.unwrap();
            }
            roll_back_prepared(server.url()).await;
        }
    }
    server
}

/// Ends what was prepared and never decided.
pub(crate) async fn roll_back_prepared(url: &str) {
    let mut conn = connect(url).await;
    let rows: Vec<(i64, i64, i64, String)> = conn.query("XA RECOVER").await.unwrap();
    for (_, _, _, name) in rows {
        // MariaDB answers with an error when there was nothing to undo.
        drop(conn.query_drop(format!("XA ROLLBACK '{name}'")).await);
    }
}

/// Starts a server of our own.
pub(crate) async fn start(name: &str, flavor: Flavor, flags: &[&str]) -> MySqlServer {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_medallion-harness"));
    let request = MySqlRequest {
        flavor,
        url: None,
        work_dir: folder(std::process::id()).join(name),
        cache_dir: binary.ancestors().nth(2).unwrap().join("stack"),
        supervisor: binary,
        extra_flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
    };
    let server = mysql::obtain_own(&request, &|_| {}).await.unwrap();
    eprintln!("replication: {name} is {} ({})", server.version(), server.origin());
    server
}

fn folder(process: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{FOLDER}{process}"))
}

/// Servers end with their process; their data are removed by the next run.
fn remove_leftovers() {
    for entry in std::fs::read_dir(env!("CARGO_TARGET_TMPDIR")).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(FOLDER)?.parse().ok());
        let process = process.and_then(Pid::from_raw);
        if process.is_some_and(|process| test_kill_process(process).is_err()) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

fn opts(url: &str) -> OptsBuilder {
    OptsBuilder::from_opts(Opts::from_url(url).unwrap()).prefer_socket(false)
}

pub(crate) async fn connect(url: &str) -> Conn {
    Conn::new(opts(url)).await.unwrap()
}

/// A connection into an empty schema.
pub(crate) async fn schema(url: &str, name: &str) -> Conn {
    let mut conn = connect(url).await;
    execute(&mut conn, &format!("DROP DATABASE IF EXISTS {name}")).await;
    execute(&mut conn, &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")).await;
    execute(&mut conn, &format!("USE {name}")).await;
    conn
}

/// Runs statements, each on a line of its own, and tells which it was when one fails.
pub(crate) async fn execute(conn: &mut Conn, statements: &str) {
    for statement in statements.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Err(error) = conn.query_drop(statement).await {
            panic!("{}: {error}", statement.chars().take(300).collect::<String>());
        }
    }
}

/// Fills `table (id INT, name VARCHAR)` with rows `first..=last`.
pub(crate) async fn fill(conn: &mut Conn, table: &str, first: u32, last: u32) {
    execute(conn, "SET SESSION cte_max_recursion_depth = 10000000").await;
    let numbers = format!(
        "WITH RECURSIVE n (id) AS (SELECT {first} UNION ALL SELECT id + 1 FROM n WHERE id < {last})"
    );
    let rows = format!("INSERT INTO {table} {numbers} SELECT id, CONCAT('name ', id) FROM n");
    execute(conn, &rows).await;
}
