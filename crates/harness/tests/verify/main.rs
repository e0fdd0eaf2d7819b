//! Verification of Silver: a healthy table verifies after whatever happened to it, and a table that
//! is broken in some way is found to be broken in exactly that way.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod broken;
mod healthy;
mod lake;
mod lost;
mod source;
