//! The servers that are the oracle.

use std::path::PathBuf;

use medallion_harness::mysql::{self, Flavor, MySqlRequest, MySqlServer};

/// A server, with its folder.
pub(crate) struct Server {
    mysql: MySqlServer,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts a server of this flavor. `MEDALLION_MYSQL_URL` or `MEDALLION_MARIADB_URL` names one to
    /// use instead.
    pub(crate) async fn start(flavor: Flavor) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let variable = match flavor {
            Flavor::MySql => "MEDALLION_MYSQL_URL",
            Flavor::MariaDb => "MEDALLION_MARIADB_URL",
        };
        let request = MySqlRequest {
            flavor,
            url: std::env::var(variable).ok(),
            work_dir: folder.path().join("mysql"),
            cache_dir: cache(),
            supervisor: env!("CARGO_BIN_EXE_medallion-harness").into(),
            extra_flags: Vec::new(),
        };
        let mysql = mysql::obtain(&request, &|_| {}).await.unwrap();
        eprintln!("types: {} ({})", mysql.version(), mysql.origin());
        Server { mysql, _folder: folder }
    }

    pub(crate) fn url(&self) -> &str {
        self.mysql.url()
    }
}

/// The folder of stacks below cargo's target folder.
pub(crate) fn cache() -> PathBuf {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_medallion-harness"));
    binary.ancestors().nth(2).unwrap().join("stack")
}
