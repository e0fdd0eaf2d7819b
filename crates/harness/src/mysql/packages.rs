//! MySQL and MariaDB from the distribution's packages, unpacked without root.
//!
//! Apt runs with a state of its own, so that neither root nor the machine's package lists are
//! needed; what it downloads is verified with the distribution's keyring. The packages come with
//! their whole dependency closure, the C library included, and run through its loader: they may
//! be newer than the machine.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::install::{Install, unpacked};
use super::{Flavor, MySqlRequest, one_line};
use crate::process::{Program, StderrTail, Supervised};

/// Where Debian is when the machine's own sources do not tell.
const DEBIAN_MIRROR: &str = "http://deb.debian.org/debian";
/// Keys that Debian signs with.
const DEBIAN_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Dependencies of scripts around the server, which are not run.
const NOT_NEEDED: [&str; 3] = ["perl", "libperl", "libgdbm"];
/// A folder without this file was not unpacked to its end.
const MARKER: &str = "unpacked";
/// Prefix of folders that are being unpacked.
const UNFINISHED: &str = ".unfinished-";
/// An unfinished folder this old has no owner any more.
const ABANDONED: Duration = Duration::from_secs(3600);
/// How long one call of apt or dpkg may take.
const CALL_LIMIT: Duration = Duration::from_secs(600);
/// Tries of a download.
const TRIES: u32 = 3;

type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Where a server's packages are.
struct Wanted {
    /// The folder below the cache.
    folder: &'static str,
    /// Debian's suite; `None` for the machine's own release.
    debian_suite: Option<&'static str>,
    /// Packages that hold the server, best first.
    candidates: &'static [&'static str],
}

/// Debian's stable releases carry no MySQL, but every one has a MariaDB.
fn wanted(flavor: Flavor) -> Wanted {
    match flavor {
        Flavor::MySql => Wanted {
            folder: "mysql",
            debian_suite: Some("sid"),
            candidates: &["mysql-server-core", "mysql-server-core-8.4", "mysql-server-core-8.0"],
        },
        Flavor::MariaDb => Wanted {
            folder: "mariadb",
            debian_suite: None,
            candidates: &["mariadb-server-core", "mariadb-server-core-10.11"],
        },
    }
}

/// The unpacked packages, from the cache or fresh.
pub(super) async fn provide(
    request: &MySqlRequest,
    progress: Progress<'_>,
) -> Result<Install, String> {
    let flavor = request.flavor;
    let parent = request.cache_dir.join(wanted(flavor).folder);
    let parent = std::path::absolute(parent).map_err(|error| one_line(&error))?;
    let root = parent.join("root");
    if let Ok(version) = std::fs::read_to_string(root.join(MARKER)) {
        return unpacked(&root, version.trim(), flavor);
    }
    let shown = |error: std::io::Error| format!("`{}`: {}", parent.display(), one_line(&error));
    std::fs::create_dir_all(&parent).map_err(shown)?;
    remove_abandoned(&parent);
    let folder = TempDir::with_prefix_in(UNFINISHED, &parent).map_err(shown)?;
    let apt = Apt::prepare(folder.path(), request).map_err(shown)?;
    let fresh = folder.path().join("root");
    let version = apt.fetch_and_unpack(&fresh, progress).await?;
    std::fs::write(fresh.join(MARKER), format!("{version}\n")).map_err(shown)?;
    if let Err(error) = std::fs::rename(&fresh, &root) {
        // Another run may have been first; what it unpacked serves as well.
        if !root.join(MARKER).is_file() {
            return Err(shown(error));
        }
    }
    unpacked(&root, &version, flavor)
}

/// Removes what runs that were killed left behind.
fn remove_abandoned(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|time| SystemTime::now().duration_since(time).ok());
        if unfinished && age.is_some_and(|age| age > ABANDONED) {
            // What cannot be removed is in nobody's way.
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

/// Apt with a state of its own below a folder.
struct Apt<'a> {
    supervisor: &'a Path,
    wanted: Wanted,
    folder: &'a Path,
    options: Vec<OsString>,
    calls: AtomicU32,
}

