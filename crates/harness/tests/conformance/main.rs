//! The Silver engine by the conformance cases, and in random histories beside a naive model.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use medallion_harness::conformance::case::{Case, Outcome, Step, read_all};
use medallion_harness::conformance::engine::{Ended, Engine, InProcess, Job};
use medallion_harness::conformance::{Score, score, scoreboard};
use medallion_harness::failure::HarnessError;
use medallion_harness::model::{self, ModelOptions};

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/conformance")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_passes_every_case() {
    let engine = InProcess;
    let scored = score(&engine, &cases(), None, 2).await.unwrap();
    assert!(scored.len() >= 90, "only {} cases were found", scored.len());
    let passed = scored.iter().all(|s| s.score == Score::Pass);
    assert!(passed, "{}", scoreboard(&engine.name(), &scored));
}

/// The rules of Silver, as cases name them.
const RULES: [&str; 11] = [
    "order",
    "consolidation",
    "exactly-once",
    "balance",
    "late-files",
    "reload",
    "quality",
    "schema",
    "format",
    "privacy",
    "bad-input",
];

#[test]
fn every_rule_and_every_failure_of_other_systems_has_a_case() {
    let cases = read_all(&cases(), None).unwrap();
    let covered: BTreeSet<&str> =
        cases.iter().flat_map(|case| &case.covers).map(String::as_str).collect();
    let systems = (1..=13).map(|number| format!("systems:{number}"));
    for wanted in RULES.map(str::to_owned).into_iter().chain(systems) {
        assert!(covered.contains(wanted.as_str()), "`{wanted}` has no case");
    }
}

#[test]
fn cases_state_what_they_are_about() {
    let refused =
        |step: &Step| step.expect.outcome != Outcome::Committed && !step.expect.names.is_empty();
    let about = |case: &Case, what: &str| case.covers.iter().any(|covered| covered == what);
    for case in read_all(&cases(), None).unwrap() {
        let states = |says: &dyn Fn(&Step) -> bool| case.step.iter().any(says);
        let missing = [
            ("balance", states(&|step| step.expect.balance.is_some())),
            ("privacy", states(&|step| !step.expect.secret.is_empty())),
            ("bad-input", states(&refused)),
            ("systems:12", states(&|step| step.fault.is_some())),
        ];
        for (what, stated) in missing {
            assert!(stated || !about(&case, what), "{}: nothing about `{what}`", case.name);
        }
    }
}

/// An engine that says that all is well, and does nothing.
struct Idle;

#[async_trait]
impl Engine for Idle {
    fn name(&self) -> String {
        "idle".to_owned()
    }

    fn provides(&self, _: &str) -> bool {
        true
    }

    async fn run(&self, _: &Job<'_>) -> Result<Ended, HarnessError> {
        Ok(Ended::Done { printed: String::new() })
    }

    async fn maintain(&self, _: &Job<'_>) -> Result<Ended, HarnessError> {
        Ok(Ended::Done { printed: String::new() })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_does_nothing_passes_no_case() {
    for scored in score(&Idle, &cases(), None, 2).await.unwrap() {
        assert!(matches!(scored.score, Score::Fail(_)), "{} passes", scored.case.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_end_as_the_model_says() {
    // More on demand: MEDALLION_ROUNDS=200.
    let histories = std::env::var("MEDALLION_ROUNDS").map_or(10, |n| n.parse().unwrap());
    let options =
        ModelOptions { histories, seed: 1, jobs: 2, only_new: false, without: Vec::new() };
    assert_eq!(model::run(&options).await.unwrap(), []);
}
