//! A server that is installed on this machine or unpacked in a folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Folders that hold servers but are not always on the path of people who are not root.
const MORE_FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/local/mysql/bin"];

/// A server program and how it is started.
#[derive(Debug, Clone)]
pub(super) struct Install {
    /// The executable that is started: the server, or the loader of its own libraries.
    pub(super) program: PathBuf,
    /// Arguments that come before the server's own.
    pub(super) before: Vec<OsString>,
    /// Server options that tell where its files are.
    pub(super) places: Vec<OsString>,
    pub(super) maker: Maker,
    /// For people.
    pub(super) origin: String,
}

/// Whose server it is, which decides its options and how its data folder is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Maker {
    MySql,
    /// With the script that makes a data folder.
    MariaDb(PathBuf),
}

impl Install {
    /// True for MariaDB, which speaks its own GTIDs and binlog events.
    pub(super) fn is_mariadb(&self) -> bool {
        matches!(self.maker, Maker::MariaDb(_))
    }
}

/// The first server on the path.
pub(super) fn find() -> Result<Install, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = MORE_FOLDERS.iter().map(PathBuf::from);
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(more).collect();
    let find = |name: &str| executable(&folders, name);
    if let Some(program) = find("mariadbd") {
        let script = find("mariadb-install-db").or_else(|| find("mysql_install_db"));
        let script = script.ok_or("`mariadbd` is there, `mariadb-install-db` is not")?;
        // Its scripts look for their parts below the folder that they were built for.
        let prefix = program.parent().and_then(Path::parent).map(|prefix| {
            let mut text = OsString::from("--basedir=");
            text.push(prefix);
            text
        });
        let places = prefix.into_iter().collect();
        return Ok(Install { places, ..installed(program, Maker::MariaDb(script)) });
    }
    let program = find("mysqld").ok_or("neither `mysqld` nor `mariadbd` is on the path")?;
    Ok(installed(program, Maker::MySql))
}

fn installed(program: PathBuf, maker: Maker) -> Install {
    let origin = format!("installed `{}`", program.display());
    Install { program, before: Vec::new(), places: Vec::new(), maker, origin }
}

fn executable(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// A MySQL server unpacked below `root`, run through that folder's own loader and libraries.
pub(super) fn unpacked(root: &Path, version: &str) -> Result<Install, String> {
    let (triplet, loader) = match std::env::consts::ARCH {
        "x86_64" => ("x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
        "aarch64" => ("aarch64-linux-gnu", "ld-linux-aarch64.so.1"),
        other => return Err(format!("packages of the architecture `{other}` are not known")),
    };
    let folders = [root.join("usr/lib").join(triplet), root.join("lib").join(triplet)];
    let program = executable(&folders, loader)
        .ok_or_else(|| format!("`{loader}` is missing below `{}`", root.display()))?;
    let server = root.join("usr/sbin/mysqld");
    if !server.is_file() {
        return Err(format!("`{}` is missing", server.display()));
    }
    let libraries = std::env::join_paths(folders.iter().filter(|folder| folder.is_dir()))
        .map_err(|error| error.to_string())?;
    let place = |option: &str, below: &str| {
        let mut text = OsString::from(option);
        text.push(root.join(below));
        text
    };
    Ok(Install {
        program,
        before: vec!["--library-path".into(), libraries, server.into()],
        places: vec![
            place("--basedir=", "usr"),
            place("--lc-messages-dir=", "usr/share/mysql"),
            place("--plugin-dir=", "usr/lib/mysql/plugin"),
        ],
        maker: Maker::MySql,
        origin: format!("packages ({version})"),
    })
}
