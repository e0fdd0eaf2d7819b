//! The supervisor's side: runs in a process of its own.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use testcontainers::bollard;
use testcontainers::bollard::query_parameters::RemoveContainerOptionsBuilder;
use tokio::signal::unix::{Signal as Listening, SignalKind, signal};
use tokio::task::spawn_blocking;

/// Name of the subcommand that runs [`supervise_main`].
pub const SUPERVISE: &str = "supervise";

/// Exit code when the program could not be supervised at all, as a shell's "not found".
const CANNOT_RUN: u8 = 127;
/// Added to a signal's number when it ended the program, as shells do.
const SIGNALLED: i32 = 128;
/// First argument when it is a container that is kept.
pub(super) const CONTAINER: &str = "container";
/// Tries to remove a container.
const TRIES: u32 = 5;

/// Why a program could not be supervised; always the caller's affair, never worth a retry.
#[derive(Debug, thiserror::Error)]
enum SuperviseError {
    #[error("expected `<grace in milliseconds> <program> [arguments]` or `container <id>`")]
    Usage,
    #[error("cannot start `{program}`")]
    Start { program: String, source: io::Error },
    #[error("cannot watch what is supervised")]
    Watch { source: io::Error },
    #[error("the container `{id}` could not be removed within {TRIES} tries")]
    Container { id: String, source: bollard::errors::Error },
}

enum Order {
    Program { grace: Duration, program: OsString, arguments: Vec<OsString> },
    Container { id: String },
}

/// Runs a program until it ends, standard input is closed, or SIGTERM arrives.
///
/// `arguments` follow the subcommand: `<grace in milliseconds> <program> [arguments]`, or
/// `container <id>` to remove a container when standard input is closed. When
/// the program has to end, its process group gets SIGTERM and, after the grace, SIGKILL; a grace
/// of zero means SIGKILL at once. SIGINT and SIGHUP are ignored: they reach whole process groups,
/// and the end of the harness shows on standard input. What the program leaves in its process
/// group is killed. The exit code is the program's, 128 + n when signal n ended it, 127 when
/// it could not be started.
pub fn supervise_main<I, A>(arguments: I) -> ExitCode
where
    I: IntoIterator<Item = A>,
    A: Into<OsString>,
{
    let outcome = parse(arguments.into_iter().map(Into::into)).and_then(run);
    match outcome {
        Ok(status) => exit_code(status),
        Err(error) => {
            let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            eprintln!("{SUPERVISE}: {error}{cause}");
            ExitCode::from(CANNOT_RUN)
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Order, SuperviseError> {
    let first = arguments.next().and_then(|text| text.into_string().ok());
    let first = first.ok_or(SuperviseError::Usage)?;
    let second = arguments.next().ok_or(SuperviseError::Usage)?;
    if first == CONTAINER {
        let id = second.into_string().map_err(|_| SuperviseError::Usage)?;
        return Ok(Order::Container { id });
    }
    let grace = first.parse().map_err(|_| SuperviseError::Usage)?;
    let grace = Duration::from_millis(grace);
    Ok(Order::Program { grace, program: second, arguments: arguments.collect() })
}

fn run(order: Order) -> Result<ExitStatus, SuperviseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| SuperviseError::Watch { source })?;
    let status = runtime.block_on(async {
        match order {
            Order::Program { grace, program, arguments } => {
                supervise(grace, Command::new(program).args(arguments)).await
            }
            Order::Container { id } => keep_container(&id).await,
        }
    });
    // The thread that reads standard input may still be waiting for its end.
    runtime.shutdown_background();
    status
}

/// SIGTERM; SIGINT and SIGHUP have handlers that nobody listens to, which ignores them here but
/// not in the program.
struct Signals {
    terminate: Listening,
    _interrupt: Listening,
    _hangup: Listening,
}

impl Signals {
    fn watch() -> Result<Self, SuperviseError> {
        let watch = |kind| signal(kind).map_err(|source| SuperviseError::Watch { source });
        Ok(Self {
            terminate: watch(SignalKind::terminate())?,
            _interrupt: watch(SignalKind::interrupt())?,
            _hangup: watch(SignalKind::hangup())?,
        })
    }
}

async fn supervise(grace: Duration, program: &mut Command) -> Result<ExitStatus, SuperviseError> {
    let mut signals = Signals::watch()?;
    let mut child = program.stdin(Stdio::null()).process_group(0).spawn().map_err(|source| {
        let program = program.get_program().to_string_lossy().into_owned();
        SuperviseError::Start { program, source }
    })?;
    let group = Pid::from_child(&child);
    let mut ended = spawn_blocking(move || wait_without_reaping(group));
    let mut closed = spawn_blocking(read_to_end_of_input);
    tokio::select! {
        _ = &mut ended => return reap(&mut child, group),
        _ = &mut closed => {}
        _ = signals.terminate.recv() => {}
    }
    let mut in_time = false;
    if !grace.is_zero() {
        end(group, Signal::TERM);
        in_time = tokio::time::timeout(grace, &mut ended).await.is_ok();
    }
    if !in_time {
        end(group, Signal::KILL);
        drop(ended.await);
    }
    reap(&mut child, group)
}

/// Waits for the end of standard input, then removes the container with its volumes.
async fn keep_container(id: &str) -> Result<ExitStatus, SuperviseError> {
    let mut signals = Signals::watch()?;
    let mut closed = spawn_blocking(read_to_end_of_input);
    tokio::select! {
        _ = &mut closed => {}
        _ = signals.terminate.recv() => {}
    }
    let mut tries = 0;
    loop {
        tries += 1;
        match remove_container(id).await {
            Ok(()) => return Ok(ExitStatus::default()),
            Err(source) if tries == TRIES => {
                return Err(SuperviseError::Container { id: id.to_owned(), source });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }
}

async fn remove_container(id: &str) -> Result<(), bollard::errors::Error> {
    let engine = bollard::Docker::connect_with_defaults()?;
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match engine.remove_container(id, Some(options)).await {
        // Gone, or on its way: somebody else removes it too.
        Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 404 | 409, ..
        }) => Ok(()),
        outcome => outcome,
    }
}

/// Blocks until the program has ended but leaves it as a zombie, so that its id stays its own.
fn wait_without_reaping(program: Pid) {
    loop {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(program), options) {
            Err(rustix::io::Errno::INTR) => {}
            // Any other error means that there is nothing left to wait for.
            Ok(_) | Err(_) => return,
        }
    }
}