impl<'a> Apt<'a> {
    fn prepare(folder: &'a Path, request: &'a MySqlRequest) -> std::io::Result<Self> {
        for below in ["lists/partial", "cache/archives/partial", "packages", "root"] {
            std::fs::create_dir_all(folder.join(below))?;
        }
        std::fs::write(folder.join("status"), "")?;
        let mut options: Vec<OsString> = Vec::new();
        let mut set = |name: &str, value: &Path| {
            let mut text = OsString::from(name);
            text.push("=");
            text.push(value);
            options.extend(["-o".into(), text]);
        };
        set("Dir::State::Lists", &folder.join("lists"));
        set("Dir::State::status", &folder.join("status"));
        set("Dir::Cache", &folder.join("cache"));
        set("Acquire::Languages", Path::new("none"));
        set("Acquire::Retries", Path::new("3"));
        set("Acquire::http::Timeout", Path::new("30"));
        set("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", Path::new("false"));
        set("Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled", Path::new("false"));
        if !is_ubuntu() {
            let list = folder.join("sources.list");
            set("Dir::Etc::sourcelist", &list);
            set("Dir::Etc::sourceparts", Path::new("/dev/null"));
        }
        let supervisor = &request.supervisor;
        let wanted = wanted(request.flavor);
        Ok(Self { supervisor, wanted, folder, options, calls: AtomicU32::new(0) })
    }

    /// Unpacks the server with its closure below `root` and tells its version.
    async fn fetch_and_unpack(
        &self,
        root: &Path,
        progress: Progress<'_>,
    ) -> Result<String, String> {
        if !is_ubuntu() {
            self.write_debian_source().await?;
        }
        progress("reading the distribution's package lists");
        self.retry("apt-get", &["update"]).await?;
        let (package, version) = self.candidate().await?;
        let closure = self.closure(package).await?;
        progress(&format!("downloading {package} {version} ({} packages)", closure.len()));
        let mut download = vec!["download"];
        download.extend(closure.iter().map(String::as_str));
        self.retry("apt-get", &download).await?;
        progress("unpacking");
        for file in self.downloaded().map_err(|error| one_line(&error))? {
            let arguments = ["-x".into(), file.into(), root.into()];
            self.call("dpkg-deb", &arguments).await?;
        }
        Ok(version)
    }

    async fn write_debian_source(&self) -> Result<(), String> {
        if !Path::new(DEBIAN_KEYRING).is_file() {
            return Err(format!("`{DEBIAN_KEYRING}` is missing: not a Debian or Ubuntu machine"));
        }
        // The machine's own sources know the mirror; its own options are used for this call.
        let format = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"];
        let known = self.call("apt-get", &format.map(OsString::from)).await.unwrap_or_default();
        let own = known.lines().map(|line| line.trim_end_matches('/'));
        let mirror = own.into_iter().find(|uri| uri.ends_with("/debian")).unwrap_or(DEBIAN_MIRROR);
        let own = release("VERSION_CODENAME=").unwrap_or_else(|| "stable".to_owned());
        let suite = self.wanted.debian_suite.unwrap_or(&own);
        let line = format!("deb [signed-by={DEBIAN_KEYRING}] {mirror} {suite} main\n");
        std::fs::write(self.folder.join("sources.list"), line).map_err(|error| one_line(&error))
    }

    async fn candidate(&self) -> Result<(&'static str, String), String> {
        for package in self.wanted.candidates {
            let shown = self.apt("apt-cache", &["policy", package]).await?;
            let version = shown.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
            if let Some(version) = version.filter(|version| *version != "(none)") {
                return Ok((package, version.to_owned()));
            }
        }
        Err(format!("the distribution has none of {}", self.wanted.candidates.join(", ")))
    }

