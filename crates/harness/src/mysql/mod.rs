//! A MySQL or MariaDB server to run against: the given one, a container, one on this machine, or
//! the distribution's packages unpacked without root.

mod container;
mod data_folder;
mod install;
mod packages;
mod server;

pub mod replica;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, UrlError};

pub use medallion_replicator::preflight::Flavor;

use self::container::Container;
use self::server::OwnServer;

/// How long a given server may take to answer.
const GIVEN_LIMIT: Duration = Duration::from_secs(10);

/// What is asked for.
#[derive(Debug, Clone)]
pub struct MySqlRequest {
    /// Whose server; a given one is taken as it is.
    pub flavor: Flavor,
    /// A server to use as it is, `mysql://user:password@host:port`.
    pub url: Option<String>,
    /// Folder for a server of our own: data, log, socket, temporary files.
    pub work_dir: PathBuf,
    /// Folder that is kept from run to run; packages are unpacked in `mysql`
    /// or `mariadb` below it.
    pub cache_dir: PathBuf,
    /// The executable whose `supervise` subcommand runs [`crate::process::supervise_main`].
    pub supervisor: PathBuf,
    /// Server options that come last and so win over ours, for instance
    /// `--binlog-row-image=MINIMAL`. A given server takes none.
    pub extra_flags: Vec<String>,
}

/// One way that was tried and did not lead to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The way: `container`, `installed server`, `packages`.
    pub way: &'static str,
    /// Why it did not work, in one line.
    pub reason: String,
}

/// Why there is no MySQL server; always an operator's affair.
#[derive(Debug, thiserror::Error)]
pub enum MySqlError {
    /// The given URL is not one of a MySQL server. The URL is not shown: it may hold a password.
    #[error("the given MySQL url cannot be read; expected `mysql://user:password@host:port`")]
    Url {
        /// Why.
        source: UrlError,
    },
    /// The given server does not answer.
    #[error(
        "the given MySQL server `{server}` cannot be used\n    \
         hint: does it run there, and do user and password fit?"
    )]
    Given {
        /// Host and port.
        server: String,
        /// Why.
        source: mysql_async::Error,
    },
    /// The given server did not answer in time.
    #[error("the given MySQL server `{server}` did not answer within {seconds} s")]
    GivenSilent {
        /// Host and port.
        server: String,
        /// Seconds waited.
        seconds: u64,
    },
    /// Extra flags were asked of a given server.
    #[error("server options need a server of our own, but a MySQL url was given")]
    FlagsForGiven,
    /// No way led to a server.
    #[error("no {} server could be had{}", flavor.as_str(), Attempts(attempts))]
    None {
        /// Whose server was wanted.
        flavor: Flavor,
        /// What was tried, in order.
        attempts: Vec<Attempt>,
    },
    /// Only a server of our own can be ended and started again.
    #[error("the MySQL server ({origin}) is not our own, so that it cannot be ended or started")]
    NotOurs {
        /// Where it comes from.
        origin: String,
    },
    /// A server of our own did not end or start.
    #[error("{doing} did not work: {reason}")]
    Own {
        /// What was tried.
        doing: &'static str,
        /// Why, in one line.
        reason: String,
    },
}

struct Attempts<'a>(&'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Attempt { way, reason } in self.0 {
            write!(out, "\n  {way}: {reason}")?;
        }
        out.write_str(
            "\n  hint: give one with a mysql url, start Docker, or install `mysqld`; \
             on Debian and Ubuntu the packages come by `apt-get download`, which needs a mirror",
        )
    }
}

/// A MySQL server that answers; dropping it ends it when it is our own.
#[derive(Debug)]
pub struct MySqlServer {
    url: String,
    version: String,
    origin: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Given,
    Container(Box<Container>),
    Own(Box<OwnServer>),
}

impl MySqlServer {
    /// `mysql://user[:password]@host:port`, with the right to do everything if it is our own.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What `SELECT VERSION()` says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where it comes from, for people.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The data folder of a server of our own.
    pub fn data_folder(&self) -> Option<PathBuf> {
        match &self.kind {
            Kind::Given | Kind::Container(_) => None,
            Kind::Own(server) => Some(server.data()),
        }
    }

    /// Ends a server of our own as its operators would; it keeps its data and its port.
    ///
    /// # Errors
    /// [`MySqlError::NotOurs`], or it did not end.
    pub async fn shut_down(&mut self) -> Result<(), MySqlError> {
        let done = self.own()?.shut_down().await;
        done.map_err(|reason| MySqlError::Own { doing: "the shutdown", reason })
    }

    /// Kills a server of our own (SIGKILL); it keeps its data and its port. What it had committed
    /// is there again only with `--innodb-flush-log-at-trx-commit=1` or `=2`.
    ///
    /// # Errors
    /// [`MySqlError::NotOurs`], or it did not end.
    pub async fn kill(&mut self) -> Result<(), MySqlError> {
        let done = self.own()?.kill().await;
        done.map_err(|reason| MySqlError::Own { doing: "killing the server", reason })
    }

    /// Starts a server of our own again that was shut down or killed, on the same data and port.
    /// `more_flags` come after those of the request and last for this run.
    ///
    /// # Errors
    /// [`MySqlError::NotOurs`], or it did not start.
    pub async fn start_again(&mut self, more_flags: &[String]) -> Result<(), MySqlError> {
        let version = self.own()?.start_again(more_flags).await;
        let failed = |reason| MySqlError::Own { doing: "starting the server again", reason };
        self.version = version.map_err(failed)?;
        Ok(())
    }

