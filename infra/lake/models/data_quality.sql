/*---
description = "How the changes of each table fare with each rule that can reject them, since the first full load"
owner = "crm-data"
grain = ["table_name", "rule"]

[[column]]
name = "table_name"
type = "string"
nullable = false
sensitivity = "internal"
description = "Source table"

[[column]]
name = "rule"
type = "string"
nullable = false
sensitivity = "internal"
description = "Rule of the contract: column and check, or the name of a row rule"

[[column]]
name = "checked"
type = "long"
nullable = false
sensitivity = "internal"
description = "Rows of full loads and changes, without deletes, that Bronze holds. Those in files that are not merged yet are among them, though no rule has seen them"

[[column]]
name = "rejected"
type = "long"
nullable = false
sensitivity = "internal"
description = "Rows and changes that the rule rejected; one change may fail several rules"

[[column]]
name = "score"
type = "decimal(7,6)"
nullable = true
sensitivity = "internal"
description = "Share of `checked` that is not rejected; 1 only when nothing was rejected, else at most 0.999999; NULL when `checked` is 0"

[[column]]
name = "first_rejected_at"
type = "timestamptz"
nullable = true
sensitivity = "internal"
description = "When the rule first rejected a change"

[[column]]
name = "last_rejected_at"
type = "timestamptz"
nullable = true
sensitivity = "internal"
description = "When it last did"

[[check]]
kind = "accepted_values"
column = "table_name"
values = ["crm.addresses", "crm.consents", "crm.customers"]

[[check]]
kind = "sql"
name = "score_is_a_share"
sql = """
select table_name, rule from this
where score < 0 or score > 1 or (score = 1) <> (rejected = 0)
  or (rejected > 0) <> (first_rejected_at is not null) or first_rejected_at > last_rejected_at
"""

[[check]]
kind = "sql"
name = "few_rejections"
severity = "warn"
sql = """
select table_name, rule from this where score < 0.95
"""
---*/
-- Every rule of the contracts that can reject a change; a test compares the list with the contracts.
with listed as (
  select 'crm.addresses' as table_name, 'cep:cep' as rule
  union all select 'crm.addresses', 'city:regex'
  union all select 'crm.addresses', 'region:uf'
  union all select 'crm.addresses', 'verified_at:not_future'
  union all select 'crm.consents', 'granted:range'
  union all select 'crm.consents', 'purpose:regex'
  union all select 'crm.consents', 'source:accepted_values'
  union all select 'crm.customers', 'birth_date:not_future'
  union all select 'crm.customers', 'born_before_registered'
  union all select 'crm.customers', 'cpf:cpf'
  union all select 'crm.customers', 'credit_limit:range'
  union all select 'crm.customers', 'email:email'
  union all select 'crm.customers', 'employer_cnpj:cnpj'
  union all select 'crm.customers', 'full_name:not_null'
  union all select 'crm.customers', 'phone:phone_br'
  union all select 'crm.customers', 'region:uf'
),
rejections as (
  select 'crm.addresses' as table_name, change_seq, rules, quarantined_at
  from quarantine.crm_addresses
  union all
  select 'crm.consents' as table_name, change_seq, rules, quarantined_at
  from quarantine.crm_consents
  union all
  select 'crm.customers' as table_name, change_seq, rules, quarantined_at
  from quarantine.crm_customers
),
checks as (
  select table_name, sum(loaded + inserted + updated) as checked
  from gold.registry_operations
  group by table_name
),
-- A change that was delivered twice was rejected twice, and counts once.
failures as (
  select
    l.table_name,
    l.rule,
    count(distinct case when r.change_seq <> '' then r.change_seq end)
      + count(case when r.change_seq = '' then 1 end) as rejected,
    min(r.quarantined_at) as first_rejected_at,
    max(r.quarantined_at) as last_rejected_at
  from listed l
  left join rejections r
    on r.table_name = l.table_name
    and contains(',' || r.rules || ',', ',' || l.rule || ',')
  group by l.table_name, l.rule
)
-- Rejections of a full load stay when its files are replaced, so that they may be more than what
-- was checked; the quotient keeps more digits than the score, so that rounding happens once. It must
-- not round to 1 where something was rejected.
select
  f.table_name,
  f.rule,
  coalesce(c.checked, 0) as checked,
  f.rejected,
  case
    when c.checked > 0 and f.rejected = 0 then cast(1 as decimal(7, 6))
    when c.checked > f.rejected then
      least(
        cast(
          cast(c.checked - f.rejected as decimal(24, 10)) / cast(c.checked as decimal(13, 0))
            as decimal(7, 6)
        ),
        cast(0.999999 as decimal(7, 6))
      )
    when c.checked > 0 then cast(0 as decimal(7, 6))
  end as score,
  f.first_rejected_at,
  f.last_rejected_at
from failures f
left join checks c on c.table_name = f.table_name
