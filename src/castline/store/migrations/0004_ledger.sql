-- The ledger: every run with its inputs, outputs and counts, every batch that came in, every row that was refused.
create table runs (
    run_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users (user_id) on delete restrict,
    job varchar(100) not null,
    status varchar(20) not null,
    code_version varchar(50) not null,
    rule_versions jsonb not null default '{}',
    parameters jsonb not null default '{}',
    counts jsonb not null default '{}',
    watermark_at timestamptz,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    error text,
    constraint valid_run_status check (status in ('running', 'succeeded', 'failed'))
);
create index idx_runs_user_id on runs (user_id, started_at desc);

create table run_datasets (
    run_id uuid not null references runs (run_id) on delete restrict,
    direction varchar(6) not null,
    dataset varchar(100) not null,
    reference text not null,
    row_count bigint not null,
    content_hash bytea,
    range_start timestamptz,
    range_end timestamptz,
    primary key (run_id, direction, dataset, reference),
    constraint valid_direction check (direction in ('input', 'output'))
);

create table batches (
    batch_id uuid primary key,
    user_id uuid not null references users (user_id) on delete restrict,
    run_id uuid not null references runs (run_id) on delete restrict,
    kind varchar(50) not null,
    source text not null,
    content_hash bytea not null,
    landed_as text,
    received_count bigint not null,
    accepted_count bigint not null,
    refused_count bigint not null,
    first_at timestamptz,
    last_at timestamptz,
    created_at timestamptz not null default now(),
    metadata jsonb not null default '{}',
    constraint unique_batch_content unique (user_id, kind, content_hash),
    constraint batch_adds_up check (received_count = accepted_count + refused_count)
);
create index idx_batches_user_id on batches (user_id, created_at desc);

create table quarantine (
    quarantine_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users (user_id) on delete restrict,
    batch_id uuid not null references batches (batch_id) on delete restrict,
    line_number bigint not null,
    reason varchar(100) not null,
    detail text not null,
    payload text not null,
    created_at timestamptz not null default now(),
    replayed_at timestamptz,
    replayed_by uuid references runs (run_id) on delete restrict,
    constraint unique_quarantined_line unique (batch_id, line_number)
);
create index idx_quarantine_user_id on quarantine (user_id, created_at desc);

create table dirty_days (
    user_id uuid not null references users (user_id) on delete restrict,
    day_on date not null,
    marked_at timestamptz not null default now(),
    primary key (user_id, day_on)
);
