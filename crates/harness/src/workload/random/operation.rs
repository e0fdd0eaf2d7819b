use rand::Rng;

use super::Generator;
use crate::workload::live::Belongings;
use crate::workload::record::{
    CHANNELS, PURPOSES, Record, Table, address, consent, customer, insert_all,
};

impl Generator {
    /// One change of a random kind; where nothing lives, a customer comes in.
    pub(super) fn operation(&mut self) -> Vec<String> {
        let Some(id) = self.live.any(&mut self.rng) else { return self.new_customers() };
        match self.rng.random_range(0..100) {
            0..14 => self.new_customers(),
            14..40 => self.update_customer(id),
            40..43 => self.update_to_the_same(id),
            43..46 => self.update_many(),
            46..53 => self.delete_customer(id),
            53..57 => self.reinsert_customer(id),
            57..63 => self.rekey_customer(id),
            63..65 => self.rekey_twice(id),
            65..80 => self.change_address(id),
            _ => self.change_consent(id),
        }
    }

    fn new_customers(&mut self) -> Vec<String> {
        let count = if self.rng.random_bool(0.2) { self.rng.random_range(2..6) } else { 1 };
        let mut customers = Vec::new();
        let (mut addresses, mut consents) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let id = self.live.fresh_id(&mut self.rng);
            customers.push(customer(&mut self.rng, id));
            let mut belongings = Belongings::default();
            for seq in 1..=self.rng.random_range(0..4u16) {
                addresses.push(address(&mut self.rng, id, seq));
                belongings.addresses.insert(seq);
            }
            for _ in 0..self.rng.random_range(0..4) {
                let pair = self.any_pair();
                if belongings.consents.insert(pair) {
                    consents.push(self.consent(id, pair));
                }
            }
            self.live.customers.insert(id, belongings);
        }
        [customers, addresses, consents].iter().flat_map(|rows| insert_all(rows)).collect()
    }

    fn any_pair(&mut self) -> (usize, usize) {
        (self.rng.random_range(0..CHANNELS.len()), self.rng.random_range(0..PURPOSES.len()))
    }

    fn consent(&mut self, id: u64, (channel, purpose): (usize, usize)) -> Record {
        consent(&mut self.rng, id, CHANNELS[channel], PURPOSES[purpose])
    }

    fn update_customer(&mut self, id: u64) -> Vec<String> {
        let fresh = customer(&mut self.rng, id);
        vec![fresh.update(&fresh.assignments(&mut self.rng, 6))]
    }

    fn update_to_the_same(&mut self, id: u64) -> Vec<String> {
        vec![customer(&mut self.rng, id).update("region = region, visits = visits + 0")]
    }

    fn update_many(&mut self) -> Vec<String> {
        let count = self.rng.random_range(2..20);
        let ids: Vec<String> = (0..count)
            .filter_map(|_| self.live.any(&mut self.rng))
            .map(|id| id.to_string())
            .collect();
        let set = "event_counter = event_counter DIV 2, tier = NULL";
        vec![format!("UPDATE crm.customers SET {set} WHERE id IN ({})", ids.join(", "))]
    }

    /// With what belongs to the customer, or leaving it behind.
    fn delete_customer(&mut self, id: u64) -> Vec<String> {
        self.live.customers.remove(&id);
        let mut out = vec![format!("DELETE FROM crm.customers WHERE id = {id}")];
        if self.rng.random_bool(0.7) {
            for table in [Table::Addresses, Table::Consents] {
                out.push(format!("DELETE FROM {} WHERE customer_id = {id}", table.source()));
            }
        }
        out
    }

    fn reinsert_customer(&mut self, id: u64) -> Vec<String> {
        let fresh = customer(&mut self.rng, id);
        vec![fresh.delete(), fresh.insert()]
    }

    fn rekey_customer(&mut self, old: u64) -> Vec<String> {
        let new = self.live.fresh_id(&mut self.rng);
        let fresh = customer(&mut self.rng, old);
        let mut set = format!("id = {new}");
        if self.rng.random_bool(0.5) {
            set = format!("{set}, {}", fresh.assignments(&mut self.rng, 3));
        }
        let mut out = vec![fresh.update(&set)];
        let mut belongings = self.live.customers.remove(&old).unwrap_or_default();
        if self.rng.random_bool(0.7) {
            for table in [Table::Addresses, Table::Consents] {
                let table = table.source();
                let set = format!("customer_id = {new} WHERE customer_id = {old}");
                out.push(format!("UPDATE {table} SET {set}"));
            }
        } else {
            belongings = Belongings::default();
        }
        self.live.customers.insert(new, belongings);
        out
    }

    fn rekey_twice(&mut self, old: u64) -> Vec<String> {
        let (middle, new) = (self.live.fresh_id(&mut self.rng), self.live.fresh_id(&mut self.rng));
        self.live.customers.remove(&old);
        self.live.customers.insert(new, Belongings::default());
        let step =
            |from: u64, to: u64| format!("UPDATE crm.customers SET id = {to} WHERE id = {from}");
        vec![step(old, middle), step(middle, new)]
    }

    fn change_address(&mut self, id: u64) -> Vec<String> {
        let known = self.live.customers.get(&id).cloned().unwrap_or_default().addresses;
        let last = known.last().copied();
        let choice = self.rng.random_range(0..5);
        let (Some(last), 1..) = (last, choice) else {
            let next = last.unwrap_or(0) + 1;
            self.live.belongings(id, |b| b.addresses.insert(next));
            return vec![address(&mut self.rng, id, next).insert()];
        };
        let fresh = address(&mut self.rng, id, last);
        match choice {
            1 => {
                self.live.belongings(id, |b| b.addresses.remove(&last));
                vec![fresh.delete()]
            }
            2 => {
                self.live.belongings(id, |b| b.addresses.remove(&last));
                self.live.belongings(id, |b| b.addresses.insert(last + 1));
                vec![fresh.update(&format!("seq = {}", last + 1))]
            }
            3 => vec![fresh.delete(), fresh.insert()],
            _ => vec![fresh.update(&fresh.assignments(&mut self.rng, 5))],
        }
    }

    fn change_consent(&mut self, id: u64) -> Vec<String> {
        let known = self.live.customers.get(&id).cloned().unwrap_or_default().consents;
        let pair = self.any_pair();
        if !known.contains(&pair) {
            return self.new_consent(id, pair, known.first().copied());
        }
        let fresh = self.consent(id, pair);
        match self.rng.random_range(0..4) {
            0 => {
                self.live.belongings(id, |b| b.consents.remove(&pair));
                vec![fresh.delete()]
            }
            1 => vec![upsert(&fresh)],
            2 => vec![fresh.insert().replacen("INSERT", "REPLACE", 1)],
            _ => vec![fresh.update(&fresh.assignments(&mut self.rng, 4))],
        }
    }

    /// A consent that was not there: inserted, or moved from another purpose.
    fn new_consent(
        &mut self,
        id: u64,
        pair: (usize, usize),
        other: Option<(usize, usize)>,
    ) -> Vec<String> {
        self.live.belongings(id, |b| b.consents.insert(pair));
        let fresh = self.consent(id, pair);
        match (self.rng.random_range(0..4), other) {
            (0, Some(old)) => {
                self.live.belongings(id, |b| b.consents.remove(&old));
                let set =
                    format!("purpose = '{}', channel = '{}'", PURPOSES[pair.1], CHANNELS[pair.0]);
                vec![self.consent(id, old).update(&set)]
            }
            (1, _) => vec![fresh.insert().replacen("INSERT", "REPLACE", 1)],
            (2, _) => vec![upsert(&fresh)],
            _ => vec![fresh.insert()],
        }
    }
}

fn upsert(consent: &Record) -> String {
    let set = "source = 'web', granted = VALUES(granted)";
    format!("{} ON DUPLICATE KEY UPDATE {set}", consent.insert())
}
