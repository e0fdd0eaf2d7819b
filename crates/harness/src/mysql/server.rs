//! A server of our own: fresh data folder, loopback, free port, under supervision. It can be shut
//! down or killed and started again on the same data and port.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use tempfile::TempDir;

use super::install::Install;
use super::{
    Flavor, Kind, MySqlRequest, MySqlServer, data_folder, one_line, over_tcp, wait_for_version,
};
use crate::process::{Program, StderrTail, Supervised};

/// Triggers write a journal of a scenario's changes. In the binlog its rows would stand between those
/// of the source tables, of which each would then be an event of its own.
const WITHOUT_JOURNAL: &str = "--binlog-ignore-db=journal";
/// What reading the binlog needs, as a DMS source needs it too.
const REPLICATION_FLAGS: &[&str] = &[
    "--log-bin",
    "--server-id=1",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    WITHOUT_JOURNAL,
];
/// The same for MariaDB, whose GTIDs are always on.
const MARIADB_REPLICATION_FLAGS: &[&str] = &[
    "--log-bin",
    "--log-slave-updates",
    "--server-id=1",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    WITHOUT_JOURNAL,
];
/// Speed and size of a server whose data are thrown away.
const SANDBOX_FLAGS: &[&str] = &[
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
/// How long the server may take to answer.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How long a shutdown may take.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(60);
/// Starts, in case another process takes the free port.
const STARTS: u32 = 3;

/// The options of every server of this flavor.
pub(super) fn flags(flavor: Flavor) -> impl Iterator<Item = String> {
    let (replication, sandbox) = match flavor {
        Flavor::MySql => (REPLICATION_FLAGS, SANDBOX_FLAGS),
        Flavor::MariaDb => (MARIADB_REPLICATION_FLAGS, MARIADB_SANDBOX_FLAGS),
    };
    replication.iter().chain(sandbox).map(|flag| (*flag).to_owned())
}

/// A server of our own, running or between two runs.
#[derive(Debug)]
pub(super) struct OwnServer {
    launch: Launch,
    port: u16,
    /// Nothing between two runs.
    running: Option<Supervised>,
}

/// How the server is started.
#[derive(Debug)]
struct Launch {
    supervisor: PathBuf,
    install: Install,
    folder: PathBuf,
    socket: PathBuf,
    /// Keeps the socket's folder when the work folder's path is too long for a socket.
    _socket_folder: Option<TempDir>,
    extra_flags: Vec<String>,
}

impl OwnServer {
    /// Kills the server and throws its data away.
    pub(super) async fn stop(mut self) {
        // A server that resists leaves its folder behind; the supervisor goes on trying.
        if self.kill().await.is_ok() {
            drop(std::fs::remove_dir_all(self.data()));
            drop(std::fs::remove_dir_all(temporary(&self.launch.folder)));
        }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.launch.folder.join("data")
    }

    /// SIGKILL.
    pub(super) async fn kill(&mut self) -> Result<(), String> {
        match &mut self.running {
            None => Ok(()),
            Some(running) => {
                running.stop().await.map_err(|error| one_line(&error))?;
                self.running = None;
                Ok(())
            }
        }
    }

    /// Ends the server as its operators would.
    pub(super) async fn shut_down(&mut self) -> Result<(), String> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let url = url(self.port);
        let opts = over_tcp(&url).map_err(|error| one_line(&error))?;
        let mut conn = mysql_async::Conn::new(opts).await.map_err(|error| one_line(&error))?;
        conn.query_drop("SHUTDOWN").await.map_err(|error| one_line(&error))?;
        drop(conn);
        match tokio::time::timeout(SHUTDOWN_LIMIT, running.wait()).await {
            Ok(exit) => exit.map_err(|error| one_line(&error))?,
            Err(_) => return Err(format!("the shutdown took more than {SHUTDOWN_LIMIT:?}")),
        };
        self.running = None;
        Ok(())
    }

    /// Starts the server again on the same data and port; gives its version.
    pub(super) async fn start_again(&mut self, more_flags: &[String]) -> Result<String, String> {
        if self.running.is_some() {
            return Err("it is still running".to_owned());
        }
        // A killed server leaves these; the process id in it may be another program's by now.
        for left in [self.launch.socket.clone(), lock_file(&self.launch.socket)] {
            drop(std::fs::remove_file(left));
        }
        let (running, version) = self.launch.run(self.port, more_flags).await?;
        self.running = Some(running);
        Ok(version)
    }
}

