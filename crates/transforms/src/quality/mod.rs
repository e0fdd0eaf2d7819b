//! Quality: normalisers, checks and row rules of a contract, vectorised over Arrow arrays.
//!
//! Values are normalised first, then checked one by one, then row rules judge whole rows. Nothing
//! here drops a row: a batch comes back whole, with the ids of the rules that each row failed.

mod bounds;
mod check;
mod document;
mod email;
mod error;
mod failures;
mod normalise;
mod phone;
mod place;
mod plan;
mod row_rule;

pub use check::{CompiledCheck, check};
pub use document::{is_cnpj, is_cpf};
pub use error::QualityError;
pub use normalise::normalise;
pub use phone::{is_phone_br, phone_br};
pub use plan::{QualityOutcome, QualityPlan};