fn read_to_end_of_input() {
    let mut buffer = [0; 256];
    let mut input = io::stdin().lock();
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Signals the program's group. The program is not reaped yet, so the id cannot be another's.
fn end(group: Pid, signal: Signal) {
    // The group may be empty already.
    let _ = kill_process_group(group, signal);
}

fn reap(child: &mut Child, group: Pid) -> Result<ExitStatus, SuperviseError> {
    end(group, Signal::KILL);
    child.wait().map_err(|source| SuperviseError::Watch { source })
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => SIGNALLED + signal,
        (None, None) => i32::from(CANNOT_RUN),
    };
    ExitCode::from(u8::try_from(code).unwrap_or(CANNOT_RUN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Order, SuperviseError> {
        parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn the_order_is_read_with_the_programs_own_options_untouched() {
        let order = parsed(&["250", "mysqld", "--", "--port=1"]).unwrap();
        let Order::Program { grace, program, arguments } = order else { panic!("a program") };
        assert_eq!((grace, program), (Duration::from_millis(250), "mysqld".into()));
        assert_eq!(arguments, ["--", "--port=1"]);
        let order = parsed(&["container", "1d1f"]).unwrap();
        assert!(matches!(order, Order::Container { id } if id == "1d1f"));
    }

    #[test]
    fn an_incomplete_order_is_refused() {
        for arguments in [&[][..], &["1"], &["x", "p"], &["-1", "p"], &["container"]] {
            assert!(parsed(arguments).is_err(), "{arguments:?}");
        }
    }
}
