//! The state of one replication, be it a task or serverless: which starts and stops are legal,
//! how it stands, why it ended.
//!
//! Source: AWS DMS API reference, `ReplicationTask` (status, StopReason) and
//! `StartReplicationTask`.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::mpsc::UnboundedSender;

use super::error::DmsError;
use super::mappings::SourceTable;
use super::statistics::{LoadState, TableCounts};
use super::task_wire::{MigrationType, RunStatistics, StartType};
use super::wire::Timestamp;

/// Where a replication stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Never started.
    Idle,
    Starting(Stage),
    Running,
    Stopping,
    Stopped,
    Failed,
}

/// What a start is at; only serverless replications show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Initializing,
    TestingConnection,
    FetchingMetadata,
    ReplicationStarting,
}

/// Why a replication ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopReason {
    Normal,
    FullLoadOnlyFinished,
    FatalError,
    RecoverableError,
}

impl StopReason {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Normal => "Stop Reason NORMAL",
            Self::FullLoadOnlyFinished => "Stop Reason FULL_LOAD_ONLY_FINISHED",
            Self::FatalError => "Stop Reason FATAL_ERROR",
            Self::RecoverableError => "Stop Reason RECOVERABLE_ERROR",
        }
    }
}

/// What a running replication is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    Stop,
    Reload(Vec<SourceTable>),
}

/// How a start begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Begin {
    /// Nothing of an earlier run counts; CDC alone begins at the position, or now.
    Anew(Option<String>),
    /// After the checkpoint.
    Resume,
    /// Every table is loaded again.
    Reload,
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) reason: StopReason,
    /// The error's chain; set with the error reasons.
    pub(super) failure: Option<String>,
}

/// One replication.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) state: State,
    pub(super) stop_reason: Option<StopReason>,
    pub(super) failure: Option<String>,
    pub(super) start_type: Option<StartType>,
    pub(super) checkpoint: Option<String>,
    pub(super) tables: BTreeMap<SourceTable, TableCounts>,
    /// Tables whose reload was asked for and has not begun.
    pub(super) to_reload: BTreeSet<SourceTable>,
    pub(super) stopped: Option<Timestamp>,
    pub(super) started: Option<Timestamp>,
    fresh: Option<Timestamp>,
    control: Option<UnboundedSender<Control>>,
}

impl Execution {
    pub(super) fn new() -> Self {
        Self {
            state: State::Idle,
            stop_reason: None,
            failure: None,
            start_type: None,
            checkpoint: None,
            tables: BTreeMap::new(),
            to_reload: BTreeSet::new(),
            stopped: None,
            started: None,
            fresh: None,
            control: None,
        }
    }

    /// True while a run is under way.
    pub(super) fn is_active(&self) -> bool {
        match self.state {
            State::Starting(_) | State::Running | State::Stopping => true,
            State::Idle | State::Stopped | State::Failed => false,
        }
    }

    /// Whether this start is legal, and how it begins. `restorable` tells that a checkpoint of an
    /// earlier life of the replication is there.
    ///
    /// # Errors
    /// The start type does not fit the state or the kind of replication.
    pub(super) fn check_start(
        &self,
        start: StartType,
        migration: MigrationType,
        position: Option<&str>,
        restorable: bool,
    ) -> Result<Begin, DmsError> {
        if self.is_active() {
            return Err(DmsError::state(
                "Replication Task cannot be started: it is currently running or changing its state",
            ));
        }
        if position.is_some() && migration != MigrationType::Cdc {
            return Err(DmsError::combination(
                "CdcStartPosition is valid for tasks with migration type cdc only",
            ));
        }
        let ran = self.state != State::Idle || restorable;
        match start {
            StartType::StartReplication => {
                if self.state != State::Idle && migration != MigrationType::Cdc {
                    return Err(DmsError::combination(
                        "Start Type : START_REPLICATION, valid only for tasks running for the \
                         first time",
                    ));
                }
                Ok(Begin::Anew(position.map(str::to_owned)))
            }
            _ if position.is_some() => {
                Err(DmsError::combination("CdcStartPosition is valid with start-replication only"))
            }
            StartType::ResumeProcessing if ran => Ok(Begin::Resume),
            StartType::ReloadTarget if migration == MigrationType::Cdc => {
                Err(DmsError::combination(
                    "Start Type : RELOAD_TARGET, not valid for tasks with migration type cdc",
                ))
            }
            StartType::ReloadTarget if ran => Ok(Begin::Reload),
            StartType::ResumeProcessing | StartType::ReloadTarget => Err(DmsError::combination(
                "Start Type : only START_REPLICATION is valid for tasks running for the first time",
            )),
        }
    }

