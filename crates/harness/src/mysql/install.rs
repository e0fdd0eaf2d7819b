//! A server that is installed on this machine or unpacked in a folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Flavor;

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
    /// With the folder of the SQL files that make a data folder: the script calls programs by
    /// themselves, which unpacked ones cannot be.
    UnpackedMariaDb(PathBuf),
}

impl Maker {
    pub(super) fn flavor(&self) -> Flavor {
        match self {
            Maker::MySql => Flavor::MySql,
            Maker::MariaDb(_) | Maker::UnpackedMariaDb(_) => Flavor::MariaDb,
        }
    }
}

/// The first server of this flavor on the path.
pub(super) fn find(flavor: Flavor) -> Result<Install, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = MORE_FOLDERS.iter().map(PathBuf::from);
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(more).collect();
    match flavor {
        Flavor::MySql => {
            let program = find_mysqld(&folders).ok_or("`mysqld` of MySQL is not on the path")?;
            Ok(installed(program, Maker::MySql))
        }
        Flavor::MariaDb => find_mariadbd(&folders),
    }
}

/// MariaDB installs its server as `mysqld` too, by a link.
fn find_mysqld(folders: &[PathBuf]) -> Option<PathBuf> {
    let is_mariadb = |program: &Path| {
        let real = program.canonicalize().unwrap_or_default();
        real.file_name().is_some_and(|name| name == "mariadbd")
    };
    executables(folders, "mysqld").find(|program| !is_mariadb(program))
}

fn find_mariadbd(folders: &[PathBuf]) -> Result<Install, String> {
    let find = |name: &str| executables(folders, name).next();
    let program = find("mariadbd").ok_or("`mariadbd` is not on the path")?;
    let script = find("mariadb-install-db").or_else(|| find("mysql_install_db"));
    let script = script.ok_or("`mariadbd` is there, `mariadb-install-db` is not")?;
    // Its scripts look for their parts below the folder that they were built for.
    let prefix = program.parent().and_then(Path::parent).map(|prefix| place("--basedir=", prefix));
    let places = prefix.into_iter().collect();
    Ok(Install { places, ..installed(program, Maker::MariaDb(script)) })
}

fn installed(program: PathBuf, maker: Maker) -> Install {
    let origin = format!("installed `{}`", program.display());
    Install { program, before: Vec::new(), places: Vec::new(), maker, origin }
}

fn executables(folders: &[PathBuf], name: &str) -> impl Iterator<Item = PathBuf> {
    folders.iter().map(move |folder| folder.join(name)).filter(|path| path.is_file())
}

fn place(option: &str, path: &Path) -> OsString {
    let mut text = OsString::from(option);
    text.push(path);
    text
}

/// A server unpacked below `root`, run through that folder's own loader and libraries.
pub(super) fn unpacked(root: &Path, version: &str, flavor: Flavor) -> Result<Install, String> {
    let (triplet, loader) = match std::env::consts::ARCH {
        "x86_64" => ("x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
        "aarch64" => ("aarch64-linux-gnu", "ld-linux-aarch64.so.1"),
        other => return Err(format!("packages of the architecture `{other}` are not known")),
    };
    let folders = [root.join("usr/lib").join(triplet), root.join("lib").join(triplet)];
    // Before Debian 13 the loader is in `lib`, or in `lib64` by a link with an absolute target.
    let program = executables(&folders, loader).next();
    let program =
        program.ok_or_else(|| format!("`{loader}` is missing below `{}`", root.display()))?;
    let (server, maker) = match flavor {
        Flavor::MySql => ("usr/sbin/mysqld", Maker::MySql),
        Flavor::MariaDb => {
            ("usr/sbin/mariadbd", Maker::UnpackedMariaDb(root.join("usr/share/mysql")))
        }
    };
    let server = root.join(server);
    if !server.is_file() {
        return Err(format!("`{}` is missing", server.display()));
    }
    let libraries = std::env::join_paths(folders.iter().filter(|folder| folder.is_dir()))
        .map_err(|error| error.to_string())?;
    Ok(Install {
        program,
        before: vec!["--library-path".into(), libraries, server.into()],
        places: vec![
            place("--basedir=", &root.join("usr")),
            place("--lc-messages-dir=", &root.join("usr/share/mysql")),
            place("--plugin-dir=", &root.join("usr/lib/mysql/plugin")),
        ],
        maker,
        origin: format!("packages ({version})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mariadb_by_the_name_of_mysqld_does_not_hide_mysql() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        for folder in [&first, &second] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(first.join("mariadbd"), "").unwrap();
        std::os::unix::fs::symlink("mariadbd", first.join("mysqld")).unwrap();
        assert_eq!(find_mysqld(std::slice::from_ref(&first)), None);
        let folders = [first, second];
        std::fs::write(folders[1].join("mysqld"), "").unwrap();
        assert_eq!(find_mysqld(&folders), Some(folders[1].join("mysqld")));
        assert!(find_mariadbd(&folders).unwrap_err().contains("mariadb-install-db"));
        std::fs::write(folders[0].join("mariadb-install-db"), "").unwrap();
        let install = find_mariadbd(&folders).unwrap();
        assert_eq!(install.program, folders[0].join("mariadbd"));
        assert_eq!(install.maker.flavor(), Flavor::MariaDb);
    }
}
