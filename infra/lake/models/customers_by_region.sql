/*---
description = "Customers and credit limits per region and segment, without figures about fewer than five people"
owner = "crm-data"
grain = ["region", "segment"]
materialisation = { incremental = ["region"] }

[[column]]
name = "region"
type = "string"
nullable = false
sensitivity = "public"
description = "Federation unit"

[[column]]
name = "segment"
type = "string"
nullable = false
sensitivity = "public"
description = "Commercial segment"

[[column]]
name = "customers"
type = "long"
nullable = false
sensitivity = "internal"
description = "Customers"

[[column]]
name = "credit_limits"
type = "long"
nullable = true
sensitivity = "internal"
safe = "a number of at least five customers, and of as many without one or none"
description = "Customers with a credit limit; NULL when they, or the others, are one to four"

[[column]]
name = "credit_limit_total"
type = "decimal(18,2)"
nullable = true
sensitivity = "internal"
safe = "a sum over at least five customers"
description = "Sum of the credit limits in BRL; NULL without five of them, and where their number is NULL"

[[column]]
name = "credit_limit_average"
type = "decimal(14,2)"
nullable = true
sensitivity = "internal"
safe = "a mean over at least five customers"
description = "Mean credit limit in BRL, half a cent rounded up; NULL where the sum is NULL"

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
kind = "sql"
name = "no_small_group"
sql = """
select region, segment from this
where customers < 5
  or credit_limits between 1 and 4 or customers - credit_limits between 1 and 4
  or (credit_limits is null or credit_limits = 0) and credit_limit_total is not null
"""
---*/
-- Five is the small-group threshold: no figure here is about one to four people, and none can be
-- had by taking one figure from another. So a group is left out as a whole; a part of a group is
-- NULL when it or the rest is one to four; and so are sum and mean, whose quotient is the number of
-- limits. `policy.toml` says why this table and `gold.consent_coverage` together tell no more.
-- The quotient keeps ten digits more than the result, so that rounding happens once.
select
  g.region,
  g.segment,
  g.customers,
  case when not g.few_limits then g.credit_limits end as credit_limits,
  case
    when not g.few_limits and g.credit_limits > 0 then
      cast(g.credit_limit_total as decimal(18, 2))
  end as credit_limit_total,
  case
    when not g.few_limits and g.credit_limits > 0 then
      cast(cast(g.credit_limit_total as decimal(30, 10)) / g.credit_limits as decimal(14, 2))
  end as credit_limit_average
from (
  select
    p.*,
    p.credit_limits between 1 and 4 or p.customers - p.credit_limits between 1 and 4
      as few_limits
  from (
    select
      region,
      segment,
      count(*) as customers,
      count(credit_limit) as credit_limits,
      sum(credit_limit) as credit_limit_total
    from silver.crm_customers
    group by region, segment
  ) p
) g
where g.customers >= 5
