/*---
description = "Answers to consent requests per region, segment, channel and purpose, without figures about fewer than five people"
owner = "crm-data"
grain = ["region", "segment", "channel", "purpose"]
materialisation = { incremental = ["region"] }

[[column]]
name = "region"
type = "string"
nullable = false
sensitivity = "public"
description = "Federation unit of the customer"

[[column]]
name = "segment"
type = "string"
nullable = false
sensitivity = "public"
description = "Commercial segment of the customer"

[[column]]
name = "channel"
type = "string"
nullable = false
sensitivity = "public"
description = "Channel of communication"

[[column]]
name = "purpose"
type = "string"
nullable = false
sensitivity = "public"
description = "Purpose of processing"

[[column]]
name = "answers"
type = "long"
nullable = false
sensitivity = "internal"
description = "Customers who answered; they, and the others of the region and segment, are none or at least five"

[[column]]
name = "granted"
type = "long"
nullable = true
sensitivity = "internal"
description = "Consents in force; NULL when granted, refused or revoked are one to four"

[[column]]
name = "refused"
type = "long"
nullable = true
sensitivity = "internal"
description = "Refusals; NULL when granted, refused or revoked are one to four"

[[column]]
name = "revoked"
type = "long"
nullable = true
sensitivity = "internal"
description = "Consents given and withdrawn later; NULL when granted, refused or revoked are one to four"

[[column]]
name = "granted_share"
type = "decimal(5,4)"
nullable = true
sensitivity = "internal"
description = "Consents in force per answer; NULL where their number is NULL"

[[check]]
kind = "accepted_values"
column = "region"
values = [
    "AC", "AL", "AM", "AP", "BA", "CE", "DF", "ES", "GO", "MA", "MG", "MS", "MT", "PA", "PB", "PE",
    "PI", "PR", "RJ", "RN", "RO", "RR", "RS", "SC", "SE", "SP", "TO",
]

[[check]]
kind = "accepted_values"
column = "segment"
values = ["retail", "premium", "corporate", "digital"]

[[check]]
kind = "accepted_values"
column = "channel"
values = ["email", "sms", "whatsapp", "phone", "post"]

[[check]]
kind = "sql"
name = "parts_add_up"
sql = """
select region, segment, channel, purpose from this where granted + refused + revoked <> answers
"""

[[check]]
kind = "sql"
name = "parts_are_told_together"
sql = """
select region, segment, channel, purpose from this
where (granted is null) <> (refused is null) or (granted is null) <> (revoked is null)
  or (granted is null) <> (granted_share is null)
"""

[[check]]
kind = "sql"
name = "no_small_group"
sql = """
select region, segment, channel, purpose from this
where answers < 5
  or granted between 1 and 4 or refused between 1 and 4 or revoked between 1 and 4
"""

[[check]]
kind = "sql"
name = "no_small_rest"
sql = """
select t.region, t.segment, t.channel, t.purpose
from this t
left join (
  select region, segment, count(*) as customers from silver.crm_customers group by region, segment
) n on n.region = t.region and n.segment = t.segment
where coalesce(n.customers, 0) <> t.answers and coalesce(n.customers, 0) - t.answers < 5
"""
---*/
-- Five is the small-group threshold: no figure here is about one to four people. The parts of the
-- answers add up to them, so that one part could be computed from the others: all of them are NULL
-- when one is too small, and the share too. The customers of a region and segment are told in
-- `gold.customers_by_region`, so that those who did not answer could be computed: the row is left
-- out when they are one to four. `policy.toml` says why both tables together tell no more.
select
  g.region,
  g.segment,
  g.channel,
  g.purpose,
  g.answers,
  case when not g.too_small then g.granted end as granted,
  case when not g.too_small then g.refused end as refused,
  case when not g.too_small then g.revoked end as revoked,
  case
    when not g.too_small then
      cast(cast(g.granted as decimal(20, 10)) / g.answers as decimal(5, 4))
  end as granted_share
from (
  select
    p.*,
    n.customers - p.answers as rest,
    p.granted between 1 and 4 or p.refused between 1 and 4 or p.revoked between 1 and 4
      as too_small
  from (
    select
      c.region,
      c.segment,
      k.channel,
      k.purpose,
      count(*) as answers,
      count(case when k.granted = 1 and k.revoked_at is null then 1 end) as granted,
      count(case when k.granted = 0 then 1 end) as refused,
      count(case when k.granted = 1 and k.revoked_at is not null then 1 end) as revoked
    from silver.crm_consents k
    join silver.crm_customers c on c.id = k.customer_id
    group by c.region, c.segment, k.channel, k.purpose
  ) p
  join (
    select region, segment, count(*) as customers
    from silver.crm_customers
    group by region, segment
  ) n on n.region = p.region and n.segment = p.segment
) g
where g.answers >= 5 and (g.rest = 0 or g.rest >= 5)
