-- name: find_pixels
-- one row per campaign of whichever account: whose pixel bears this id; for the system role, before a tenant is known
select campaign_id, user_id as owner_id, sponsor_id
from campaigns
where campaign_id = any(:campaign_ids)