    /// Enters a start that was checked.
    pub(super) fn start(
        &mut self,
        start: StartType,
        begin: &Begin,
        control: UnboundedSender<Control>,
    ) {
        let now = Timestamp::now();
        self.state = State::Starting(Stage::Initializing);
        self.stop_reason = None;
        self.failure = None;
        self.start_type = Some(start);
        self.control = Some(control);
        self.started = Some(now);
        self.stopped = None;
        if *begin != Begin::Resume {
            self.fresh = Some(now);
            self.tables.clear();
            self.checkpoint = None;
        }
    }

    /// # Errors
    /// The replication does not run.
    pub(super) fn stop(&mut self) -> Result<(), DmsError> {
        match (self.state, &self.control) {
            (State::Starting(_) | State::Running, Some(control)) => {
                self.state = State::Stopping;
                // A run that just ended enters its end by itself.
                drop(control.send(Control::Stop));
                Ok(())
            }
            _ => Err(DmsError::state("Replication Task is not running and cannot be stopped")),
        }
    }

    /// # Errors
    /// The replication does not run, or does not replicate one of the tables.
    pub(super) fn reload(&mut self, tables: Vec<SourceTable>) -> Result<(), DmsError> {
        let (State::Running, Some(control)) = (self.state, &self.control) else {
            return Err(DmsError::state("Tables can be reloaded only while the task is running"));
        };
        if let Some(unknown) = tables.iter().find(|table| !self.tables.contains_key(table)) {
            return Err(DmsError::NotFound(format!("Table {unknown} is not part of the task")));
        }
        for table in &tables {
            if let Some(counts) = self.tables.get_mut(table) {
                counts.state = LoadState::Reloading;
                counts.reloaded = true;
            }
        }
        self.to_reload.extend(tables.iter().cloned());
        drop(control.send(Control::Reload(tables)));
        Ok(())
    }

    /// Enters the end of a run.
    pub(super) fn finish(&mut self, end: End) {
        self.state = if end.failure.is_some() { State::Failed } else { State::Stopped };
        self.stop_reason = Some(end.reason);
        self.failure = end.failure.map(|chain| {
            let reason = end.reason.text();
            format!("Last Error {chain} {reason} Error Level FATAL")
        });
        self.stopped = Some(Timestamp::now());
        self.control = None;
        self.to_reload.clear();
    }

