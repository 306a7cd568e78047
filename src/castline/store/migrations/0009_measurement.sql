-- How each account counts, and what counting again has changed. Rows are added and never changed: only retention, in the
-- system role, takes restatements away.
create table measure_settings (
    settings_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users (user_id) on delete restrict,
    version text not null,
    settings jsonb not null,
    adopted_at timestamptz not null default now(),
    adopted_by uuid references users (user_id) on delete restrict,
    reason text not null
);
create index idx_measure_settings_user_id on measure_settings (user_id, adopted_at desc);

-- Grain: one row per run, UTC day and show whose downloads that run changed after the day was final.
create table restatements (
    restatement_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users (user_id) on delete restrict,
    day_on date not null,
    podcast_id uuid not null references podcasts (podcast_id) on delete restrict,
    before_count bigint not null,
    after_count bigint not null,
    cause varchar(20) not null,
    settings_before text not null,
    settings_after text not null,
    run_id uuid not null references runs (run_id) on delete restrict,
    restated_at timestamptz not null default now(),
    constraint valid_cause check (cause in ('settings', 'rules', 'late_data', 'feeds'))
);
create index idx_restatements_user_id on restatements (user_id, day_on);

do $$
declare
    mine text := 'user_id = (select castline_tenant())';
    scoped record;
begin
    for scoped in
        select * from (values
            ('measure_settings', 'true'),
            ('restatements', 'podcast_id in (select podcast_id from podcasts) and run_id in (select run_id from runs)')
        ) as tables (name, parents)
    loop
        execute format('alter table %I enable row level security', scoped.name);
        execute format('alter table %I force row level security', scoped.name);
        execute format(
            'create policy tenant on %I to castline_app, castline_ingest using (%s) with check (%s and %s)',
            scoped.name, mine, mine, scoped.parents
        );
        execute format('create policy system on %I to castline_system using (true) with check (true)', scoped.name);
        execute format('grant select, insert on %I to castline_app, castline_ingest', scoped.name);
        execute format('grant select, insert, update, delete on %I to castline_system', scoped.name);
    end loop;
end
$$;
