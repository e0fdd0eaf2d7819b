//! Jobs with failing requests, and jobs that die at one. Which request it is, is drawn among as
//! many as the last job made that nothing disturbed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::task::Poll;
use std::time::Duration;

use medallion_transforms::error::Advice;
use rand::Rng;

use super::live::Life;
use crate::aws::faults::{
    FAULT_ANY_REFUSED, FAULT_ANY_REPLY_LOST, FAULT_CREATE_TABLE_REFUSED,
    FAULT_CREATE_TABLE_REPLY_LOST, FAULT_DELETE_REFUSED, FAULT_DELETE_REPLY_LOST,
    FAULT_GET_REFUSED, FAULT_GET_TABLE_REFUSED, FAULT_HEAD_REFUSED, FAULT_LIST_REFUSED,
    FAULT_PUT_REFUSED, FAULT_PUT_REPLY_LOST, FAULT_UPDATE_TABLE_REFUSED,
    FAULT_UPDATE_TABLE_REPLY_LOST, Fault, FaultCount, FaultPlan, Faults,
};
use crate::small_lake::{Endpoints, Repetition};

/// The faults that may strike a run. Those of making tables stand there twice, since a history
/// makes its tables only once.
const FAULTS: [Fault; 16] = [
    FAULT_UPDATE_TABLE_REFUSED,
    FAULT_UPDATE_TABLE_REPLY_LOST,
    FAULT_CREATE_TABLE_REFUSED,
    FAULT_CREATE_TABLE_REFUSED,
    FAULT_CREATE_TABLE_REPLY_LOST,
    FAULT_CREATE_TABLE_REPLY_LOST,
    FAULT_GET_TABLE_REFUSED,
    FAULT_PUT_REFUSED,
    FAULT_PUT_REPLY_LOST,
    FAULT_GET_REFUSED,
    FAULT_HEAD_REFUSED,
    FAULT_LIST_REFUSED,
    FAULT_DELETE_REFUSED,
    FAULT_DELETE_REPLY_LOST,
    FAULT_ANY_REFUSED,
    FAULT_ANY_REPLY_LOST,
];
/// Requests to S3 and to Glue that are taken for those of a run before there was one; at most half
/// of them are of one operation.
const OF_A_RUN: [u64; 2] = [30, 6];
/// The fewest requests among which one is drawn.
const FEWEST: u64 = 3;

/// How a job ended: whether it was refused, and whose turn it is then.
pub(super) type JobOutcome = Result<(), (Advice, String)>;

/// The requests of a job to S3 and to Glue, by operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked([BTreeMap<String, u64>; 2]);

impl Asked {
    /// All requests that came so far.
    pub(super) fn so_far(endpoints: &Endpoints) -> Asked {
        Asked(endpoints.faults().map(Faults::requests))
    }

    /// Those that came since.
    pub(super) fn until_now(self, endpoints: &Endpoints) -> Asked {
        let mut since = Asked::so_far(endpoints);
        for (endpoint, before) in self.0.iter().enumerate() {
            for (operation, times) in before {
                if let Some(now) = since.0[endpoint].get_mut(operation) {
                    *now -= times;
                }
            }
            since.0[endpoint].retain(|_, times| *times > 0);
        }
        since
    }

    /// By operation; the two endpoints have none in common.
    pub(super) fn by_operation(&self) -> BTreeMap<String, u64> {
        self.0.iter().flatten().map(|(operation, times)| (operation.clone(), *times)).collect()
    }

    /// All of an endpoint.
    pub(super) fn of_endpoint(&self, endpoint: usize) -> u64 {
        self.0[endpoint].values().sum()
    }

    /// Those that a fault may strike there.
    fn strikable(&self, endpoint: usize, fault: Fault) -> u64 {
        if fault.strikes_all() {
            return self.of_endpoint(endpoint);
        }
        self.0[endpoint].get(fault.operation()).copied().unwrap_or_default()
    }
}

