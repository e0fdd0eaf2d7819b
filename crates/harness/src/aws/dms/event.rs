//! The state-change events that DMS sends to EventBridge.
//!
//! Source: AWS DMS guide, "Working with Amazon EventBridge events". DMS sends no event per file
//! or batch.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// What happened to a replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The task or replication config was created.
    Created,
    /// It runs, from a fresh start.
    Started,
    /// It runs, from where it stopped.
    Resumed,
    /// It runs, and loads every table again.
    Reloading,
    /// It stopped, asked to or finished.
    Stopped,
    /// It failed.
    Failed,
    /// It was deleted.
    Deleted,
}

impl Change {
    /// Event id, category, end of the event type, message.
    fn texts(self) -> (&'static str, &'static str, &'static str, &'static str) {
        let started = ("DMS-EVENT-0069", "StateChange", "STARTED");
        let (id, category, word) = match self {
            Self::Created => ("DMS-EVENT-0074", "Creation", "CREATED"),
            Self::Started | Self::Resumed | Self::Reloading => started,
            Self::Stopped => ("DMS-EVENT-0079", "StateChange", "STOPPED"),
            Self::Failed => ("DMS-EVENT-0078", "Failure", "FAILED"),
            Self::Deleted => ("DMS-EVENT-0073", "Deletion", "DELETED"),
        };
        let message = match self {
            Self::Created => "The replication task has been created.",
            Self::Started => "Replication task started, with flag = fresh start",
            Self::Resumed => "Replication task started, with flag = resume",
            Self::Reloading => "Replication task started, with flag = reload",
            Self::Stopped => "Replication task stopped",
            Self::Failed => "Replication task has failed.",
            Self::Deleted => "The replication task has been deleted.",
        };
        (id, category, word, message)
    }
}

/// A task or a serverless replication changed its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// The event's own id (UUID).
    pub id: String,
    /// The account, 12 digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// When it happened; the event shows whole seconds.
    pub time: DateTime<Utc>,
    /// The ARN of the task or of the replication config.
    pub arn: String,
    /// True for a replication config.
    pub serverless: bool,
    /// What happened.
    pub change: Change,
}

impl StateChange {
    /// The event's body as EventBridge delivers it.
    pub fn body(&self) -> Value {
        let (id, category, word, message) = self.change.texts();
        let mut detail = json!({
            "type": if self.serverless { "REPLICATION" } else { "REPLICATION_TASK" },
            "category": category,
            "detailMessage": message,
        });
        if self.serverless {
            // The guide gives no ids for these.
            detail["eventType"] = json!(format!("REPLICATION_{word}"));
        } else {
            detail["eventType"] = json!(format!("REPLICATION_TASK_{word}"));
            detail["eventId"] = json!(id);
        }
        let kind = if self.serverless { "Replication" } else { "Replication Task" };
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": format!("DMS {kind} State Change"),
            "source": "aws.dms",
            "account": self.account,
            "time": self.time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": self.region,
            "resources": [self.arn],
            "detail": detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_body_is_the_documented_one() {
        let event = StateChange {
            id: "b94e5298-aa49-6d29-012a-a72f40e7dc1a".into(),
            account: "111122223333".into(),
            region: "sa-east-1".into(),
            time: DateTime::parse_from_rfc3339("2023-08-22T02:58:34.5Z").unwrap().to_utc(),
            arn: "arn:aws:dms:sa-east-1:111122223333:task:CRM".into(),
            serverless: false,
            change: Change::Stopped,
        };
        let expected = json!({
            "version": "0",
            "id": "b94e5298-aa49-6d29-012a-a72f40e7dc1a",
            "detail-type": "DMS Replication Task State Change",
            "source": "aws.dms",
            "account": "111122223333",
            "time": "2023-08-22T02:58:34Z",
            "region": "sa-east-1",
            "resources": ["arn:aws:dms:sa-east-1:111122223333:task:CRM"],
            "detail": {
                "eventId": "DMS-EVENT-0079",
                "eventType": "REPLICATION_TASK_STOPPED",
                "detailMessage": "Replication task stopped",
                "type": "REPLICATION_TASK",
                "category": "StateChange"
            }
        });
        assert_eq!(event.body(), expected);
        let serverless = StateChange { serverless: true, change: Change::Failed, ..event }.body();
        assert_eq!(serverless["detail-type"], "DMS Replication State Change");
        assert_eq!(serverless["detail"]["eventType"], "REPLICATION_FAILED");
    }
}
