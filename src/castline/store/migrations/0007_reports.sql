-- Reports: one row per file.
create table reports (
    report_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users (user_id) on delete restrict,
    campaign_id uuid not null references campaigns (campaign_id) on delete restrict,
    template_id varchar(100) not null,
    report_type varchar(50) not null,
    format varchar(50) not null,
    file_url text,
    file_size_bytes bigint,
    includes_roi boolean default false,
    includes_attribution boolean default false,
    includes_benchmarks boolean default false,
    date_range_start timestamptz,
    date_range_end timestamptz,
    generated_at timestamptz default now(),
    metadata jsonb default '{}',
    content_hash bytea not null,
    run_id uuid not null references runs (run_id) on delete restrict,
    constraint valid_report_type check (report_type in ('sponsor_report', 'performance_summary', 'roi_report', 'custom')),
    constraint valid_format check (format in ('pdf', 'csv', 'excel', 'json')),
    constraint report_url_fits check (length(file_url) <= 4096)
);
create index idx_reports_user_id on reports (user_id, generated_at desc);
create index idx_reports_campaign_id on reports (campaign_id);
create index idx_reports_generated_at on reports (generated_at desc);
create index idx_reports_type on reports (report_type);
