-- name: create_sponsor
-- one row: the new sponsor
insert into sponsors (user_id, name, company, email, contact_name, phone, website, logo_url, industry)
values (:tenant, :name, :company, :email, :contact_name, :phone, :website, :logo_url, :industry)
returning sponsor_id, user_id, name, company, email, contact_name, phone, website, logo_url, industry, created_at,
    updated_at, metadata

-- name: lock_sponsors
-- one row of nothing: whoever else adds a sponsor to the account waits until the transaction ends
select pg_advisory_xact_lock(hashtextextended('sponsors ' || :tenant::uuid::text, 0))

-- name: load_sponsors
-- one row per sponsor of the account, by name
select sponsor_id, user_id, name, company, email, contact_name, phone, website, logo_url, industry, created_at,
    updated_at, metadata
from sponsors
where user_id = :tenant
order by name, sponsor_id

-- name: create_campaign
-- one row: the new campaign, a draft; campaign_value is in units of currency
insert into campaigns (
    user_id, podcast_id, sponsor_id, name, start_date, end_date, campaign_value, currency, episode_ids,
    attribution_config, notes
)
values (
    :tenant, :podcast_id, :sponsor_id, :name, :start_date, :end_date, :campaign_value, :currency, :episode_ids,
    :attribution_config, :notes
)
returning campaign_id, user_id, podcast_id, sponsor_id, name, status, start_date, end_date, campaign_value, currency,
    episode_ids, attribution_config, notes, created_at, updated_at, metadata

-- name: load_campaigns
-- one row per campaign of the account, newest flight first
select campaign_id, user_id, podcast_id, sponsor_id, name, status, start_date, end_date, campaign_value, currency,
    episode_ids, attribution_config, notes, created_at, updated_at, metadata
from campaigns
where user_id = :tenant
order by start_date desc, name, campaign_id

-- name: lock_campaign
-- at most one row: the campaign, held until the transaction ends
select campaign_id, user_id, podcast_id, sponsor_id, name, status, start_date, end_date, campaign_value, currency,
    episode_ids, attribution_config, notes, created_at, updated_at, metadata
from campaigns
where user_id = :tenant and campaign_id = :campaign_id
for update

-- name: save_campaign_status
-- one row: the campaign with its new status
update campaigns
set status = :status
where user_id = :tenant and campaign_id = :campaign_id
returning campaign_id, user_id, podcast_id, sponsor_id, name, status, start_date, end_date, campaign_value, currency,
    episode_ids, attribution_config, notes, created_at, updated_at, metadata

-- name: save_campaign_episodes
-- one row: the campaign with the episodes that it lists
update campaigns
set episode_ids = :episode_ids
where user_id = :tenant and campaign_id = :campaign_id
returning campaign_id, user_id, podcast_id, sponsor_id, name, status, start_date, end_date, campaign_value, currency,
    episode_ids, attribution_config, notes, created_at, updated_at, metadata

-- name: find_code_holder
-- at most one row: a campaign of the sponsor, not cancelled, that flies with the same promo code at the same time
select name
from campaigns
where user_id = :tenant
    and sponsor_id = :sponsor_id
    and status <> 'cancelled'
    and lower(btrim(attribution_config ->> 'promo_code')) = lower(btrim(:promo_code))
    and start_date < :end_date
    and end_date > :start_date
order by start_date, campaign_id
limit 1

-- name: lock_sponsor
-- at most one row: the sponsor, held until the transaction ends, so that two campaigns cannot take one code at once
select sponsor_id
from sponsors
where user_id = :tenant and sponsor_id = :sponsor_id
for update

-- name: create_placement
-- one row: the new placement; seconds from the start of the episode, cost in the campaign's currency
insert into placements (
    campaign_id, episode_id, kind, position, start_seconds, end_seconds, air_date, contracted_impressions, cost
)
select campaign_id, episode_id, :kind, :position, :start_seconds, :end_seconds, :air_date, :contracted_impressions,
    :cost
from campaigns
join episodes using (podcast_id)
where campaigns.user_id = :tenant and campaign_id = :campaign_id and episode_id = :episode_id
returning placement_id, campaign_id, episode_id, kind, position, start_seconds, end_seconds, air_date,
    contracted_impressions, cost, created_at, updated_at

-- name: load_placements
-- one row per placement of the campaign, in the order of its episodes and of their seconds
select placement_id, campaign_id, episode_id, kind, position, start_seconds, end_seconds, air_date,
    contracted_impressions, cost, placements.created_at, placements.updated_at
from placements
join campaigns using (campaign_id)
join episodes using (episode_id)
where campaigns.user_id = :tenant and campaign_id = :campaign_id
order by episodes.publish_date, episode_id, start_seconds, placement_id

-- name: load_all_placements
-- one row per placement of the account, by campaign, in the order of its episodes and of their seconds
select placement_id, campaign_id, episode_id, kind, position, start_seconds, end_seconds, air_date,
    contracted_impressions, cost, placements.created_at, placements.updated_at
from placements
join campaigns using (campaign_id)
join episodes using (episode_id)
where campaigns.user_id = :tenant
order by campaign_id, episodes.publish_date, episode_id, start_seconds, placement_id
