-- name: load_titles
-- one row per name that pages and reports show, over all accounts; for the check of fonts
select title
from podcasts
union
select title
from episodes
union
select name
from sponsors
union
select name
from campaigns
