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

-- name: sum_order_credits
-- one row per campaign, tier, method, model version and span of time: what orders without a refund come to
-- a span ends at each of the moments; money is in minor units of the campaign's currency, each order rounded half to even
with mine as materialized (
    select conversion_id, campaign_id, attribution_method, tier, credit, timestamp, model_version
    from my_attribution_events
    where campaign_id = any(:campaign_ids) and timestamp < :as_of and :tenant::uuid = castline_tenant()
), parts as (
    select mine.*, true as is_mine
    from mine
    union all
    select conversion_id, campaign_id, attribution_method, tier, credit, timestamp, model_version, false
    from my_attribution_events
    where exists (select from campaigns where user_id = :tenant and campaign_id <> all(:campaign_ids))
        and conversion_id = any(array(select conversion_id from mine where credit < 1))
        and campaign_id <> all(:campaign_ids)
        and timestamp < :as_of
), told as (
    select parts.*, conversion_type = 'visit' as is_visit, conversions.currency, campaigns.currency as wanted,
        (conversion_value * 10000)::bigint as parts_of_unit,
        case
            when conversions.currency = any(:zero_digits) then 10000
            when conversions.currency = any(:three_digits) then 10
            else 100
        end as step
    from parts
    join conversions using (conversion_id)
    join campaigns on campaigns.campaign_id = parts.campaign_id
    where conversions.user_id = :tenant
        and (
            conversion_type = 'visit'
            or order_id is null
            or order_id not in (select order_id from refunds where user_id = :tenant and occurred_at < :as_of)
        )
), rounded as materialized (
    select conversion_id, campaign_id, attribution_method, tier, credit, timestamp, model_version, is_mine, is_visit,
        currency, wanted, step, parts_of_unit / step
        + case
            when parts_of_unit % step * 2 > step or (parts_of_unit % step * 2 = step and parts_of_unit / step % 2 = 1)
            then 1
            else 0
        end as units
    from told
), placed as (
    select *, floor(units * credit) as floored,
        units - sum(floor(units * credit)) over (partition by conversion_id) as left_over,
        row_number() over (
            partition by conversion_id
            order by floor(units * credit) - units * credit, campaign_id
        ) as place
    from rounded
    where credit < 1
), shared as (
    select campaign_id, attribution_method, tier, credit, timestamp, model_version, is_visit, currency, wanted, step,
        units as share
    from rounded
    where credit = 1
    union all
    select campaign_id, attribution_method, tier, credit, timestamp, model_version, is_visit, currency, wanted, step,
        (floored + case when place <= left_over then 1 else 0 end)::bigint
    from placed
    where is_mine
), asked as (
    select distinct currency, wanted, step, (timestamp at time zone 'utc')::date as day_on
    from rounded
    where currency <> wanted and not is_visit
), rates as materialized (
    select asked.currency, asked.wanted, asked.day_on,
        case when base = asked.currency then rate else 1 end * asked.step as factor,
        case when base = asked.currency then 1 else rate end
        * case
            when asked.wanted = any(:zero_digits) then 10000
            when asked.wanted = any(:three_digits) then 10
            else 100
        end as divisor
    from asked
    cross join lateral (
        select base, rate
        from exchange_rates
        where user_id = :tenant
            and rate_on <= asked.day_on and rate_on >= asked.day_on - :stale_days::integer
            and ((base = asked.currency and quote = asked.wanted) or (base = asked.wanted and quote = asked.currency))
        order by rate_on desc, (base = asked.currency) desc
        limit 1
    ) as latest
), worth as (
    select campaign_id, attribution_method, tier, credit, timestamp, model_version, is_visit, share,
        case
            when shared.currency = shared.wanted then share
            else div(share * factor, divisor)
            + case
                when mod(share * factor, divisor) * 2 > divisor
                    or (mod(share * factor, divisor) * 2 = divisor and mod(div(share * factor, divisor), 2) = 1)
                then 1
                else 0
            end
        end as gross
    from shared
    left join rates
        on shared.currency <> shared.wanted
        and rates.currency = shared.currency and rates.wanted = shared.wanted
        and rates.day_on = (timestamp at time zone 'utc')::date
)
select campaign_id, tier, attribution_method as method, model_version,
    width_bucket(timestamp, :moments::timestamptz []) as span,
    count(*) filter (where is_visit) as visit_count,
    count(*) filter (where not is_visit) as order_count,
    coalesce(sum(credit) filter (where not is_visit), 0) as orders,
    coalesce(sum(credit) filter (where not is_visit and gross is not null), 0) as valued,
    coalesce(sum(gross) filter (where not is_visit), 0) as gross_units,
    count(*) filter (where not is_visit and share is not null and gross is null) as unconverted_count
from worth
group by campaign_id, tier, attribution_method, model_version, span

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
