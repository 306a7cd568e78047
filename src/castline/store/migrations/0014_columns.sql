-- Downloads by column, for questions that cross dimensions: an index of raw downloads that is read whole, a day at a time.
-- Grain: one row per account, UTC day and column; `codes` holds a number for each download of the day, in one order.
create table download_columns (
    user_id uuid not null references users (user_id) on delete restrict,
    day_on date not null,
    name varchar(20) not null,
    download_count integer not null,
    members jsonb not null,
    codes bytea not null,
    run_id uuid not null,
    primary key (user_id, day_on, name)
);
-- Numbers of one or two bytes shrink little, and are read far more often than they are written.
alter table download_columns alter column codes set storage external;

do $$
declare
    mine text := 'user_id = (select castline_tenant())';
begin
    alter table download_columns enable row level security;
    alter table download_columns force row level security;
    execute format(
        'create policy tenant on download_columns to castline_app, castline_ingest using (%s) with check (%s)', mine, mine
    );
    create policy system on download_columns to castline_system using (true) with check (true);
    grant select, insert, update, delete on download_columns to castline_app, castline_ingest, castline_system;
end
$$;
