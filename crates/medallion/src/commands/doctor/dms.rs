//! A live DMS replication: what `Describe…` shows of it, judged like any other documents.

use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_databasemigration::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_databasemigration::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_databasemigration::types::Filter;
use medallion_definition::contract::TableContract;
use medallion_ingestion::dms::lint::{DmsDocuments, DmsFinding, lint};
use serde_json::Value;

/// Why DMS could not be asked about a replication.
#[derive(Debug, thiserror::Error)]
pub enum DmsError {
    /// Neither a task nor a configuration (operator).
    #[error(
        "`{0}` is no ARN of a DMS task (`arn:…:task:…`) or serverless configuration \
         (`arn:…:replication-config:…`)"
    )]
    Arn(String),
    /// DMS refused (operator), or could not be reached (retry).
    #[error("DMS does not answer {call} for `{arn}`{}", code.as_ref().map(|c| format!(": {c}")).unwrap_or_default())]
    Call {
        /// The call.
        call: &'static str,
        /// What was asked about.
        arn: String,
        /// The error code of DMS; `None` when it was not reached.
        code: Option<String>,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// DMS knows nothing of this ARN (operator).
    #[error("DMS knows no `{0}` in this account and Region")]
    Unknown(String),
    /// An answer of another form than documented (bug).
    #[error("the answer to {call} for `{arn}` has no `{key}`")]
    Answer {
        /// The call.
        call: &'static str,
        /// What was asked about.
        arn: String,
        /// What is missing.
        key: &'static str,
    },
}

/// Fetches a replication with its endpoints and judges them.
pub(super) async fn judge(
    config: &SdkConfig,
    arn: &str,
    contracts: &[TableContract],
) -> Result<Vec<DmsFinding>, DmsError> {
    let dms = Dms { client: Client::new(config) };
    let replication = dms.replication(arn).await?;
    let endpoint = async |key: &'static str| {
        let Some(arn) = replication.get(key).and_then(Value::as_str) else {
            return Err(DmsError::Answer { call: "the replication", arn: arn.to_owned(), key });
        };
        dms.endpoint(arn).await
    };
    let instance = match replication.get("ReplicationInstanceArn").and_then(Value::as_str) {
        Some(arn) => Some(dms.instance(arn).await?),
        None => None,
    };
    let documents = DmsDocuments {
        source_endpoint: endpoint("SourceEndpointArn").await?,
        target_endpoint: endpoint("TargetEndpointArn").await?,
        instance,
        replication,
        subnet_group: None,
        start: None,
        // The server itself has been looked at already.
        server: None,
    };
    Ok(lint(&documents, contracts))
}

struct Dms {
    client: Client,
}

/// The body of an answer as DMS sent it: the SDK's types have no JSON form of their own.
#[derive(Clone, Debug, Default)]
struct Body(Arc<Mutex<Vec<u8>>>);

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "answer as JSON"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // By now the SDK has read the whole body.
        let bytes = context.response().body().bytes().unwrap_or_default().to_vec();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
        Ok(())
    }
}

impl Body {
    /// The one element of a list in the answer.
    fn element(&self, call: &'static str, arn: &str, key: &'static str) -> Result<Value, DmsError> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match answer.get(key).and_then(Value::as_array).map(Vec::as_slice) {
            None => Err(DmsError::Answer { call, arn: arn.to_owned(), key }),
            Some([]) => Err(DmsError::Unknown(arn.to_owned())),
            Some([first, ..]) => Ok(first.clone()),
        }
    }
}

fn filter(name: &str, arn: &str) -> Option<Filter> {
    Filter::builder().name(name).values(arn).build().ok()
}

fn failed<E>(call: &'static str, arn: &str, error: SdkError<E>) -> DmsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let code = error.code().map(str::to_owned);
    let arn = arn.to_owned();
    // DMS answers a filter without a match in this way.
    if code.as_deref() == Some("ResourceNotFoundFault") {
        return DmsError::Unknown(arn);
    }
    DmsError::Call { call, arn, code, source: error.into() }
}

impl Dms {
    async fn replication(&self, arn: &str) -> Result<Value, DmsError> {
        let body = Body::default();
        if arn.contains(":task:") {
            const CALL: &str = "DescribeReplicationTasks";
            let request = self.client.describe_replication_tasks().without_settings(false);
            let request =
                request.set_filters(filter("replication-task-arn", arn).map(|filter| vec![filter]));
            let sent = request.customize().interceptor(body.clone()).send().await;
            sent.map_err(|error| failed(CALL, arn, error))?;
            body.element(CALL, arn, "ReplicationTasks")
        } else if arn.contains(":replication-config:") {
            const CALL: &str = "DescribeReplicationConfigs";
            let request = self
                .client
                .describe_replication_configs()
                .set_filters(filter("replication-config-arn", arn).map(|filter| vec![filter]));
            let sent = request.customize().interceptor(body.clone()).send().await;
            sent.map_err(|error| failed(CALL, arn, error))?;
            body.element(CALL, arn, "ReplicationConfigs")
        } else {
            Err(DmsError::Arn(arn.to_owned()))
        }
    }

    async fn endpoint(&self, arn: &str) -> Result<Value, DmsError> {
        const CALL: &str = "DescribeEndpoints";
        let body = Body::default();
        let request = self.client.describe_endpoints();
        let request = request.set_filters(filter("endpoint-arn", arn).map(|filter| vec![filter]));
        let sent = request.customize().interceptor(body.clone()).send().await;
        sent.map_err(|error| failed(CALL, arn, error))?;
        body.element(CALL, arn, "Endpoints")
    }

    async fn instance(&self, arn: &str) -> Result<Value, DmsError> {
        const CALL: &str = "DescribeReplicationInstances";
        let body = Body::default();
        let request = self.client.describe_replication_instances();
        let request =
            request.set_filters(filter("replication-instance-arn", arn).map(|filter| vec![filter]));
        let sent = request.customize().interceptor(body.clone()).send().await;
        sent.map_err(|error| failed(CALL, arn, error))?;
        body.element(CALL, arn, "ReplicationInstances")
    }
}

#[cfg(test)]
#[path = "dms_tests.rs"]
mod tests;
