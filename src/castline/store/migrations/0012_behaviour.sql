-- Why requests were dropped for their behaviour. Grain: one row per account, UTC day, rule and subject.
create table behaviour_evidence (
    evidence_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users (user_id) on delete restrict,
    day_on date not null,
    reason varchar(50) not null,
    network text,
    asn bigint,
    user_agent text,
    address_count bigint not null,
    request_count bigint not null,
    download_count bigint not null,
    measured jsonb not null,
    limits jsonb not null,
    run_id uuid not null references runs (run_id) on delete restrict
);
create index idx_behaviour_evidence_user_id on behaviour_evidence (user_id, day_on desc);

do $$
declare
    mine text := 'user_id = (select castline_tenant())';
begin
    alter table behaviour_evidence enable row level security;
    alter table behaviour_evidence force row level security;
    execute format(
        'create policy tenant on behaviour_evidence to castline_app, castline_ingest using (%s) with check (%s and %s)',
        mine, mine, 'run_id in (select run_id from runs)'
    );
    create policy system on behaviour_evidence to castline_system using (true) with check (true);
    grant select, insert, update, delete on behaviour_evidence to castline_app, castline_ingest, castline_system;
end
$$;
