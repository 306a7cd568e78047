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

-- name: expect_few_rows
-- one row of nothing: queries may loop again
select set_config('enable_nestloop', 'on', true)

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
select event_id, timestamp at time zone 'utc' as heard_at, podcast_id, episode_id,
    -- a download may carry ads of which nobody knows beside the one that it bears
    case when event_type <> 'download' then campaign_id end as campaign_id,
    encode(heard.listener_key, 'hex') as listener_key, heard.session_id, metadata ->> 'device_id' as device_id,
    md5(coalesce(user_agent, '')) as agent, platform, country_code, device_type,
    case when metadata ? 'ads_missed' then (
        select string_agg(campaign, ' ' order by campaign)
        from jsonb_array_elements_text(metadata -> 'ads_missed') as missed (campaign)
        where not coalesce(metadata -> 'ads_delivered' ? campaign, false)
            and not coalesce(metadata -> 'ads_unknown' ? campaign, false)
    ) end as missed
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

-- name: export_order_credits
-- one row: a line per part of an order without a refund that the campaigns have a part in; campaigns by their place
-- one text, for a driver takes longer over a row than the server over all of it; no field holds a comma or a quote
-- credit in ten thousand millionths, amounts in ten thousandths; ids only of parts, which are joined again by them
with mine as materialized (
    select conversion_id, campaign_id, attribution_method, tier, credit, timestamp, model_version
    from my_attribution_events
    where campaign_id = any(:campaign_ids) and timestamp < :as_of and :tenant::uuid = castline_tenant()
), parts as (
    select conversion_id, campaign_id, attribution_method, tier, credit, timestamp, model_version
    from mine
    union all
    select conversion_id, campaign_id, attribution_method, tier, credit, timestamp, model_version
    from my_attribution_events
    where exists (select from campaigns where user_id = :tenant and campaign_id <> all(:campaign_ids))
        and conversion_id = any(array(select conversion_id from mine where credit < 1))
        and campaign_id <> all(:campaign_ids)
        and timestamp < :as_of
)
select string_agg(
    concat(
        array_position(:campaign_ids::uuid[], parts.campaign_id), ',',
        case when credit < 1 then conversion_id end, ',',
        case when credit < 1 then parts.campaign_id end, ',',
        tier, ',', attribution_method, ',', model_version, ',',
        (credit * 10000000000)::bigint, ',',
        (extract(epoch from timestamp) * 1000000)::bigint, ',',
        conversion_type = 'visit', ',',
        (conversion_value * 10000)::bigint, ',',
        currency
    ),
    chr(10)
)
from parts
join conversions using (conversion_id)
where conversions.user_id = :tenant
    and (
        conversion_type = 'visit'
        or order_id is null
        or order_id not in (select order_id from refunds where user_id = :tenant and occurred_at < :as_of)
    )

-- name: load_order_credits
-- one row per credit of each refunded order that the campaigns have a part in, also the parts of other campaigns
-- what is whole has no other parts; an array, for a join would be planned as if the view held next to nothing
with mine as materialized (
    select conversion_id, campaign_id, attribution_method, tier, credit, timestamp, model_version
    from my_attribution_events
    where campaign_id = any(:campaign_ids) and timestamp < :as_of
        and conversion_id = any(array(
            select conversion_id
            from conversions
            where user_id = :tenant and order_id = any(:order_ids) and conversion_type <> 'visit'
        ))
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
-- one row per refund; amount is signed
select refund_id, sponsor_id, order_id, occurred_at, amount, currency, reason
from refunds
where user_id = :tenant and occurred_at < :as_of
order by occurred_at, refund_id

-- name: count_order_sponsors
-- one row per order number: how many sponsors have an order that bears it
select order_id, count(distinct sponsor_id) as sponsor_count
from conversions
where user_id = :tenant and order_id = any(:order_ids)
group by order_id
