//! The flow as a value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use medallion_definition::name::{ModelName, TableId};

/// How often a job that failed in a retryable way is started again before it is given up.
pub const RETRIES: u32 = 3;

/// A unit of work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Job {
    /// Merge what is new in Bronze into the Silver table.
    Silver(TableId),
    /// Build and publish the Gold model.
    Gold(ModelName),
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Job::Silver(table) => write!(f, "silver {table}"),
            Job::Gold(model) => write!(f, "gold {model}"),
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A Bronze object of this table was created.
    Arrived(TableId),
    /// The scheduled sweep: every table is looked at, whatever events were lost.
    Sweep,
    /// A job that was started has ended well.
    Succeeded(Job),
    /// A job that was started has failed.
    Failed {
        /// The job.
        job: Job,
        /// Whether running it again may help.
        retryable: bool,
        /// Why it failed.
        reason: String,
    },
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the job; its end comes back as an event.
    Start(Job),
    /// The job was given up; somebody has to look.
    Alarm {
        /// The job.
        job: Job,
        /// Why it failed the last time.
        reason: String,
    },
}

/// The state of one job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// There is, or may be, something to do.
    dirty: bool,
    running: bool,
    /// Failures since the last success.
    failures: u32,
    /// Given up, until something new arrives for it or a sweep comes.
    broken: bool,
}

/// The flow of one lake.
#[derive(Clone, Debug)]
pub struct Flow {
    jobs: BTreeMap<Job, State>,
    /// The jobs whose result a job reads.
    inputs: BTreeMap<Job, BTreeSet<Job>>,
}

impl Flow {
    /// A flow over these tables, and models with the jobs whose results they read.
    pub fn new(
        tables: impl IntoIterator<Item = TableId>,
        models: impl IntoIterator<Item = (ModelName, BTreeSet<Job>)>,
    ) -> Flow {
        let mut flow = Flow { jobs: BTreeMap::new(), inputs: BTreeMap::new() };
        for table in tables {
            flow.jobs.insert(Job::Silver(table), State::default());
        }
        for (model, inputs) in models {
            flow.jobs.insert(Job::Gold(model.clone()), State::default());
            flow.inputs.insert(Job::Gold(model), inputs);
        }
        flow
    }

