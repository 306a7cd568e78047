-- Who listened, beyond raw downloads: sets that can be counted and united, and from which nobody can be read.
-- Grain: one row per account, UTC day, show and campaign whose ad was delivered; without campaign all of the show's.
create table consumer_sketches (
    user_id uuid not null references users (user_id) on delete restrict,
    day_on date not null,
    podcast_id uuid not null references podcasts (podcast_id) on delete restrict,
    campaign_id uuid references campaigns (campaign_id) on delete restrict,
    key_id varchar(16) not null,
    registers bytea not null,
    run_id uuid not null references runs (run_id) on delete restrict,
    constraint unique_sketch unique nulls not distinct (user_id, day_on, podcast_id, campaign_id)
);

do $$
declare
    mine text := 'user_id = (select castline_tenant())';
begin
    alter table consumer_sketches enable row level security;
    alter table consumer_sketches force row level security;
    execute format(
        'create policy tenant on consumer_sketches to castline_app, castline_ingest using (%s) with check (%s and %s and %s'
        ' and %s)',
        mine,
        mine,
        'podcast_id in (select podcast_id from podcasts)',
        '(campaign_id is null or campaign_id in (select campaign_id from campaigns))',
        'run_id in (select run_id from runs)'
    );
    create policy system on consumer_sketches to castline_system using (true) with check (true);
    grant select, insert, update, delete on consumer_sketches to castline_app, castline_ingest, castline_system;
end
$$;
