//! Making the data folder of a server of our own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::install::{Install, Maker};
use super::one_line;
use super::server::{as_root, ended, environment, option, server_arguments};
use crate::process::{Program, StderrTail, Supervised};

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(180);
/// What MariaDB's own script gives to a server in bootstrap mode, in its order.
const MARIADB_TABLES: [&str; 5] = [
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "mysql_sys_schema.sql",
];
/// The names that the same files have since MariaDB 11.
const RENAMED: (&str, &str) = ("mysql_", "mariadb_");

/// Makes `data` below `folder`, which has a folder for temporary files.
pub(super) async fn make(
    supervisor: &Path,
    install: &Install,
    folder: &Path,
) -> Result<(), String> {
    let data = folder.join("data");
    let (program, args) = match &install.maker {
        Maker::MySql => (install.program.clone(), of_mysql(install, &data)),
        Maker::MariaDb(script) => (script.clone(), of_mariadb(install, &data)),
        Maker::UnpackedMariaDb(tables) => {
            let shown = |error: std::io::Error| one_line(&error);
            std::fs::create_dir_all(&data).map_err(shown)?;
            let statements = folder.join("bootstrap.sql");
            std::fs::write(&statements, bootstrap(tables).map_err(shown)?).map_err(shown)?;
            (PathBuf::from("sh"), bootstrapping(install, &data, &statements))
        }
    };
    let program = Program {
        program,
        args,
        env: environment(folder),
        log_file: folder.join("initialize.log"),
        directory: None,
        stderr: StderrTail::Keep,
        grace: Duration::ZERO,
    };
    let mut running = Supervised::spawn(supervisor, &program).map_err(|error| one_line(&error))?;
    match tokio::time::timeout(LIMIT, running.wait()).await {
        Ok(Ok(exit)) if exit.success() => Ok(()),
        Ok(Ok(exit)) => Err(ended("making the data folder", exit.code, &running, &program)),
        Ok(Err(error)) => Err(one_line(&error)),
        Err(_) => Err(format!("making the data folder took more than {LIMIT:?}")),
    }
}

fn of_mysql(install: &Install, data: &Path) -> Vec<OsString> {
    let mut arguments = server_arguments(install);
    arguments.push("--initialize-insecure".into());
    // Nothing of this has to survive a crash.
    arguments.push("--innodb-flush-log-at-trx-commit=0".into());
    arguments.push("--skip-log-bin".into());
    arguments.push(option("--datadir=", data));
    arguments.extend(as_root());
    arguments
}

fn of_mariadb(install: &Install, data: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["--no-defaults".into()];
    arguments.extend(install.places.iter().cloned());
    arguments.push("--auth-root-authentication-method=normal".into());
    arguments.push("--skip-test-db".into());
    arguments.push(option("--datadir=", data));
    arguments.extend(as_root());
    arguments
}

/// A shell that gives the statements to the server: in bootstrap mode it reads its standard input.
fn bootstrapping(install: &Install, data: &Path, statements: &Path) -> Vec<OsString> {
    let script = r#"statements=$1; shift; exec "$@" < "$statements""#;
    let mut arguments: Vec<OsString> = vec!["-c".into(), script.into(), "sh".into()];
    arguments.push(statements.into());
    arguments.push(install.program.clone().into());
    arguments.extend(server_arguments(install));
    arguments.push("--bootstrap".into());
    arguments.push("--log-warnings=0".into());
    arguments.push("--innodb-flush-log-at-trx-commit=0".into());
    arguments.push(option("--datadir=", data));
    arguments.extend(as_root());
    arguments
}

/// The statements of `mariadb-install-db`; each begins on a line of its own.
fn bootstrap(tables: &Path) -> std::io::Result<Vec<u8>> {
    let mut statements =
        b"CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n"
            .to_vec();
    for name in MARIADB_TABLES {
        let mut path = tables.join(name);
        if !path.is_file() {
            path = tables.join(name.replacen(RENAMED.0, RENAMED.1, 1));
        }
        statements.extend(std::fs::read(path)?);
        statements.push(b'\n');
    }
    Ok(statements)
}
