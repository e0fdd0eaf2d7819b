//! No program outlives whoever holds its supervisor's pipe.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use medallion_harness::process::{Program, StderrTail, Supervised};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

use crate::supervisor;

/// A shell script that runs with `$1` naming a file to note process ids in.
fn shell(folder: &Path, script: &str, grace: Duration) -> Program {
    let notes = folder.join("notes");
    Program {
        program: "sh".into(),
        args: vec!["-c".into(), script.into(), "sh".into(), notes.into()],
        env: Vec::new(),
        log_file: folder.join("log"),
        directory: None,
        stderr: StderrTail::Keep,
        grace,
    }
}

fn spawn(program: &Program) -> Supervised {
    Supervised::spawn(&supervisor(), program).unwrap()
}

/// Polls for at most ten seconds.
async fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within ten seconds");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The process ids that a script noted, once there are `count` of them.
async fn noted(folder: &Path, count: usize) -> Vec<Pid> {
    let notes: PathBuf = folder.join("notes");
    until("process ids", || {
        let text = std::fs::read_to_string(&notes).ok()?;
        let complete = text.ends_with('\n') && text.lines().count() == count;
        let pid = |line: &str| Pid::from_raw(line.parse().unwrap()).unwrap();
        complete.then(|| text.lines().map(pid).collect())
    })
    .await
}

async fn gone(pid: Pid) {
    until("the end of a process", || test_kill_process(pid).is_err().then_some(())).await;
}

#[tokio::test]
async fn a_program_ends_when_its_pipe_is_dropped() {
    let folder = TempDir::new().unwrap();
    let script = "echo $$ >> $1; exec sleep 60";
    let running = spawn(&shell(folder.path(), script, Duration::from_secs(5)));
    let pid = noted(folder.path(), 1).await[0];
    test_kill_process(pid).unwrap();
    drop(running);
    gone(pid).await;
}

#[tokio::test]
async fn a_program_ends_when_the_holder_of_the_pipe_is_killed() {
    let folder = TempDir::new().unwrap();
    let mut holder = Command::new("sleep").arg("60").stdout(Stdio::piped()).spawn().unwrap();
    let mut supervised = Command::new(supervisor())
        .args(["supervise", "5000", "sh", "-c", "echo $$ >> $1; exec sleep 60", "sh"])
        .arg(folder.path().join("notes"))
        .stdin(Stdio::from(holder.stdout.take().unwrap()))
        .spawn()
        .unwrap();
    let pid = noted(folder.path(), 1).await[0];
    test_kill_process(pid).unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    gone(pid).await;
    supervised.wait().unwrap();
}

#[tokio::test]
async fn descendants_of_a_program_end_with_it() {
    let folder = TempDir::new().unwrap();
    let script = "sleep 60 & echo $! >> $1; sleep 60 & echo $! >> $1; wait";
    let mut running = spawn(&shell(folder.path(), script, Duration::ZERO));
    let pids = noted(folder.path(), 2).await;
    running.stop().await.unwrap();
    for pid in pids {
        gone(pid).await;
    }
}

#[tokio::test]
async fn what_a_program_leaves_behind_ends_with_it() {
    let folder = TempDir::new().unwrap();
    let mut running =
        spawn(&shell(folder.path(), "sleep 60 & echo $! >> $1", Duration::from_secs(5)));
    assert!(running.wait().await.unwrap().success());
    gone(noted(folder.path(), 1).await[0]).await;
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed_after_its_grace() {
    let folder = TempDir::new().unwrap();
    let script = "trap '' TERM; echo $$ >> $1; while :; do sleep 0.05; done";
    let mut running = spawn(&shell(folder.path(), script, Duration::from_millis(300)));
    let pid = noted(folder.path(), 1).await[0];
    let begun = Instant::now();
    assert_eq!(running.stop().await.unwrap().code, 128 + 9);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    gone(pid).await;
}

#[tokio::test]
async fn a_program_may_end_in_order_within_its_grace() {
    let folder = TempDir::new().unwrap();
    let script = "trap 'exit 5' TERM; echo $$ >> $1; while :; do sleep 0.05; done";
    let mut running = spawn(&shell(folder.path(), script, Duration::from_secs(20)));
    noted(folder.path(), 1).await;
    assert_eq!(running.stop().await.unwrap().code, 5);
}

#[tokio::test]
async fn an_interrupt_does_not_end_the_program_but_a_termination_does() {
    let folder = TempDir::new().unwrap();
    let script = "echo $PPID >> $1; echo $$ >> $1; exec sleep 60";
    let mut running = spawn(&shell(folder.path(), script, Duration::from_secs(5)));
    let pids = noted(folder.path(), 2).await;
    kill_process(pids[0], Signal::INT).unwrap();
    kill_process(pids[0], Signal::HUP).unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), running.wait()).await;
    assert!(early.is_err(), "the program lives on");
    test_kill_process(pids[1]).unwrap();
    kill_process(pids[0], Signal::TERM).unwrap();
    assert_eq!(running.wait().await.unwrap().code, 128 + 15);
    gone(pids[1]).await;
}

#[tokio::test]
async fn the_exit_code_the_log_and_the_end_of_standard_error_are_kept() {
    let folder = TempDir::new().unwrap();
    let script = "echo out; echo error >&2; exit 7";
    let mut running = spawn(&shell(folder.path(), script, Duration::ZERO));
    assert_eq!(running.wait().await.unwrap().code, 7);
    assert_eq!(running.stderr_tail(), "error");
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("out\n") && log.contains("error\n"), "{log}");
}

#[tokio::test]
async fn a_program_that_does_not_exist_shows_as_code_127() {
    let folder = TempDir::new().unwrap();
    let mut program = shell(folder.path(), "", Duration::ZERO);
    program.program = "/nowhere/to/be/found".into();
    let mut running = spawn(&program);
    assert_eq!(running.wait().await.unwrap().code, 127);
    assert!(running.stderr_tail().contains("/nowhere/to/be/found"));
}
