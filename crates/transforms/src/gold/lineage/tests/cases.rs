//! Queries, and what their columns are made of, written down by hand.

/// One line per column, `name: source way, way; source way`, and one for `(rows)` when something
/// decides about them. Sources of Silver are written without `silver.crm_`.
pub(super) struct Case {
    pub(super) sql: &'static str,
    pub(super) told: &'static [&'static str],
}

pub(super) const CASES: &[Case] = &[
    Case {
        sql: "with a as (select id as i, cpf as c1 from silver.crm_customers)
              select x.c2 as c3, x.i from (select c1 as c2, i from a) x",
        told: &["c3: customers.cpf identity", "i: customers.id identity"],
    },
    Case {
        sql: "select c.region, a.region as other, a.customer_id
              from silver.crm_customers c join silver.crm_addresses a on a.customer_id = c.id",
        told: &[
            "region: customers.region identity",
            "other: addresses.region identity",
            "customer_id: addresses.customer_id identity",
            "(rows): addresses.customer_id join; customers.id join",
        ],
    },
    Case {
        sql: "select region as city, city as region from silver.crm_addresses",
        told: &["city: addresses.region identity", "region: addresses.city identity"],
    },
    Case {
        sql: "select p.id, q.full_name as other from silver.crm_customers p
              left join silver.crm_customers q on q.zone < p.zone and q.tier = p.visits",
        told: &[
            "id: customers.id identity",
            "other: customers.full_name identity",
            "(rows): customers.tier join; customers.visits join; customers.zone join",
        ],
    },
    Case {
        sql: "select s.* from (select customer_id, seq, cep from silver.crm_addresses) s",
        told: &[
            "customer_id: addresses.customer_id identity",
            "seq: addresses.seq identity",
            "cep: addresses.cep identity",
        ],
    },
    Case {
        sql: "select customer_id, kind from silver.crm_addresses
              join silver.crm_consents using (customer_id)",
        told: &[
            "customer_id: addresses.customer_id identity",
            "kind: addresses.kind identity",
            "(rows): addresses.customer_id join; consents.customer_id join",
        ],
    },
    Case {
        sql: "select cpf as x, id as y from silver.crm_customers
              union all select cep, customer_id from silver.crm_addresses where is_current",
        told: &[
            "x: addresses.cep identity; customers.cpf identity",
            "y: addresses.customer_id identity; customers.id identity",
            "(rows): addresses.is_current filter",
        ],
    },
    Case {
        sql: "select region as x from silver.crm_customers
              union select upper(city) from silver.crm_addresses",
        told: &[
            "x: addresses.city transformation; customers.region identity",
            "(rows): addresses.city group by; customers.region group by",
        ],
    },
    Case {
        sql: "select case when birth_date is null then nickname else full_name end as n,
                case segment when region then cpf end as m from silver.crm_customers",
        told: &[
            "n: customers.birth_date conditional; customers.full_name transformation; \
             customers.nickname transformation",
            "m: customers.cpf transformation; customers.region conditional; \
             customers.segment conditional",
        ],
    },
    Case {
        sql: "select coalesce(nickname, full_name) as n, email is null as e, visits + zone as v,
                zone between tier and visits as z, region in ('a', segment) as r,
                cpf like 'a%' or not newsletter as l, 'a' as c, cast(visits as varchar) as t
              from silver.crm_customers",
        told: &[
            "n: customers.full_name transformation; customers.nickname transformation",
            "e: customers.email transformation",
            "v: customers.visits transformation; customers.zone transformation",
            "z: customers.tier transformation; customers.visits transformation; \
             customers.zone transformation",
            "r: customers.region transformation; customers.segment transformation",
            "l: customers.cpf transformation; customers.newsletter transformation",
            "c:",
            "t: customers.visits transformation",
        ],
    },
    Case {
        sql: "select region, count(*) as n, count(cpf) as cpfs, max(upper(email)) as email,
                count(distinct zone) as zones, count(*) filter (where score > 1) as scored,
                sum(case when newsletter then credit_limit end) as limits
              from silver.crm_customers group by region having max(visits) > 2",
        told: &[
            "region: customers.region identity",
            "n:",
            "cpfs: customers.cpf masked aggregation",
            "email: customers.email aggregation",
            "zones: customers.zone masked aggregation",
            "scored: customers.score conditional",
            "limits: customers.credit_limit aggregation; customers.newsletter conditional",
            "(rows): customers.region group by; customers.visits filter",
        ],
    },
    Case { sql: "select count(*) as n from silver.crm_customers", told: &["n:"] },
    Case {
        sql: "select upper(region) as r, min(zone) + 1 as z
              from silver.crm_customers group by upper(region)",
        told: &[
            "r: customers.region transformation",
            "z: customers.zone aggregation",
            "(rows): customers.region group by",
        ],
    },
    Case {
        sql: "select id, rank() over (partition by region order by score desc) as place,
                sum(credit_limit) over (partition by segment) as limits
              from silver.crm_customers",
        told: &[
            "id: customers.id identity",
            "place: customers.region window; customers.score window",
            "limits: customers.credit_limit aggregation; customers.segment window",
        ],
    },
    Case {
        sql: "select lag(email) over (order by visits, id) as before from silver.crm_customers",
        told: &["before: customers.email transformation; customers.id window; \
             customers.visits window"],
    },
    Case {
        sql: "select id, place from (select id, row_number() over (order by zone, id) as place
              from silver.crm_customers) where place < 9",
        told: &[
            "id: customers.id identity",
            "place: customers.id window; customers.zone window",
            "(rows): customers.id filter; customers.zone filter",
        ],
    },
    Case {
        sql: "select full_name from silver.crm_customers c
              where c.id in (select k.customer_id from silver.crm_consents k where k.granted = 1)
                and exists (select 1 from silver.crm_addresses a
                            where a.customer_id = c.id and a.is_current)",
        told: &[
            "full_name: customers.full_name identity",
            "(rows): addresses.customer_id filter; addresses.is_current filter; \
             consents.customer_id filter; consents.granted filter; customers.id filter",
        ],
    },
    Case {
        sql: "select full_name from silver.crm_customers c
              where c.id not in (select customer_id from silver.crm_consents where granted = 3)
                and not exists (select * from silver.crm_addresses a
                                where a.customer_id = c.id and a.seq = 1)",
        told: &[
            "full_name: customers.full_name identity",
            "(rows): addresses.customer_id filter; addresses.seq filter; \
             consents.customer_id filter; consents.granted filter; customers.id filter",
        ],
    },
    Case {
        sql: "select id, (select max(a.cep) from silver.crm_addresses a
                          where a.customer_id = c.id and a.is_current) as cep,
                (select count(*) from silver.crm_consents) as consents
              from silver.crm_customers c",
        told: &[
            "id: customers.id identity",
            "cep: addresses.cep aggregation; addresses.customer_id conditional; \
             addresses.is_current conditional; customers.id conditional",
            "consents:",
        ],
    },
    Case {
        sql: "select full_name from silver.crm_customers c
              where exists (select 1 from silver.crm_addresses a
                            where a.customer_id = c.id and a.seq = 1)
                or zone in (select granted from silver.crm_consents) or visits = 2",
        told: &[
            "full_name: customers.full_name identity",
            "(rows): addresses.customer_id filter; addresses.seq filter; \
             consents.granted filter; customers.id filter; customers.visits filter; \
             customers.zone filter",
        ],
    },
    Case {
        sql: "select region, visits from silver.crm_customers c
              where visits > (select avg(visits) from silver.crm_customers d
                              where d.region = c.region)",
        told: &[
            "region: customers.region identity",
            "visits: customers.visits identity",
            "(rows): customers.region filter; customers.visits filter",
        ],
    },
    Case {
        sql: "select id from silver.crm_customers
              intersect select customer_id from silver.crm_addresses where is_current",
        told: &[
            "id: customers.id identity",
            "(rows): addresses.customer_id join; addresses.is_current filter; \
             customers.id join, group by",
        ],
    },
    Case {
        sql: "select id from silver.crm_customers
              except select customer_id from silver.crm_consents where granted = 0",
        told: &[
            "id: customers.id identity",
            "(rows): consents.customer_id join; consents.granted filter; \
             customers.id join, group by",
        ],
    },
    Case {
        sql: "select distinct region, zone from silver.crm_customers",
        told: &[
            "region: customers.region identity",
            "zone: customers.zone identity",
            "(rows): customers.region group by; customers.zone group by",
        ],
    },
    Case {
        sql: "select cpf from silver.crm_customers order by visits, id limit 7",
        told: &["cpf: customers.cpf identity", "(rows): customers.id sort; customers.visits sort"],
    },
    Case {
        sql: "select v.x, c.zone, 1 as one
              from silver.crm_customers c cross join (values (1, 'a'), (2, 'b')) v(x, y)",
        told: &["x:", "zone: customers.zone identity", "one:"],
    },
    Case { sql: "select 1 as one, 'a' as a", told: &["one:", "a:"] },
    Case {
        sql: "select coalesce(a.customer_id, k.customer_id) as id, k.channel
              from silver.crm_addresses a full join silver.crm_consents k
                on k.customer_id = a.customer_id and k.purpose = a.kind",
        told: &[
            "id: addresses.customer_id transformation; consents.customer_id transformation",
            "channel: consents.channel identity",
            "(rows): addresses.customer_id join; addresses.kind join; \
             consents.customer_id join; consents.purpose join",
        ],
    },
    Case {
        sql: "select first_value(city order by seq, customer_id) as city from silver.crm_addresses",
        told: &["city: addresses.city aggregation; addresses.customer_id sort; addresses.seq sort"],
    },
];

/// DataFusion plans these, but does not run them.
pub(super) const PLANNED_ONLY: &[Case] = &[
    Case {
        sql: "select c.id, exists (select 1 from silver.crm_addresses a
                                   where a.customer_id = c.id and a.seq = 1) as has,
                c.id in (select customer_id from silver.crm_consents where granted = 1) as gave
              from silver.crm_customers c",
        told: &[
            "id: customers.id identity",
            "has: addresses.customer_id conditional; addresses.seq conditional; \
             customers.id conditional",
            "gave: consents.customer_id transformation; consents.granted conditional; \
             customers.id transformation",
        ],
    },
    Case {
        sql: "select c.id, l.m from silver.crm_customers c,
                lateral (select max(a.cep) as m from silver.crm_addresses a
                         where a.customer_id = c.id) l",
        told: &[
            "id: customers.id identity",
            "m: addresses.cep aggregation",
            "(rows): addresses.customer_id filter; customers.id filter",
        ],
    },
];