fn lock_file(socket: &Path) -> PathBuf {
    let mut name = socket.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn url(port: u16) -> String {
    format!("mysql://root@127.0.0.1:{port}")
}

pub(super) async fn start(
    request: &MySqlRequest,
    install: Install,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<MySqlServer, String> {
    let launch = prepare(request, install).map_err(|error| {
        format!("cannot prepare `{}`: {}", request.work_dir.display(), one_line(&error))
    })?;
    progress(&format!("making a data folder with {}", launch.install.origin));
    data_folder::make(&launch.supervisor, &launch.install, &launch.folder).await?;
    let mut last = String::new();
    for _ in 0..STARTS {
        let port = free_port().map_err(|error| one_line(&error))?;
        match launch.run(port, &[]).await {
            Ok((running, version)) => {
                let (url, origin) = (url(port), launch.install.origin.clone());
                let own = OwnServer { launch, port, running: Some(running) };
                return Ok(MySqlServer { url, version, origin, kind: Kind::Own(Box::new(own)) });
            }
            // Another process may have taken the port in between.
            Err(reason) if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() => last = reason,
            Err(reason) => return Err(reason),
        }
    }
    Err(last)
}

fn prepare(request: &MySqlRequest, install: Install) -> std::io::Result<Launch> {
    let folder = std::path::absolute(&request.work_dir)?;
    let (data, temporary) = (folder.join("data"), temporary(&folder));
    for left in [&data, &temporary] {
        if left.exists() {
            std::fs::remove_dir_all(left)?;
        }
    }
    std::fs::create_dir_all(&temporary)?;
    std::fs::write(folder.join("accounts.sql"), ACCOUNTS)?;
    let mut socket = folder.join("mysql.sock");
    let mut socket_folder = None;
    if socket.as_os_str().len() > LONGEST_SOCKET {
        let short = TempDir::with_prefix("mysql-")?;
        socket = short.path().join("mysql.sock");
        socket_folder = Some(short);
    }
    let (supervisor, extra_flags) = (request.supervisor.clone(), request.extra_flags.clone());
    Ok(Launch { supervisor, install, folder, socket, _socket_folder: socket_folder, extra_flags })
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Launch {
    fn program(&self, port: u16, more_flags: &[String]) -> Program {
        let mut args = server_arguments(&self.install);
        args.push(option("--datadir=", &self.folder.join("data")));
        args.push(option("--socket=", &self.socket));
        args.push(option("--pid-file=", &self.folder.join("mysqld.pid")));
        args.push(option("--init-file=", &self.folder.join("accounts.sql")));
        args.push("--bind-address=127.0.0.1".into());
        args.push(format!("--port={port}").into());
        args.push("--skip-name-resolve".into());
        args.extend(flags(self.install.maker.flavor()).map(OsString::from));
        args.extend(as_root());
        args.extend(self.extra_flags.iter().chain(more_flags).map(OsString::from));
        Program {
            program: self.install.program.clone(),
            args,
            env: environment(&self.folder),
            log_file: self.folder.join("mysqld.log"),
            directory: None,
            stderr: StderrTail::Keep,
            grace: Duration::ZERO,
        }
    }

    async fn run(&self, port: u16, more_flags: &[String]) -> Result<(Supervised, String), String> {
        let program = self.program(port, more_flags);
        let mut running =
            Supervised::spawn(&self.supervisor, &program).map_err(|error| one_line(&error))?;
        let url = url(port);
        let version = tokio::select! {
            version = wait_for_version(&url, READY_LIMIT) => version?,
            exit = running.wait() => {
                let code = exit.map_err(|error| one_line(&error))?.code;
                return Err(ended("the server", code, &running, &program));
            }
        };
        Ok((running, version))
    }
}

/// The folder of a server's temporary files.
fn temporary(folder: &Path) -> PathBuf {
    folder.join("tmp")
}

/// Variables of every call of the server. In a folder that servers share, a starting MariaDB
/// removes the temporary tables of the others. It is a variable because MariaDB's script takes no
/// option with a space in it.
pub(super) fn environment(folder: &Path) -> Vec<(String, String)> {
    vec![("TMPDIR".to_owned(), temporary(folder).display().to_string())]
}

/// What every call of the server begins with.
pub(super) fn server_arguments(install: &Install) -> Vec<OsString> {
    let mut arguments = install.before.clone();
    arguments.push("--no-defaults".into());
    arguments.extend(install.places.iter().cloned());
    arguments
}

/// The server refuses to run as root unless it is told to.
pub(super) fn as_root() -> Option<OsString> {
    rustix::process::geteuid().is_root().then(|| "--user=root".into())
}

pub(super) fn option(name: &str, path: &Path) -> OsString {
    let mut text = OsString::from(name);
    text.push(path);
    text
}

/// The first line that says what is wrong: the last one is seldom more than "Aborting".
pub(super) fn ended(what: &str, code: i32, running: &Supervised, program: &Program) -> String {
    let tail = running.stderr_tail();
    let error = tail.lines().find(|line| line.contains("ERROR"));
    let shown = error.or_else(|| tail.lines().last()).unwrap_or("no error output");
    format!("{what} ended with code {code}: {shown} (see `{}`)", program.log_file.display())
}
