/*---
description = "Customers, e-mail consents and credit limits per region and segment; groups below five customers are left out"
owner = "crm-data"
grain = ["region", "segment"]

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
name = "email_consents"
type = "long"
nullable = false
sensitivity = "internal"
description = "Customers who allow e-mail for at least one purpose"

[[column]]
name = "credit_limits"
type = "long"
nullable = false
sensitivity = "internal"
safe = "a count among at least five customers; no limit can be seen in it"
description = "Customers with a credit limit"

[[column]]
name = "credit_limit_total"
type = "decimal(18,2)"
nullable = true
sensitivity = "internal"
safe = "NULL below five credit limits, so that it is about no single customer"
description = "Sum of the credit limits in BRL; NULL below five of them"

[[column]]
name = "credit_limit_average"
type = "decimal(14,2)"
nullable = true
sensitivity = "internal"
safe = "NULL below five credit limits, so that it is about no single customer"
description = "Mean credit limit in BRL, half a cent rounded up; NULL below five of them"
---*/
-- Five is the small-group threshold: no figure here is about fewer customers.
-- The quotient keeps ten digits more than the result, so that rounding happens once.
select
  c.region,
  c.segment,
  count(*) as customers,
  count(e.customer_id) as email_consents,
  count(c.credit_limit) as credit_limits,
  case
    when count(c.credit_limit) >= 5 then cast(sum(c.credit_limit) as decimal(18, 2))
  end as credit_limit_total,
  case
    when count(c.credit_limit) >= 5 then
      cast(cast(sum(c.credit_limit) as decimal(30, 10)) / count(c.credit_limit) as decimal(14, 2))
  end as credit_limit_average
from silver.crm_customers c
left join (
  select distinct customer_id
  from silver.crm_consents
  where channel = 'email' and granted = 1 and revoked_at is null
) e on e.customer_id = c.id
group by c.region, c.segment
having count(*) >= 5
