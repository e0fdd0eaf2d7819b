/*---
description = "Answers to consent requests per region, channel and purpose; groups below five answers are left out"
owner = "crm-data"
grain = ["region", "channel", "purpose"]

[[column]]
name = "region"
type = "string"
nullable = false
sensitivity = "public"
description = "Federation unit of the customer"

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
description = "Customers who answered"

[[column]]
name = "granted"
type = "long"
nullable = false
sensitivity = "internal"
description = "Consents in force"

[[column]]
name = "refused"
type = "long"
nullable = false
sensitivity = "internal"
description = "Refusals"

[[column]]
name = "revoked"
type = "long"
nullable = false
sensitivity = "internal"
description = "Consents given and withdrawn later"

[[column]]
name = "granted_share"
type = "decimal(5,4)"
nullable = false
sensitivity = "internal"
description = "Consents in force per answer"
---*/
select
  c.region,
  k.channel,
  k.purpose,
  count(*) as answers,
  count(case when k.granted = 1 and k.revoked_at is null then 1 end) as granted,
  count(case when k.granted = 0 then 1 end) as refused,
  count(case when k.granted = 1 and k.revoked_at is not null then 1 end) as revoked,
  cast(
    cast(count(case when k.granted = 1 and k.revoked_at is null then 1 end) as decimal(20, 10))
      / count(*) as decimal(5, 4)
  ) as granted_share
from silver.crm_consents k
join silver.crm_customers c on c.id = k.customer_id
group by c.region, k.channel, k.purpose
having count(*) >= 5