    /// Takes in one event and says what to do. Events about jobs that the lake does not have are
    /// ignored: they are hints.
    pub fn handle(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Arrived(table) => self.touch(&Job::Silver(table)),
            Event::Sweep => {
                let all: Vec<Job> = self.jobs.keys().cloned().collect();
                for job in &all {
                    self.touch(job);
                }
            }
            Event::Succeeded(job) => self.succeeded(&job),
            Event::Failed { job, retryable, reason } => {
                actions.extend(self.failed(&job, retryable, reason));
            }
        }
        actions.extend(self.start_ready());
        actions
    }

    /// True when nothing runs and nothing that could run waits.
    pub fn idle(&self) -> bool {
        self.jobs.values().all(|s| !s.running) && self.ready().is_empty()
    }

    /// The jobs that were given up.
    pub fn broken(&self) -> Vec<&Job> {
        self.jobs.iter().filter(|(_, s)| s.broken).map(|(job, _)| job).collect()
    }

    fn touch(&mut self, job: &Job) {
        if let Some(state) = self.jobs.get_mut(job) {
            state.dirty = true;
            if state.broken {
                state.broken = false;
                state.failures = 0;
            }
        }
    }

    fn succeeded(&mut self, job: &Job) {
        let Some(state) = self.jobs.get_mut(job) else { return };
        state.running = false;
        state.failures = 0;
        let readers: Vec<Job> = self
            .inputs
            .iter()
            .filter(|(_, inputs)| inputs.contains(job))
            .map(|(reader, _)| reader.clone())
            .collect();
        for reader in readers {
            self.touch(&reader);
        }
    }

    fn failed(&mut self, job: &Job, retryable: bool, reason: String) -> Option<Action> {
        let state = self.jobs.get_mut(job)?;
        state.running = false;
        state.failures += 1;
        if retryable && state.failures <= RETRIES {
            state.dirty = true;
            return None;
        }
        // What arrived while the job ran may be the repair: then it is looked at again.
        state.broken = !state.dirty;
        state.failures = 0;
        Some(Action::Alarm { job: job.clone(), reason })
    }

    /// True when the result of the job is final for now: neither it nor anything it reads, however
    /// far up, waits, runs or is broken. Models do not read each other in circles.
    fn settled(&self, job: &Job) -> bool {
        let quiet = self.jobs.get(job).is_none_or(|s| !s.dirty && !s.running && !s.broken);
        quiet && self.inputs_settled(job)
    }

    fn inputs_settled(&self, job: &Job) -> bool {
        self.inputs.get(job).is_none_or(|inputs| inputs.iter().all(|input| self.settled(input)))
    }

    fn ready(&self) -> Vec<Job> {
        let may_start = |job: &Job, state: &State| {
            state.dirty && !state.running && !state.broken && self.inputs_settled(job)
        };
        self.jobs.iter().filter(|(job, s)| may_start(job, s)).map(|(job, _)| job.clone()).collect()
    }

    fn start_ready(&mut self) -> Vec<Action> {
        let ready = self.ready();
        for job in &ready {
            if let Some(state) = self.jobs.get_mut(job) {
                state.dirty = false;
                state.running = true;
            }
        }
        ready.into_iter().map(Action::Start).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silver(name: &str) -> Job {
        Job::Silver(format!("crm.{name}").parse().unwrap())
    }

    fn gold(name: &str) -> Job {
        Job::Gold(name.parse().unwrap())
    }

    fn flow() -> Flow {
        let tables = ["a", "b"].map(|t| format!("crm.{t}").parse().unwrap());
        let models = [
            ("of_a".parse().unwrap(), BTreeSet::from([silver("a")])),
            ("of_b".parse().unwrap(), BTreeSet::from([silver("b")])),
            ("of_both".parse().unwrap(), BTreeSet::from([silver("b"), gold("of_a")])),
        ];
        Flow::new(tables, models)
    }

    fn arrived(name: &str) -> Event {
        Event::Arrived(format!("crm.{name}").parse().unwrap())
    }

    #[test]
    fn a_burst_of_files_starts_one_run_and_what_comes_meanwhile_one_more() {
        let mut flow = flow();
        assert_eq!(flow.handle(arrived("b")), [Action::Start(silver("b"))]);
        assert_eq!(flow.handle(arrived("b")), []);
        assert_eq!(flow.handle(arrived("b")), []);
        assert_eq!(flow.handle(Event::Succeeded(silver("b"))), [Action::Start(silver("b"))]);
        let readers = [Action::Start(gold("of_b")), Action::Start(gold("of_both"))];
        assert_eq!(flow.handle(Event::Succeeded(silver("b"))), readers);
    }

    #[test]
    fn a_model_waits_for_the_models_it_reads() {
        let mut flow = flow();
        flow.handle(arrived("a"));
        flow.handle(arrived("b"));
        assert_eq!(flow.handle(Event::Succeeded(silver("b"))), [Action::Start(gold("of_b"))]);
        assert_eq!(flow.handle(Event::Succeeded(gold("of_b"))), []);
        assert_eq!(flow.handle(Event::Succeeded(silver("a"))), [Action::Start(gold("of_a"))]);
        assert_eq!(flow.handle(Event::Succeeded(gold("of_a"))), [Action::Start(gold("of_both"))]);
        assert!(!flow.idle());
        assert_eq!(flow.handle(Event::Succeeded(gold("of_both"))), []);
        assert!(flow.idle());
    }

    #[test]
    fn a_broken_table_stops_what_reads_it_and_nothing_else() {
        let mut flow = flow();
        flow.handle(arrived("a"));
        flow.handle(arrived("b"));
        let fatal =
            Event::Failed { job: silver("a"), retryable: false, reason: "bad file".to_owned() };
        let alarm = Action::Alarm { job: silver("a"), reason: "bad file".to_owned() };
        assert_eq!(flow.handle(fatal), [alarm]);
        assert_eq!(flow.handle(Event::Succeeded(silver("b"))), [Action::Start(gold("of_b"))]);
        assert_eq!(flow.broken(), [&silver("a")]);
        assert_eq!(flow.handle(arrived("a")), [Action::Start(silver("a"))]);
    }

    #[test]
    fn what_arrives_while_a_job_fails_for_good_is_looked_at() {
        let mut flow = flow();
        flow.handle(arrived("a"));
        assert_eq!(flow.handle(arrived("a")), []);
        let fatal = Event::Failed { job: silver("a"), retryable: false, reason: String::new() };
        let alarm = Action::Alarm { job: silver("a"), reason: String::new() };
        assert_eq!(flow.handle(fatal), [alarm, Action::Start(silver("a"))]);
        assert!(flow.broken().is_empty());
    }

    #[test]
    fn arrivals_do_not_keep_a_failing_job_alive_for_ever() {
        let mut flow = flow();
        flow.handle(arrived("b"));
        let failure =
            || Event::Failed { job: silver("b"), retryable: true, reason: "throttled".to_owned() };
        let mut alarms = 0;
        for _ in 0..3 * (RETRIES + 1) {
            flow.handle(arrived("b"));
            let actions = flow.handle(failure());
            alarms += actions.iter().filter(|a| matches!(a, Action::Alarm { .. })).count();
        }
        assert_eq!(alarms, 3);
    }

    #[test]
    fn a_retryable_failure_is_tried_again_and_then_given_up() {
        let mut flow = flow();
        flow.handle(arrived("b"));
        let failure =
            || Event::Failed { job: silver("b"), retryable: true, reason: "throttled".to_owned() };
        for _ in 0..RETRIES {
            assert_eq!(flow.handle(failure()), [Action::Start(silver("b"))]);
        }
        assert!(matches!(flow.handle(failure())[..], [Action::Alarm { .. }]));
        assert!(flow.idle());
    }

    /// Jobs end in every order that a small generator finds; whatever the order, when all is
    /// quiet every table was run after its last arrival, and every model after its inputs.
    #[test]
    fn nothing_is_forgotten_under_any_interleaving() {
        for seed in 0..5_000_u64 {
            interleaving(seed);
        }
    }

    fn next(state: &mut u64) -> u64 {
        *state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *state >> 33
    }

    fn interleaving(seed: u64) {
        let mut random = seed;
        let mut flow = flow();
        let (mut clock, mut started, mut ended) = (0_u64, BTreeMap::new(), BTreeMap::new());
        let mut running: Vec<Job> = Vec::new();
        let mut last_arrival = BTreeMap::new();
        for step in 0..200 {
            clock += 1;
            let arrive = step < 40 && next(&mut random).is_multiple_of(2);
            let event = if arrive {
                let table = ["a", "b"][(next(&mut random) % 2) as usize];
                last_arrival.insert(silver(table), clock);
                arrived(table)
            } else if running.is_empty() {
                continue;
            } else {
                let job = running.swap_remove(next(&mut random) as usize % running.len());
                ended.insert(job.clone(), clock);
                match next(&mut random) % 8 {
                    0 => Event::Failed { job, retryable: true, reason: String::new() },
                    _ => Event::Succeeded(job),
                }
            };
            for action in flow.handle(event) {
                if let Action::Start(job) = action {
                    assert!(!running.contains(&job), "seed {seed}: two runs of {job}");
                    started.insert(job.clone(), clock);
                    running.push(job);
                }
            }
        }
        assert!(flow.idle(), "seed {seed}");
        if !flow.broken().is_empty() {
            return;
        }
        for (table, arrival) in &last_arrival {
            assert!(started[table] >= *arrival, "seed {seed}: {table} was forgotten");
        }
        for (model, inputs) in &flow.inputs {
            for input in inputs.iter().filter(|i| ended.contains_key(*i)) {
                assert!(started[model] >= ended[input], "seed {seed}: {model} is behind {input}");
            }
        }
    }
}
