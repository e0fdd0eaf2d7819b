//! The AWS that a command talks to. Endpoints and credentials come from the standard AWS
//! environment (`AWS_CONFIG_FILE`, `AWS_ENDPOINT_URL_S3`, profiles, roles); nothing here knows
//! whether that is AWS or a local stack. An endpoint that is an IP address is addressed path-style
//! by the SDK itself.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use medallion_definition::environment::Environment;
use medallion_tables::warehouse::Warehouse;

/// The SDK configuration of an environment: its Region, the rest from the AWS environment.
pub async fn sdk_config(environment: &Environment) -> SdkConfig {
    let region = Region::new(environment.region.clone());
    aws_config::defaults(BehaviorVersion::latest()).region(region).load().await
}

/// The lake's bucket, files and catalog.
pub fn warehouse(config: &SdkConfig, environment: &Environment) -> Warehouse {
    let (s3, glue) = (aws_sdk_s3::Client::new(config), aws_sdk_glue::Client::new(config));
    Warehouse::new(s3, glue, environment.bucket.clone())
}
