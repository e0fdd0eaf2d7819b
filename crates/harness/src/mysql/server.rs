//! A server of our own: fresh data folder, loopback, free port, under supervision.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::install::{Install, Maker};
use super::{Kind, MySqlRequest, MySqlServer, one_line, wait_for_version};
use crate::process::{Program, StderrTail, Supervised};

/// What reading the binlog needs, as a DMS source needs it too.
pub(super) const REPLICATION_FLAGS: &[&str] = &[
    "--log-bin",
    "--server-id=1",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
];
/// The same for MariaDB, whose GTIDs are always on.
const MARIADB_REPLICATION_FLAGS: &[&str] = &[
    "--log-bin",
    "--server-id=1",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
];
/// Speed and size of a server whose data are thrown away.
pub(super) const SANDBOX_FLAGS: &[&str] = &[
    "--mysqlx=OFF",
    "--secure-file-priv=NULL",
    "--performance-schema=OFF",
    "--innodb-flush-log-at-trx-commit=0",
    "--sync-binlog=0",
    "--innodb-buffer-pool-size=64M",
];
const MARIADB_SANDBOX_FLAGS: &[&str] = &[
    "--performance-schema=OFF",
    "--innodb-flush-log-at-trx-commit=0",
    "--sync-binlog=0",
    "--innodb-buffer-pool-size=64M",
];
/// Without name resolution `root@localhost` cannot come by TCP.
const ACCOUNTS: &str = "SET SESSION sql_log_bin = 0;\n\
    CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';\n\
    GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n";
/// Longest path of a Unix socket, bytes (`sun_path` without its terminator).
const LONGEST_SOCKET: usize = 107;
/// How long the data folder may take.
const INITIALIZE_LIMIT: Duration = Duration::from_secs(180);
/// How long the server may take to answer.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// Starts, in case another process takes the free port.
const STARTS: u32 = 3;

/// A running server.
#[derive(Debug)]
pub(super) struct OwnServer {
    running: Supervised,
    folder: PathBuf,
    /// Keeps the socket's folder when the work folder's path is too long for a socket.
    _socket_folder: Option<TempDir>,
}

impl OwnServer {
    /// Kills the server and throws its data away.
    pub(super) async fn stop(mut self) {
        // A server that resists leaves its folder behind; the supervisor goes on trying.
        if self.running.stop().await.is_ok() {
            drop(std::fs::remove_dir_all(self.folder.join("data")));
        }
    }
}

struct Places {
    folder: PathBuf,
    socket: PathBuf,
    socket_folder: Option<TempDir>,
}