    /// Over all tables; none before the first start.
    pub(super) fn statistics(&self) -> Option<RunStatistics> {
        let started = self.started?;
        let count = |wanted: fn(LoadState) -> bool| {
            self.tables.values().filter(|counts| wanted(counts.state)).count() as u64
        };
        let loaded = count(|state| state == LoadState::Completed);
        let total = self.tables.len() as u64;
        Some(RunStatistics {
            full_load_progress_percent: (loaded * 100).checked_div(total).unwrap_or(0),
            elapsed_time_millis: self.stopped.unwrap_or_else(Timestamp::now).millis_since(started),
            tables_loaded: loaded,
            tables_loading: count(|it| matches!(it, LoadState::Loading | LoadState::Reloading)),
            tables_queued: count(|state| state == LoadState::Before),
            tables_errored: 0,
            fresh_start_date: self.fresh,
            start_date: self.started,
            stop_date: self.stopped,
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    const ALL: [MigrationType; 3] =
        [MigrationType::FullLoad, MigrationType::Cdc, MigrationType::FullLoadAndCdc];

    fn in_state(state: State) -> Execution {
        Execution { state, ..Execution::new() }
    }

    fn code<T: std::fmt::Debug>(outcome: Result<T, DmsError>) -> &'static str {
        outcome.unwrap_err().code()
    }

    #[test]
    fn the_first_start_is_start_replication_unless_a_checkpoint_is_left() {
        let idle = in_state(State::Idle);
        for migration in ALL {
            let begin = idle.check_start(StartType::StartReplication, migration, None, true);
            assert_eq!(begin.unwrap(), Begin::Anew(None));
            let resume = idle.check_start(StartType::ResumeProcessing, migration, None, false);
            assert_eq!(code(resume), "InvalidParameterCombinationException");
            let resume = idle.check_start(StartType::ResumeProcessing, migration, None, true);
            assert_eq!(resume.unwrap(), Begin::Resume);
        }
    }

    #[test]
    fn later_starts_resume_or_reload_and_only_cdc_begins_anew() {
        for state in [State::Stopped, State::Failed] {
            let ended = in_state(state);
            for migration in ALL {
                let check = |start| ended.check_start(start, migration, None, false);
                assert_eq!(check(StartType::ResumeProcessing).unwrap(), Begin::Resume);
                let (anew, reload) =
                    (check(StartType::StartReplication), check(StartType::ReloadTarget));
                if migration == MigrationType::Cdc {
                    assert_eq!(anew.unwrap(), Begin::Anew(None));
                    assert_eq!(code(reload), "InvalidParameterCombinationException");
                } else {
                    assert_eq!(code(anew), "InvalidParameterCombinationException");
                    assert_eq!(reload.unwrap(), Begin::Reload);
                }
            }
        }
    }

    #[test]
    fn nothing_starts_what_is_active_and_nothing_stops_what_is_not() {
        for state in [State::Starting(Stage::Initializing), State::Running, State::Stopping] {
            let active = in_state(state);
            let start = active.check_start(StartType::ResumeProcessing, ALL[2], None, false);
            assert_eq!(code(start), "InvalidResourceStateFault");
        }
        for state in [State::Idle, State::Stopping, State::Stopped, State::Failed] {
            assert_eq!(code(in_state(state).stop()), "InvalidResourceStateFault");
            assert_eq!(code(in_state(state).reload(vec![])), "InvalidResourceStateFault");
        }
    }

    #[test]
    fn a_start_position_is_for_a_fresh_start_of_cdc_alone() {
        let idle = in_state(State::Idle);
        let position = Some("binlog.000001:4");
        let begin = idle.check_start(StartType::StartReplication, ALL[1], position, false);
        assert_eq!(begin.unwrap(), Begin::Anew(position.map(str::to_owned)));
        for (start, migration) in
            [(StartType::StartReplication, ALL[2]), (StartType::ResumeProcessing, ALL[1])]
        {
            let refused = idle.check_start(start, migration, position, true);
            assert_eq!(code(refused), "InvalidParameterCombinationException");
        }
    }

    #[test]
    fn a_run_goes_from_starting_to_its_end() {
        let (sender, mut receiver) = unbounded_channel();
        let mut execution = Execution::new();
        execution.start(StartType::StartReplication, &Begin::Anew(None), sender);
        assert!(execution.is_active());
        execution.state = State::Running;
        execution.stop().unwrap();
        assert_eq!((execution.state, receiver.try_recv()), (State::Stopping, Ok(Control::Stop)));
        execution.finish(End { reason: StopReason::Normal, failure: None });
        assert_eq!(execution.state, State::Stopped);
        let failure = Some("the chain".to_owned());
        execution.finish(End { reason: StopReason::FatalError, failure });
        assert_eq!(execution.state, State::Failed);
        let message = "Last Error the chain Stop Reason FATAL_ERROR Error Level FATAL";
        assert_eq!(execution.failure.as_deref(), Some(message));
    }
}