/// So many requests pass before one is struck: fewer than these.
pub(super) fn passing(requests: u64) -> Range<u32> {
    0..u32::try_from(requests.max(FEWEST)).unwrap_or(u32::MAX)
}

/// The fault of which jobs die.
pub(super) fn deadly(lost: bool) -> Fault {
    if lost { FAULT_ANY_REPLY_LOST } else { FAULT_ANY_REFUSED }
}

/// Waits for a fault to strike. It is seen no later than by what waits for the struck request.
pub(super) async fn struck(count: &FaultCount) {
    let mut clock = tokio::time::interval(Duration::from_millis(1));
    std::future::poll_fn(|context| {
        while clock.poll_tick(context).is_ready() {}
        if count.struck() > 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Life<'_> {
    /// A job that nothing disturbs.
    pub(super) async fn undisturbed_job(&mut self) -> JobOutcome {
        let before = Asked::so_far(self.lake.endpoints());
        let outcome = self.job(Repetition::Quick, false).await;
        self.asked = before.until_now(self.lake.endpoints());
        self.lived.asked(&self.asked.by_operation());
        outcome
    }

    /// A job of which a request or two fail.
    pub(super) async fn faulty_job(&mut self) -> JobOutcome {
        let fault = FAULTS[self.rng.random_range(0..FAULTS.len())];
        let endpoint = match fault.strikes_all() {
            true => self.rng.random_range(0..2),
            false => usize::from(fault.name().starts_with("glue-")),
        };
        let among = match (self.ran(), fault.strikes_all()) {
            (true, _) => self.asked.strikable(endpoint, fault),
            (false, true) => OF_A_RUN[endpoint],
            (false, false) => OF_A_RUN[endpoint] / 2,
        };
        let after = self.rng.random_range(passing(among));
        let times = self.rng.random_range(1..3);
        let faults = self.lake.endpoints().faults()[endpoint];
        let count = faults.install(FaultPlan::new(fault).after(after).times(times));
        let repetition =
            if self.rng.random_bool(0.5) { Repetition::Off } else { Repetition::Quick };
        let outcome = self.job(repetition, true).await;
        self.lived.note(fault, &count, false);
        outcome
    }

    /// A job that is dropped when one of its requests has been refused or done.
    pub(super) async fn dying_job(&mut self) -> JobOutcome {
        let fault = deadly(self.rng.random_bool(0.6));
        let endpoint = self.rng.random_range(0..2);
        let among = match self.ran() {
            true => self.asked.of_endpoint(endpoint),
            false => OF_A_RUN[endpoint],
        };
        let after = self.rng.random_range(passing(among));
        let faults = self.lake.endpoints().faults()[endpoint];
        let count = faults.install(FaultPlan::new(fault).after(after).times(1));
        let ended = tokio::select! {
            biased;
            () = struck(&count) => None,
            outcome = self.job(Repetition::Off, true) => Some(outcome),
        };
        self.lived.note(fault, &count, ended.is_none());
        ended.unwrap_or(Ok(()))
    }

    /// Whether there was an undisturbed job, so that it is known how much one asks for.
    fn ran(&self) -> bool {
        (0..2).any(|endpoint| self.asked.of_endpoint(endpoint) > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_drawn_among_those_that_a_fault_may_strike() {
        let of = |operation: &str, times| BTreeMap::from([(operation.to_owned(), times)]);
        let asked = Asked([of("GetObject", 7), of("GetTable", 5)]);
        assert_eq!(asked.strikable(0, FAULT_GET_REFUSED), 7);
        assert_eq!(asked.strikable(0, FAULT_PUT_REFUSED), 0);
        assert_eq!(asked.strikable(1, FAULT_ANY_REFUSED), 5);
        assert_eq!(passing(7), 0..7);
        assert_eq!(passing(0), 0..3);
        let by_operation = asked.by_operation();
        assert_eq!(by_operation.into_values().sum::<u64>(), 12);
    }
}
