//! What a run is to do: everything that endpoints, mappings and settings say, checked.

use super::mappings::Mappings;
use super::settings::TaskSettings;
use super::source::Login;
use super::target::Target;
use super::task_wire::MigrationType;

/// A replication as a task or a replication config defines it.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The identifier; the checkpoint goes by it.
    pub(super) name: String,
    pub(super) login: Login,
    pub(super) target: Target,
    pub(super) mappings: Mappings,
    pub(super) settings: TaskSettings,
    pub(super) migration: MigrationType,
}