pub(super) async fn start(
    request: &MySqlRequest,
    install: Install,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<MySqlServer, String> {
    let places = prepare(&request.work_dir).map_err(|error| {
        format!("cannot prepare `{}`: {}", request.work_dir.display(), one_line(&error))
    })?;
    progress(&format!("making a data folder with {}", install.origin));
    initialize(request, &install, &places.folder).await?;
    let mut last = String::new();
    for _ in 0..STARTS {
        let port = free_port().map_err(|error| one_line(&error))?;
        let program = serving(request, &install, &places, port);
        match run(request, &program, port).await {
            Ok((running, url, version)) => {
                let (folder, _socket_folder) = (places.folder, places.socket_folder);
                let own = OwnServer { running, folder, _socket_folder };
                let kind = Kind::Own(Box::new(own));
                return Ok(MySqlServer { url, version, origin: install.origin, kind });
            }
            // Another process may have taken the port in between.
            Err(reason) if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() => last = reason,
            Err(reason) => return Err(reason),
        }
    }
    Err(last)
}

fn prepare(work_dir: &Path) -> std::io::Result<Places> {
    let folder = std::path::absolute(work_dir)?;
    let data = folder.join("data");
    if data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("accounts.sql"), ACCOUNTS)?;
    let socket = folder.join("mysql.sock");
    if socket.as_os_str().len() <= LONGEST_SOCKET {
        return Ok(Places { folder, socket, socket_folder: None });
    }
    let short = TempDir::with_prefix("mysql-")?;
    let socket = short.path().join("mysql.sock");
    Ok(Places { folder, socket, socket_folder: Some(short) })
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

async fn initialize(
    request: &MySqlRequest,
    install: &Install,
    folder: &Path,
) -> Result<(), String> {
    let mut arguments: Vec<OsString>;
    let program = match &install.maker {
        Maker::MySql => {
            arguments = server_arguments(install);
            arguments.push("--initialize-insecure".into());
            // Nothing of this has to survive a crash.
            arguments.push("--innodb-flush-log-at-trx-commit=0".into());
            arguments.push("--skip-log-bin".into());
            install.program.clone()
        }
        Maker::MariaDb(script) => {
            arguments = vec!["--no-defaults".into()];
            arguments.extend(install.places.iter().cloned());
            arguments.push("--auth-root-authentication-method=normal".into());
            arguments.push("--skip-test-db".into());
            script.clone()
        }
    };
    arguments.push(option("--datadir=", &folder.join("data")));
    arguments.extend(as_root());
    let program = Program {
        program,
        args: arguments,
        env: Vec::new(),
        log_file: folder.join("initialize.log"),
        directory: None,
        stderr: StderrTail::Keep,
        grace: Duration::ZERO,
    };
    let mut running =
        Supervised::spawn(&request.supervisor, &program).map_err(|error| one_line(&error))?;
    match tokio::time::timeout(INITIALIZE_LIMIT, running.wait()).await {
        Ok(Ok(exit)) if exit.success() => Ok(()),
        Ok(Ok(exit)) => Err(ended("making the data folder", exit.code, &running, &program)),
        Ok(Err(error)) => Err(one_line(&error)),
        Err(_) => Err(format!("making the data folder took more than {INITIALIZE_LIMIT:?}")),
    }
}

fn serving(request: &MySqlRequest, install: &Install, places: &Places, port: u16) -> Program {
    let folder = &places.folder;
    let (replication, sandbox) = match install.maker {
        Maker::MySql => (REPLICATION_FLAGS, SANDBOX_FLAGS),
        Maker::MariaDb(_) => (MARIADB_REPLICATION_FLAGS, MARIADB_SANDBOX_FLAGS),
    };
    let mut args = server_arguments(install);
    args.push(option("--datadir=", &folder.join("data")));
    args.push(option("--socket=", &places.socket));
    args.push(option("--pid-file=", &folder.join("mysqld.pid")));
    args.push(option("--init-file=", &folder.join("accounts.sql")));
    args.push("--bind-address=127.0.0.1".into());
    args.push(format!("--port={port}").into());
    args.push("--skip-name-resolve".into());
    args.extend(replication.iter().chain(sandbox).map(OsString::from));
    args.extend(as_root());
    args.extend(request.extra_flags.iter().map(OsString::from));
    Program {
        program: install.program.clone(),
        args,
        env: Vec::new(),
        log_file: folder.join("mysqld.log"),
        directory: None,
        stderr: StderrTail::Keep,
        grace: Duration::ZERO,
    }
}

/// What every call of the server begins with.
fn server_arguments(install: &Install) -> Vec<OsString> {
    let mut arguments = install.before.clone();
    arguments.push("--no-defaults".into());
    arguments.extend(install.places.iter().cloned());
    arguments
}

/// The server refuses to run as root unless it is told to.
fn as_root() -> Option<OsString> {
    rustix::process::geteuid().is_root().then(|| "--user=root".into())
}

fn option(name: &str, path: &Path) -> OsString {
    let mut text = OsString::from(name);
    text.push(path);
    text
}

async fn run(
    request: &MySqlRequest,
    program: &Program,
    port: u16,
) -> Result<(Supervised, String, String), String> {
    let mut running =
        Supervised::spawn(&request.supervisor, program).map_err(|error| one_line(&error))?;
    let url = format!("mysql://root@127.0.0.1:{port}");
    let version = tokio::select! {
        version = wait_for_version(&url, READY_LIMIT) => version?,
        exit = running.wait() => {
            let code = exit.map_err(|error| one_line(&error))?.code;
            return Err(ended("the server", code, &running, program));
        }
    };
    Ok((running, url, version))
}

/// The first line that says what is wrong: the last one is seldom more than "Aborting".
fn ended(what: &str, code: i32, running: &Supervised, program: &Program) -> String {
    let tail = running.stderr_tail();
    let error = tail.lines().find(|line| line.contains("ERROR"));
    let shown = error.or_else(|| tail.lines().last()).unwrap_or("no error output");
    format!("{what} ended with code {code}: {shown} (see `{}`)", program.log_file.display())
}
