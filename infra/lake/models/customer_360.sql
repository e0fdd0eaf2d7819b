/*---
description = "One row per customer: the record, the current address, the consents in force"
owner = "crm-data"
grain = ["customer_id"]
materialisation = { incremental = ["customer_id"] }
partitioning = "bucket(customer_id, 4)"

[[column]]
name = "customer_id"
type = "decimal(20,0)"
nullable = false
sensitivity = "internal"
description = "Customer number"

[[column]]
name = "cpf"
type = "string"
nullable = true
sensitivity = "personal"
description = "Individual taxpayer number, eleven digits"

[[column]]
name = "full_name"
type = "string"
nullable = false
sensitivity = "personal"
description = "Civil name"

[[column]]
name = "email"
type = "string"
nullable = true
sensitivity = "personal"
description = "E-mail address, lower case"

[[column]]
name = "phone"
type = "string"
nullable = true
sensitivity = "personal"
description = "Telephone number in E.164"

[[column]]
name = "birth_date"
type = "date"
nullable = true
sensitivity = "personal"
description = "Date of birth"

[[column]]
name = "region"
type = "string"
nullable = false
sensitivity = "internal"
description = "Federation unit in which the customer is served"

[[column]]
name = "segment"
type = "string"
nullable = false
sensitivity = "internal"
description = "Commercial segment"

[[column]]
name = "credit_limit"
type = "decimal(12,2)"
nullable = true
sensitivity = "personal"
description = "Credit limit in BRL"

[[column]]
name = "score"
type = "float"
nullable = true
sensitivity = "personal"
description = "Credit score of the bureau"

[[column]]
name = "loyalty_points"
type = "long"
nullable = false
sensitivity = "internal"
description = "Loyalty points"

[[column]]
name = "newsletter"
type = "boolean"
nullable = false
sensitivity = "internal"
description = "Whether the customer receives the newsletter"

[[column]]
name = "customer_since"
type = "int"
nullable = true
sensitivity = "internal"
description = "Year of the first contract"

[[column]]
name = "last_purchase"
type = "date"
nullable = true
sensitivity = "internal"
description = "Date of the last purchase"

[[column]]
name = "cep"
type = "string"
nullable = true
sensitivity = "personal"
description = "Postal code of the current address"

[[column]]
name = "street"
type = "string"
nullable = true
sensitivity = "personal"
description = "Street of the current address"

[[column]]
name = "house_number"
type = "string"
nullable = true
sensitivity = "personal"
description = "House number of the current address"

[[column]]
name = "district"
type = "string"
nullable = true
sensitivity = "internal"
description = "District of the current address"

[[column]]
name = "city"
type = "string"
nullable = true
sensitivity = "internal"
description = "City of the current address"

[[column]]
name = "address_region"
type = "string"
nullable = true
sensitivity = "internal"
description = "Federation unit of the current address"

[[column]]
name = "consents"
type = "long"
nullable = false
sensitivity = "internal"
description = "Consents in force"

[[column]]
name = "email_consent"
type = "boolean"
nullable = false
sensitivity = "internal"
description = "Whether e-mail is allowed for at least one purpose"

[[column]]
name = "whatsapp_consent"
type = "boolean"
nullable = false
sensitivity = "internal"
description = "Whether WhatsApp is allowed for at least one purpose"

[[column]]
name = "last_answer_at"
type = "timestamp"
nullable = true
sensitivity = "internal"
description = "Last answer to a consent request, Brasilia time"

[[column]]
name = "created_at"
type = "timestamp"
nullable = false
sensitivity = "internal"
description = "When the customer was registered, Brasilia time"

[[column]]
name = "updated_at"
type = "timestamptz"
nullable = false
sensitivity = "internal"
description = "Last change by an application"

[[check]]
kind = "relationship"
column = "customer_id"
to = "silver.crm_customers"
to_column = "id"

[[check]]
kind = "row_count_change"
max_drop = 0.5

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
column = "address_region"
values = [
    "AC", "AL", "AM", "AP", "BA", "CE", "DF", "ES", "GO", "MA", "MG", "MS", "MT", "PA", "PB", "PE",
    "PI", "PR", "RJ", "RN", "RO", "RR", "RS", "SC", "SE", "SP", "TO",
]

[[check]]
kind = "sql"
name = "a_channel_needs_a_consent"
sql = """
select customer_id from this where (email_consent or whatsapp_consent) and consents = 0
"""
---*/
-- Of several current addresses, the one with the lowest number counts.
select
  c.id as customer_id,
  c.cpf,
  c.full_name,
  c.email,
  c.phone,
  c.birth_date,
  c.region,
  c.segment,
  c.credit_limit,
  c.score,
  c.loyalty_points,
  c.newsletter,
  c.customer_since,
  c.last_purchase,
  a.cep,
  a.street,
  a.number as house_number,
  a.district,
  a.city,
  a.region as address_region,
  coalesce(k.consents, 0) as consents,
  coalesce(k.by_email, 0) > 0 as email_consent,
  coalesce(k.by_whatsapp, 0) > 0 as whatsapp_consent,
  k.last_answer_at,
  c.created_at,
  c.updated_at
from silver.crm_customers c
left join (
  select
    s.*,
    row_number() over (partition by s.customer_id order by s.seq) as place
  from silver.crm_addresses s
  where s.is_current
) a on a.customer_id = c.id and a.place = 1
left join (
  select
    customer_id,
    count(case when granted = 1 and revoked_at is null then 1 end) as consents,
    count(case when granted = 1 and revoked_at is null and channel = 'email' then 1 end)
      as by_email,
    count(case when granted = 1 and revoked_at is null and channel = 'whatsapp' then 1 end)
      as by_whatsapp,
    max(granted_at) as last_answer_at
  from silver.crm_consents
  group by customer_id
) k on k.customer_id = c.id
