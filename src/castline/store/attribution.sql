-- name: lock_attribution
-- one row of nothing: whoever else attributes for the account waits until the transaction ends
select pg_advisory_xact_lock(hashtextextended('attribution ' || :tenant::uuid::text, 0))

-- name: load_credit_weeks
-- one row per UTC week, by its Monday, that has a conversion which a campaign of the account could be credited with:
-- one since the first campaign began, or another telling of the same order, for an order is as old as its first telling
with since as materialized (
    select order_id, occurred_at
    from conversions
    where user_id = :tenant
        and occurred_at >= (select min(start_date) from campaigns where user_id = :tenant)
)
select distinct date_trunc('week', occurred_at at time zone 'utc')::date as week_on
from (
    select occurred_at
    from since
    union all
    select conversions.occurred_at
    from conversions
    where user_id = :tenant and order_id in (select order_id from since)
) as creditable
order by week_on

-- name: export_conversions
-- one row per conversion; times in UTC, keys as hexadecimal digests
select conversion_id, sponsor_id, occurred_at at time zone 'utc' as occurred_at, conversion_type, order_id, product_id,
    conversion_value, currency, promo_code, utm_source, utm_medium, utm_campaign, campaign_id, custom_tracking_id,
    external_user_id, session_id, device_id, encode(email_hash, 'hex') as email_hash,
    encode(listener_key, 'hex') as listener_key, metadata ->> 'pixel_id' as pixel_id, referrer
from conversions
where user_id = :tenant
order by conversion_id

-- name: expect_many_rows
-- one row of nothing: until the transaction ends, queries join by hashes
-- what a view lets through is guessed to be next to nothing, and loops over that guess never ended
select set_config('enable_nestloop', 'off', true)

-- name: export_listening
-- one row per listener event of a household, device or session that converted; times in UTC, agents as digests
with mine as materialized (
    select listener_key, device_id, session_id
    from conversions
    where user_id = :tenant
), households as (
    select distinct listener_key
    from mine
    where listener_key is not null
), devices as (
    select distinct device_id
    from mine
    where device_id is not null
), sessions as (
    select distinct session_id
    from mine
    where session_id is not null
)
select event_id, timestamp at time zone 'utc' as heard_at, podcast_id, episode_id, campaign_id,
    encode(heard.listener_key, 'hex') as listener_key, heard.session_id, metadata ->> 'device_id' as device_id,
    md5(coalesce(user_agent, '')) as agent, platform, country_code, device_type
from my_listener_events as heard
left join households on households.listener_key = heard.listener_key
left join devices on devices.device_id = heard.metadata ->> 'device_id'
left join sessions on sessions.session_id = heard.session_id
where podcast_id in (select podcast_id from podcasts where user_id = :tenant)
    and event_type in ('download', 'stream', 'listen_start', 'listen_complete', 'ad_start', 'ad_complete')
    and timestamp >= :first_at
    and timestamp < :end_at
    and (
        households.listener_key is not null
        or devices.device_id is not null
        or sessions.session_id is not null
    )

-- name: export_credits
-- one row per credit of the account as it stands
select event_id, timestamp at time zone 'utc' as credited_at, conversion_id, metadata ->> 'content_hash' as content_hash,
    (metadata ->> 'evidence_from')::timestamptz at time zone 'utc' as evidence_from
from my_attribution_events
where podcast_id in (select podcast_id from podcasts where user_id = :tenant)

-- name: find_conversion_range
-- one row: the times of the account's first and last conversion, null where there is none
select min(occurred_at) as first_at, max(occurred_at) as last_at
from conversions
where user_id = :tenant

-- name: delete_credits
-- the credits of the list are gone
delete from attribution_events
where event_id = any(:event_ids)
    and timestamp >= :first_at
    and timestamp <= :last_at
    and podcast_id in (select podcast_id from podcasts where user_id = :tenant)

-- name: load_order_credits
-- one row per credit of each conversion that the campaigns have a part in, also the parts of other campaigns
-- what is whole has no other parts; an array, for a join would be planned as if the view held next to nothing
with mine as materialized (
    select conversion_id, campaign_id, attribution_method, tier, credit, timestamp, model_version
    from my_attribution_events
    where campaign_id = any(:campaign_ids) and timestamp < :as_of
), parts as materialized (
    select conversion_id, campaign_id, attribution_method, tier, credit, timestamp, model_version
    from mine
    union all
    select conversion_id, campaign_id, attribution_method, tier, credit, timestamp, model_version
    from my_attribution_events
    where conversion_id = any(array(select conversion_id from mine where credit < 1))
        and campaign_id <> all(:campaign_ids)
        and timestamp < :as_of
)
select parts.conversion_id, parts.campaign_id, attribution_method as method, tier, credit, timestamp as occurred_at,
    conversion_type, conversion_value as amount, currency, conversions.sponsor_id, order_id, model_version
from parts
join conversions using (conversion_id)
where conversions.user_id = :tenant
order by parts.conversion_id, parts.campaign_id

-- name: load_order_refunds
-- one row per refund of an order that the campaigns have a part in; amount is signed
-- materialized, for before the first analyze a planner would look the campaigns' credits up once for every order
with credited as materialized (
    select distinct conversion_id
    from my_attribution_events
    where campaign_id = any(:campaign_ids)
), orders as materialized (
    select distinct conversions.order_id
    from conversions
    join credited using (conversion_id)
    where conversions.user_id = :tenant
)
select refund_id, refunds.sponsor_id, refunds.order_id, refunds.occurred_at, amount, refunds.currency, reason
from refunds
join orders using (order_id)
where refunds.user_id = :tenant
    and refunds.occurred_at < :as_of
order by refunds.occurred_at, refund_id

-- name: count_order_sponsors
-- one row per order number: how many sponsors have an order that bears it
select order_id, count(distinct sponsor_id) as sponsor_count
from conversions
where user_id = :tenant and order_id = any(:order_ids)
group by order_id
