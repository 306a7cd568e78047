-- Tenancy. Three roles, taken with `set local role` inside one transaction:
--   castline_app     pages, commands, reports: sees its tenant's rows; event tables only through the scoped views
--   castline_ingest  writes events in bulk; sees its tenant's relational rows
--   castline_system  sign-in and migrations of data, before a tenant is known
-- Roles belong to the whole server: another castline database may have made them already.
do $$
declare
    wanted text;
begin
    foreach wanted in array array['castline_app', 'castline_ingest', 'castline_system'] loop
        begin
            execute format('create role %I nologin', wanted);
        exception when duplicate_object or unique_violation then
            null;
        end;
        -- From PostgreSQL 16 on, whoever creates a role administers it but may not yet become it.
        begin
            execute format('grant %I to current_user', wanted);
        exception when insufficient_privilege then
            raise exception 'the role % exists and % may not become it', wanted, current_user
            using hint = format('As a superuser: grant %I to %I;', wanted, current_user);
        end;
    end loop;
end
$$;
do $$
begin
    execute format('grant usage on schema %I to castline_app, castline_ingest, castline_system', current_schema());
end
$$;
grant execute on function castline_tenant() to castline_app, castline_ingest, castline_system;

-- Relational tables: row-level security, forced, one policy for the tenant and one for the system role. Foreign keys
-- bypass row security, so a row's parents are checked by its policy: nobody hangs a row below another tenant's parent.
do $$
declare
    mine text := 'user_id = (select castline_tenant())';
    my_podcast text := 'podcast_id in (select podcast_id from podcasts)';
    my_episode text := 'episode_id in (select episode_id from episodes)';
    my_campaign text := 'campaign_id in (select campaign_id from campaigns)';
    my_sponsor text := 'sponsor_id in (select sponsor_id from sponsors)';
    my_run text := 'run_id in (select run_id from runs)';
    my_batch text := 'batch_id in (select batch_id from batches)';
    scoped record;
begin
    for scoped in
        select * from (values
            ('users', mine, 'true'),
            ('memberships', 'owner_id = (select castline_tenant())', 'true'),
            ('sessions', 'owner_id = (select castline_tenant())', 'true'),
            ('api_keys', mine, 'true'),
            ('podcasts', mine, 'true'),
            ('episodes', my_podcast, 'true'),
            ('episode_aliases', my_podcast, my_episode),
            ('transcripts', my_episode, 'true'),
            ('feed_states', my_podcast, 'true'),
            ('sponsors', mine, 'true'),
            ('campaigns', mine, my_podcast || ' and ' || my_sponsor),
            ('placements', my_campaign, my_episode),
            ('runs', mine, 'true'),
            ('run_datasets', my_run, 'true'),
            ('batches', mine, my_run),
            ('quarantine', mine, my_batch),
            ('dirty_days', mine, 'true'),
            ('request_verdicts', mine, my_batch || ' and (podcast_id is null or ' || my_podcast || ')'),
            ('conversions', mine, my_batch || ' and (sponsor_id is null or ' || my_sponsor
                || ') and (campaign_id is null or ' || my_campaign || ')'),
            ('refunds', mine, my_batch || ' and (sponsor_id is null or ' || my_sponsor || ')'),
            ('exchange_rates', mine, my_batch),
            ('reports', mine, my_campaign || ' and ' || my_run)
        ) as tables (name, belongs, parents)
    loop
        execute format('alter table %I enable row level security', scoped.name);
        execute format('alter table %I force row level security', scoped.name);
        execute format(
            'create policy tenant on %I to castline_app, castline_ingest using (%s) with check (%s and %s)',
            scoped.name, scoped.belongs, scoped.belongs, scoped.parents
        );
        execute format('create policy system on %I to castline_system using (true) with check (true)', scoped.name);
        execute format(
            'grant select, insert, update, delete on %I to castline_app, castline_ingest, castline_system', scoped.name
        );
    end loop;
end
$$;
revoke insert, update, delete on users, memberships, sessions from castline_app, castline_ingest;
grant select, insert, update, delete on cache_entries to castline_app, castline_ingest, castline_system;

-- Event tables: COPY is refused under row-level security, and compression excludes it, so reading goes through views.
grant select, insert, update, delete on listener_events, attribution_events, hourly_metrics, daily_metrics
to castline_ingest, castline_system;

create view my_listener_events with (security_barrier) as
select listener_events.*
from listener_events
where podcast_id in (select podcast_id from podcasts where podcasts.user_id = castline_tenant());

create view my_attribution_events with (security_barrier) as
select attribution_events.*
from attribution_events
where podcast_id in (select podcast_id from podcasts where podcasts.user_id = castline_tenant());

create view my_hourly_metrics with (security_barrier) as
select hourly_metrics.*
from hourly_metrics
where podcast_id in (select podcast_id from podcasts where podcasts.user_id = castline_tenant());

create view my_daily_metrics with (security_barrier) as
select daily_metrics.*
from daily_metrics
where podcast_id in (select podcast_id from podcasts where podcasts.user_id = castline_tenant());

-- The views run with their owner's rights, and row-level security is forced on podcasts for the owner too.
do $$
declare
    member text;
begin
    execute format('create policy owner on podcasts to %I using (user_id = castline_tenant())', current_user);
    foreach member in array array['my_listener_events', 'my_attribution_events', 'my_hourly_metrics', 'my_daily_metrics'] loop
        execute format('grant select on %I to castline_app, castline_ingest, castline_system', member);
    end loop;
end
$$;
