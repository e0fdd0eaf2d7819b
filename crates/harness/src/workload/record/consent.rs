use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Record, Table, date_time, nullable};
use crate::workload::identity::pick;
use crate::workload::literal::{bytes, text};

/// The members of `channel`.
pub(crate) const CHANNELS: [&str; 5] = ["email", "sms", "whatsapp", "phone", "post"];
/// Some purposes.
pub(crate) const PURPOSES: [&str; 4] = ["marketing", "billing", "research", "partner_offers"];

/// A valid consent with this key.
pub(crate) fn consent(rng: &mut ChaCha8Rng, customer: u64, channel: &str, purpose: &str) -> Record {
    let sources = ["web", " App ", "STORE", "call_center", "n/a", ""];
    let agents = ["Mozilla/5.0 (X11; Linux x86_64)", "", "okhttp/4.12 \"teste\" 📱"];
    let ip: [u8; 16] = rng.random();
    let length = if rng.random_bool(0.5) { 4 } else { 16 };
    Record {
        table: Table::Consents,
        values: vec![
            ("customer_id", customer.to_string()),
            ("channel", text(channel)),
            ("purpose", text(purpose)),
            ("granted", rng.random_range(0..2).to_string()),
            ("granted_at", nullable(rng, 10, |r| date_time(r, 2018, 2023, 3))),
            // Some before the answer: a warning.
            ("revoked_at", nullable(rng, 75, |r| date_time(r, 2022, 2025, 3))),
            ("source", nullable(rng, 10, |r| text(pick(r, &sources)))),
            ("ip", nullable(rng, 30, |_| bytes(&ip[..length]))),
            ("user_agent", nullable(rng, 40, |r| text(pick(r, &agents)))),
            ("updated_at", date_time(rng, 2020, 2025, 6)),
        ],
    }
}
