-- name: lock_conversions
-- one row of nothing: whoever else takes in conversions of the account waits until the transaction ends
select pg_advisory_xact_lock(hashtextextended('conversions ' || :tenant::uuid::text, 0))

-- name: load_conversion_bodies
-- one row per conversion or refund that the source has told before: its key and the hash of its body
select source_key, body_hash
from conversions
where user_id = :tenant and source = :source and source_key = any(:source_keys)
union all
select source_key, body_hash
from refunds
where user_id = :tenant and source = :source and source_key = any(:source_keys)

-- name: save_conversion
-- one row: a conversion as its source told it
insert into conversions (
    conversion_id, user_id, sponsor_id, batch_id, source, source_key, body_hash, occurred_at, conversion_type, order_id,
    product_id, conversion_value, currency, promo_code, utm_source, utm_medium, utm_campaign, campaign_id,
    custom_tracking_id, external_user_id, session_id, device_id, email_hash, listener_key, ip_address, user_agent,
    referrer, metadata
)
values (
    :conversion_id, :tenant, :sponsor_id, :batch_id, :source, :source_key, :body_hash, :occurred_at, :conversion_type,
    :order_id, :product_id, :conversion_value, :currency, :promo_code, :utm_source, :utm_medium, :utm_campaign,
    :campaign_id, :custom_tracking_id, :external_user_id, :session_id, :device_id, :email_hash, :listener_key,
    :ip_address, :user_agent, :referrer, :metadata
)

-- name: save_refund
-- one row: a refund as its source told it; amount is signed
insert into refunds (
    refund_id, user_id, sponsor_id, batch_id, source, source_key, body_hash, order_id, occurred_at, amount, currency,
    reason
)
values (
    :refund_id, :tenant, :sponsor_id, :batch_id, :source, :source_key, :body_hash, :order_id, :occurred_at, :amount,
    :currency, :reason
)

-- name: load_conversions
-- one row per conversion, newest first, with the sum of the credit it has
select conversion_id, occurred_at, conversion_type, source, order_id, conversion_value, currency, sponsors.name as sponsor,
    promo_code, utm_campaign, coalesce(credited.credit, 0) as credit
from conversions
left join sponsors using (sponsor_id)
left join (
    select conversion_id, sum(credit) as credit
    from my_attribution_events
    group by conversion_id
) as credited using (conversion_id)
where conversions.user_id = :tenant
order by occurred_at desc, conversion_id
limit :row_limit

-- name: find_first_conversion
-- one row: when the first conversion happened that the account was told of, null where it was told of none
select min(occurred_at) as occurred_at
from conversions
where user_id = :tenant

-- name: load_refusals
-- one row per refused row of a batch of conversions or rates that was not replayed, oldest first
select quarantine_id, quarantine.batch_id, line_number, payload, batches.kind, batches.source, batches.metadata
from quarantine
join batches using (batch_id)
where quarantine.user_id = :tenant
    and replayed_at is null
    and batches.kind = :kind
    and (:quarantine_ids::uuid [] is null or quarantine_id = any(:quarantine_ids))
order by quarantine.created_at, quarantine.batch_id, line_number

-- name: save_refusal_reason
-- the refused row was tried again and refused again, now for this reason
update quarantine
set reason = :reason, detail = :detail
where user_id = :tenant and quarantine_id = :quarantine_id

-- name: load_rates
-- one row per pair of currencies and day, newest first
select base, quote, rate_on, rate, source
from exchange_rates
where user_id = :tenant
order by rate_on desc, base, quote

-- name: load_rates_between
-- one row per pair of currencies and day of [first_on, end_on)
select base, quote, rate_on, rate, source
from exchange_rates
where user_id = :tenant and rate_on >= :first_on and rate_on < :end_on
order by rate_on, base, quote

-- name: save_rate
-- at most one row: the rate, if the pair has none on that day
insert into exchange_rates (user_id, base, quote, rate_on, rate, source, batch_id)
values (:tenant, :base, :quote, :rate_on, :rate, :source, :batch_id)
on conflict (user_id, base, quote, rate_on) do nothing
