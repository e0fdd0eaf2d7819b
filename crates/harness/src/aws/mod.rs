//! Local AWS endpoints that speak the real wire protocols on loopback: Amazon S3, AWS Glue
//! and AWS DMS.
//!
//! They are targets like any other: a client is pointed at them by endpoint and credentials alone.
//! Signatures are verified, and what AWS refuses is refused with AWS's error codes.

pub mod dms;
pub mod faults;
pub mod glue;
mod listener;
pub mod s3;
mod signature;
