//! A virtual environment with what the boto3 script needs; made once and kept.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::OnceCell;

/// Set to `1` where Python's packages cannot be had, to leave the boto3 tests out.
const SKIP: &str = "MEDALLION_SKIP_BOTO3";

/// The folder of the script and of the list of what it needs.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/dms_client").join(name)
}

/// The folder of stacks below cargo's target folder.
pub(crate) fn cache() -> PathBuf {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_medallion-harness"));
    binary.ancestors().nth(2).unwrap().join("stack")
}

/// The interpreter, or `None` when the tests are to be left out.
pub(crate) async fn interpreter() -> Option<&'static Path> {
    static MADE: OnceCell<PathBuf> = OnceCell::const_new();
    if std::env::var(SKIP).is_ok_and(|value| value == "1") {
        eprintln!("SKIPPED: {SKIP}=1 leaves out the test that drives the DMS endpoint with boto3");
        return None;
    }
    Some(MADE.get_or_init(make).await)
}

async fn make() -> PathBuf {
    let folder = cache().join("dms_client");
    let python = folder.join("bin/python");
    let requirements = fixture("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).unwrap();
    let installed = folder.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return python;
    }
    std::fs::create_dir_all(cache()).unwrap();
    run(Path::new("python3"), &[Path::new("-m"), Path::new("venv"), &folder]).await;
    let arguments = ["-m", "pip", "install", "--quiet", "--requirement"].map(Path::new);
    run(&python, &[&arguments[..], &[requirements.as_path()]].concat()).await;
    std::fs::write(&installed, wanted).unwrap();
    python
}

async fn run(program: &Path, arguments: &[&Path]) {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await;
    let hint = format!(
        "hint: this test needs python3 with venv, and PyPI; {SKIP}=1 leaves it out, which is no \
         pass"
    );
    let output = output.unwrap_or_else(|error| panic!("{}: {error}\n{hint}", program.display()));
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        panic!("{}: {}\n{hint}", program.display(), String::from_utf8_lossy(&said).trim());
    }
}