    fn own(&mut self) -> Result<&mut OwnServer, MySqlError> {
        match &mut self.kind {
            Kind::Given | Kind::Container(_) => {
                Err(MySqlError::NotOurs { origin: self.origin.clone() })
            }
            Kind::Own(server) => Ok(server),
        }
    }

    /// Ends the server if it is our own. Its data are thrown away, so that it is killed.
    pub async fn stop(self) {
        match self.kind {
            Kind::Given => {}
            Kind::Container(container) => container.stop().await,
            Kind::Own(server) => server.stop().await,
        }
    }
}

/// Finds or makes a server; `progress` gets one line for each step that takes time.
///
/// # Errors
/// See [`MySqlError`]; it says what was tried and why each way failed.
pub async fn obtain(
    request: &MySqlRequest,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<MySqlServer, MySqlError> {
    if let Some(url) = &request.url {
        return given(url, &request.extra_flags).await;
    }
    let mut attempts = Vec::new();
    match container::start(request, progress).await {
        Ok(container) => return Ok(container),
        Err(reason) => {
            progress(&format!("container: {reason}"));
            attempts.push(Attempt { way: "container", reason });
        }
    }
    own(request, attempts, progress).await
}

/// Starts a server of our own, which can be ended and started again; a given URL does not count.
///
/// # Errors
/// See [`MySqlError`]; it says what was tried and why each way failed.
pub async fn obtain_own(
    request: &MySqlRequest,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<MySqlServer, MySqlError> {
    own(request, Vec::new(), progress).await
}

async fn own(
    request: &MySqlRequest,
    mut attempts: Vec<Attempt>,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<MySqlServer, MySqlError> {
    let mut failed = |way, reason: String| {
        progress(&format!("{way}: {reason}"));
        attempts.push(Attempt { way, reason });
    };
    let installed = match install::find(request.flavor) {
        Ok(install) => server::start(request, install, progress).await,
        Err(reason) => Err(reason),
    };
    match installed {
        Ok(server) => return Ok(server),
        Err(reason) => failed("installed server", reason),
    }
    let unpacked = match packages::provide(request, progress).await {
        Ok(install) => server::start(request, install, progress).await,
        Err(reason) => Err(reason),
    };
    match unpacked {
        Ok(server) => return Ok(server),
        Err(reason) => failed("packages", reason),
    }
    Err(MySqlError::None { flavor: request.flavor, attempts })
}

async fn given(url: &str, extra_flags: &[String]) -> Result<MySqlServer, MySqlError> {
    if !extra_flags.is_empty() {
        return Err(MySqlError::FlagsForGiven);
    }
    let opts = Opts::from_url(url).map_err(|source| MySqlError::Url { source })?;
    let server = format!("{}:{}", opts.ip_or_hostname(), opts.tcp_port());
    let version = match tokio::time::timeout(GIVEN_LIMIT, ask_version(opts)).await {
        Ok(Ok(version)) => version,
        Ok(Err(source)) => return Err(MySqlError::Given { server, source }),
        Err(_) => {
            return Err(MySqlError::GivenSilent { server, seconds: GIVEN_LIMIT.as_secs() });
        }
    };
    let origin = format!("given ({server})");
    Ok(MySqlServer { url: url.to_owned(), version, origin, kind: Kind::Given })
}

/// Over TCP: a local socket of the same name may belong to another server.
fn over_tcp(url: &str) -> Result<Opts, UrlError> {
    Ok(OptsBuilder::from_opts(Opts::from_url(url)?).prefer_socket(false).into())
}

async fn ask_version(opts: Opts) -> Result<String, mysql_async::Error> {
    // Over TCP: a local socket of the same name may belong to another server.
    let opts = OptsBuilder::from_opts(opts).prefer_socket(false);
    let mut connection = Conn::new(opts).await?;
    let version: Option<String> = connection.query_first("SELECT VERSION()").await?;
    connection.disconnect().await?;
    version.ok_or_else(|| mysql_async::Error::Other("the server has no version".into()))
}

/// Asks again and again until the server at `url` tells its version.
async fn wait_for_version(url: &str, limit: Duration) -> Result<String, String> {
    let opts = Opts::from_url(url).map_err(|error| error.to_string())?;
    let deadline = tokio::time::Instant::now() + limit;
    let mut last = "it never answered".to_owned();
    while tokio::time::Instant::now() < deadline {
        match tokio::time::timeout(Duration::from_secs(5), ask_version(opts.clone())).await {
            Ok(Ok(version)) => return Ok(version),
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(format!("not ready after {} s: {last}", limit.as_secs()))
}

/// An error and its causes in one line.
fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_tells_what_was_tried_in_order_with_a_hint() {
        let attempt = |way, reason: &str| Attempt { way, reason: reason.to_owned() };
        let attempts = vec![attempt("container", "no engine"), attempt("packages", "no mirror")];
        let shown = MySqlError::None { flavor: Flavor::MySql, attempts }.to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1..3], ["  container: no engine", "  packages: no mirror"]);
        assert!(lines[3].starts_with("  hint: "), "{shown}");
    }

    #[tokio::test]
    async fn a_given_server_that_does_not_answer_is_an_error_without_its_password() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        drop(socket);
        let error = given(&format!("mysql://root:secret@{address}"), &[]).await.unwrap_err();
        assert!(matches!(error, MySqlError::Given { .. }), "{error:?}");
        let shown = error.to_string();
        let (line, hint) = shown.split_once('\n').unwrap();
        assert_eq!(line, format!("the given MySQL server `{address}` cannot be used"));
        assert!(hint.contains("hint: ") && !shown.contains("secret"), "{shown}");
    }
}
