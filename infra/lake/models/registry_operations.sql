/*---
description = "What happened to the registry per day and table: rows loaded, changes by operation, rejections, latency; days are those of UTC"
owner = "crm-data"
grain = ["day", "table_name"]
materialisation = { incremental = ["day"] }

[[column]]
name = "day"
type = "date"
nullable = false
sensitivity = "internal"
description = "Day in UTC: of the commit at the source for changes; of the reading for rows of a full load, and of the rejection for those of them that are rejected. A rejected change counts in `quarantined` by the day in its change_seq, which is that of the highest commit second so far: a later day than its commit's where commit times run backwards over midnight, as when MySQL's clock is set back"

[[column]]
name = "table_name"
type = "string"
nullable = false
sensitivity = "internal"
description = "Source table"

[[column]]
name = "loaded"
type = "long"
nullable = false
sensitivity = "internal"
description = "Rows that full loads read on this day, as far as Bronze holds them"

[[column]]
name = "inserted"
type = "long"
nullable = false
sensitivity = "internal"
description = "Rows that were inserted at the source on this day"

[[column]]
name = "updated"
type = "long"
nullable = false
sensitivity = "internal"
description = "Updates of rows on this day, changes of a key among them"

[[column]]
name = "deleted"
type = "long"
nullable = false
sensitivity = "internal"
description = "Rows that were deleted at the source on this day"

[[column]]
name = "quarantined"
type = "long"
nullable = false
sensitivity = "internal"
description = "Changes that were rejected for their values, by the day in their change_seq, and rows of a full load that were rejected on this day"

[[column]]
name = "latency_p50"
type = "decimal(18,6)"
nullable = true
sensitivity = "internal"
description = "Median of the time from the commit at the source to Silver, in seconds, over the changes of this day that made a row of Silver as it is now; NULL without one"

[[column]]
name = "latency_p95"
type = "decimal(18,6)"
nullable = true
sensitivity = "internal"
description = "95th percentile of the time from the commit at the source to Silver, in seconds, over the changes of this day that made a row of Silver as it is now; NULL without one"

[[column]]
name = "latency_p99"
type = "decimal(18,6)"
nullable = true
sensitivity = "internal"
description = "99th percentile of the time from the commit at the source to Silver, in seconds, over the changes of this day that made a row of Silver as it is now; NULL without one"

[[check]]
kind = "accepted_values"
column = "table_name"
values = ["crm.addresses", "crm.consents", "crm.customers"]

[[check]]
kind = "freshness"
severity = "warn"
column = "day"
max_age = "48h"

[[check]]
kind = "sql"
name = "counts_of_something"
sql = """
select day, table_name from this
where loaded < 0 or inserted < 0 or updated < 0 or deleted < 0 or quarantined < 0
  or loaded + inserted + updated + deleted + quarantined = 0 and latency_p50 is null
"""

[[check]]
kind = "sql"
name = "percentiles_in_order"
sql = """
select day, table_name from this
where latency_p50 > latency_p95 or latency_p95 > latency_p99
"""

[[check]]
kind = "sql"
name = "clocks_agree"
severity = "warn"
sql = """
select day, table_name from this where latency_p50 < 0
"""
---*/
-- A change is one change_seq: replication that goes on after a break may deliver it once more, and
-- so it is rejected once more. Rows of a full load have none; there each row counts.
-- Percentiles are values that occurred (nearest rank), so that no engine interpolates in its own way.
with changes as (
  select 'crm.addresses' as table_name, op, dms_ts, coalesce(change_seq, '') as change_seq
  from bronze.crm_addresses
  union all
  select 'crm.consents' as table_name, op, dms_ts, coalesce(change_seq, '') as change_seq
  from bronze.crm_consents
  union all
  select 'crm.customers' as table_name, op, dms_ts, coalesce(change_seq, '') as change_seq
  from bronze.crm_customers
),
counted_changes as (
  select table_name, cast(substr(dms_ts, 1, 10) as date) as day, op, change_seq, count(*) as n
  from changes
  group by table_name, cast(substr(dms_ts, 1, 10) as date), op, change_seq
),
rejections as (
  select 'crm.addresses' as table_name, change_seq, quarantined_at
  from quarantine.crm_addresses
  union all
  select 'crm.consents' as table_name, change_seq, quarantined_at
  from quarantine.crm_consents
  union all
  select 'crm.customers' as table_name, change_seq, quarantined_at
  from quarantine.crm_customers
),
dated_rejections as (
  select
    table_name,
    -- Quarantine holds no commit time, but the number of a change begins with the highest commit
    -- second so far, yyyymmddhhmmss. Where commit times run backwards over midnight, as when MySQL's
    -- clock is set back, its day is a later one than that of `dms_ts`, by which the same change
    -- counts as inserted, updated or deleted.
    case
      when change_seq = '' then cast(quarantined_at as date)
      else cast(
        substr(change_seq, 1, 4) || '-' || substr(change_seq, 5, 2) || '-'
          || substr(change_seq, 7, 2) as date
      )
    end as day,
    change_seq
  from rejections
),
counted_rejections as (
  select table_name, day, change_seq, count(*) as n
  from dated_rejections
  group by table_name, day, change_seq
),
merged as (
  select
    'crm.addresses' as table_name,
    cast(_changed_at as date) as day,
    unix_micros(_loaded_at) - unix_micros(_changed_at) as micros
  from silver.crm_addresses
  where _change_seq <> '' and _changed_at is not null
  union all
  select
    'crm.consents' as table_name,
    cast(_changed_at as date) as day,
    unix_micros(_loaded_at) - unix_micros(_changed_at) as micros
  from silver.crm_consents
  where _change_seq <> '' and _changed_at is not null
  union all
  select
    'crm.customers' as table_name,
    cast(_changed_at as date) as day,
    unix_micros(_loaded_at) - unix_micros(_changed_at) as micros
  from silver.crm_customers
  where _change_seq <> '' and _changed_at is not null
),
ranked as (
  select
    table_name,
    day,
    micros,
    count(*) over (partition by table_name, day order by micros asc nulls last) as place,
    count(*) over (partition by table_name, day) as total
  from merged
),
facts as (
  select
    day,
    table_name,
    case when change_seq = '' then n else 0 end as loaded,
    case when change_seq <> '' and op = 'I' then 1 else 0 end as inserted,
    case when change_seq <> '' and op = 'U' then 1 else 0 end as updated,
    case when change_seq <> '' and op = 'D' then 1 else 0 end as deleted,
    0 as quarantined,
    cast(null as bigint) as p50,
    cast(null as bigint) as p95,
    cast(null as bigint) as p99
  from counted_changes
  union all
  select
    day,
    table_name,
    0 as loaded,
    0 as inserted,
    0 as updated,
    0 as deleted,
    case when change_seq = '' then n else 1 end as quarantined,
    cast(null as bigint) as p50,
    cast(null as bigint) as p95,
    cast(null as bigint) as p99
  from counted_rejections
  union all
  select
    day,
    table_name,
    0 as loaded,
    0 as inserted,
    0 as updated,
    0 as deleted,
    0 as quarantined,
    case when place * 100 >= total * 50 then micros end as p50,
    case when place * 100 >= total * 95 then micros end as p95,
    case when place * 100 >= total * 99 then micros end as p99
  from ranked
)
select
  day,
  table_name,
  sum(loaded) as loaded,
  sum(inserted) as inserted,
  sum(updated) as updated,
  sum(deleted) as deleted,
  sum(quarantined) as quarantined,
  cast(cast(min(p50) as decimal(28, 6)) / 1000000 as decimal(18, 6)) as latency_p50,
  cast(cast(min(p95) as decimal(28, 6)) / 1000000 as decimal(18, 6)) as latency_p95,
  cast(cast(min(p99) as decimal(28, 6)) / 1000000 as decimal(18, 6)) as latency_p99
from facts
group by day, table_name