    async fn closure(&self, package: &str) -> Result<BTreeSet<String>, String> {
        let mut arguments = vec!["depends", "--recurse"];
        arguments.extend(["--no-recommends", "--no-suggests", "--no-enhances"]);
        arguments.extend(["--no-conflicts", "--no-breaks", "--no-replaces", package]);
        Ok(parse_closure(&self.apt("apt-cache", &arguments).await?))
    }

    fn downloaded(&self) -> std::io::Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(self.folder.join("packages"))?;
        let paths: Result<Vec<_>, _> = entries.map(|entry| Ok(entry?.path())).collect();
        paths.map(|paths| {
            paths
                .into_iter()
                .filter(|path| path.extension().is_some_and(|it| it == "deb"))
                .collect()
        })
    }

    async fn retry(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let mut last = String::new();
        for attempt in 1..=TRIES {
            match self.apt(program, arguments).await {
                Ok(_) => return Ok(()),
                Err(reason) => last = reason,
            }
            if attempt < TRIES {
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
        Err(format!("{last} (tried {TRIES} times)"))
    }

    /// Calls apt with its private state.
    async fn apt(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let own = arguments.iter().map(OsString::from);
        self.call(program, &self.options.iter().cloned().chain(own).collect::<Vec<_>>()).await
    }

    /// Calls a program in the folder for packages and gives its output.
    async fn call(&self, program: &str, arguments: &[OsString]) -> Result<String, String> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let log_file = self.folder.join(format!("call-{number}.log"));
        let order = Program {
            program: program.into(),
            args: arguments.to_vec(),
            env: vec![("LC_ALL".into(), "C.UTF-8".into())],
            log_file: log_file.clone(),
            directory: Some(self.folder.join("packages")),
            stderr: StderrTail::Keep,
            grace: Duration::from_secs(2),
        };
        let mut running =
            Supervised::spawn(self.supervisor, &order).map_err(|error| one_line(&error))?;
        let exit = match tokio::time::timeout(CALL_LIMIT, running.wait()).await {
            Ok(exit) => exit.map_err(|error| one_line(&error))?,
            Err(_) => return Err(format!("`{program}` took more than {CALL_LIMIT:?}")),
        };
        if exit.success() {
            return std::fs::read_to_string(log_file).map_err(|error| one_line(&error));
        }
        let tail = running.stderr_tail();
        let error = tail.lines().find(|line| line.starts_with("E: ") || line.starts_with("Err:"));
        let shown = error.or_else(|| tail.lines().last()).unwrap_or("no output");
        Err(format!("`{program}` ended with code {}: {shown}", exit.code))
    }
}

fn is_ubuntu() -> bool {
    release("ID=").as_deref() == Some("ubuntu")
}

/// What the machine's distribution says of itself.
fn release(field: &str) -> Option<String> {
    let release = std::fs::read_to_string("/etc/os-release").ok()?;
    let value = release.lines().find_map(|line| line.strip_prefix(field))?;
    Some(value.trim_matches('"').to_owned())
}

/// The packages named at the start of a line by `apt-cache depends --recurse`; virtual ones stand
/// in angle brackets.
fn parse_closure(shown: &str) -> BTreeSet<String> {
    let names = shown.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphanumeric()));
    let native = names.filter(|name| !name.contains([':', ' ']));
    let needed = native.filter(|name| !NOT_NEEDED.iter().any(|other| name.starts_with(other)));
    needed.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closure_is_the_real_packages_without_those_of_scripts() {
        let shown = "mysql-server-core\n  Depends: perl\n |Depends: libaio1t64\n  Depends: libc6\n\
            libc6\n  Depends: libgcc-s1\nlibgcc-s1\nperl\nlibperl5.42\nlibgdbm6t64\n<debconf-2.0>\n\
            W: a warning of apt\n";
        let closure: Vec<_> = parse_closure(shown).into_iter().collect();
        assert_eq!(closure, ["libc6", "libgcc-s1", "mysql-server-core"]);
    }
}
