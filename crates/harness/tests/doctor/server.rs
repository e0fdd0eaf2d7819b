//! Servers to look at.

use std::path::PathBuf;

use medallion_harness::mysql::{self, MySqlRequest, MySqlServer};
use medallion_replicator::preflight::Flavor;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

/// A MySQL of our own, with its folder.
pub(crate) struct Server {
    pub(crate) mysql: MySqlServer,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts a MySQL with these options besides the harness's own.
    pub(crate) async fn start(flags: &[&str]) -> Server {
        Server::start_of(Flavor::MySql, flags).await
    }

    /// Starts a server of either maker.
    pub(crate) async fn start_of(flavor: Flavor, flags: &[&str]) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let supervisor = PathBuf::from(env!("CARGO_BIN_EXE_medallion-harness"));
        let request = MySqlRequest {
            flavor,
            url: None,
            work_dir: folder.path().join("mysql"),
            cache_dir: supervisor.ancestors().nth(2).unwrap().join("stack"),
            supervisor,
            extra_flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        };
        let mysql = mysql::obtain(&request, &|_| {}).await.unwrap();
        eprintln!("doctor: {} ({})", mysql.version(), mysql.origin());
        Server { mysql, _folder: folder }
    }

    pub(crate) fn url(&self) -> &str {
        self.mysql.url()
    }

    /// The URL of another user.
    pub(crate) fn url_of(&self, user: &str, password: &str) -> String {
        let opts = Opts::from_url(self.url()).unwrap();
        format!("mysql://{user}:{password}@{}:{}", opts.ip_or_hostname(), opts.tcp_port())
    }

    /// The major version.
    pub(crate) fn major(&self) -> u32 {
        self.mysql.version().split('.').next().unwrap().parse().unwrap()
    }

    pub(crate) async fn stop(self) {
        self.mysql.stop().await;
    }
}

/// A connection over TCP.
pub(crate) async fn connect(url: &str) -> Conn {
    let opts = OptsBuilder::from_opts(Opts::from_url(url).unwrap()).prefer_socket(false);
    Conn::new(opts).await.unwrap()
}

/// Runs statements that end with a semicolon at the end of a line.
pub(crate) async fn run(conn: &mut Conn, script: &str) {
    for statement in script.split(";\n").map(str::trim).filter(|text| !text.is_empty()) {
        conn.query_drop(statement).await.unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
}
