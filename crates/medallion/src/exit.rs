//! Exit codes, the same for every command.

/// Done.
pub const OK: u8 = 0;
/// The command line cannot be understood (clap's own code).
pub const USAGE: u8 = 2;
/// Findings in the definition, or a difference where there should be none.
pub const FINDINGS: u8 = 3;
/// It may work when run again; nothing was lost.
pub const RETRYABLE: u8 = 4;
/// Somebody has to repair or decide something first.
pub const OPERATOR: u8 = 5;
/// A defect of the program (EX_SOFTWARE of sysexits.h).
pub const BUG: u8 = 70;
/// Nobody reads standard output any more; the code of a program that SIGPIPE ended.
pub const CLOSED: u8 = 141;
