-- What listeners did afterwards: conversions as they came, refunds, rates, and the credit given for them.
create table conversions (
    conversion_id uuid primary key,
    user_id uuid not null references users (user_id) on delete restrict,
    sponsor_id uuid references sponsors (sponsor_id) on delete restrict,
    batch_id uuid not null references batches (batch_id) on delete restrict,
    source varchar(50) not null,
    source_key text not null,
    body_hash bytea not null,
    occurred_at timestamptz not null,
    received_at timestamptz not null default now(),
    conversion_type varchar(50) not null,
    order_id varchar(255),
    product_id varchar(255),
    conversion_value numeric(14, 4),
    currency char(3),
    promo_code varchar(255),
    utm_source varchar(255),
    utm_medium varchar(255),
    utm_campaign varchar(255),
    campaign_id uuid references campaigns (campaign_id) on delete restrict,
    custom_tracking_id varchar(255),
    external_user_id varchar(255),
    session_id varchar(255),
    device_id varchar(255),
    email_hash bytea,
    listener_key bytea,
    ip_address inet,
    user_agent text,
    referrer text,
    metadata jsonb not null default '{}',
    constraint unique_conversion_source unique (user_id, source, source_key),
    constraint valid_conversion_type check (conversion_type in ('purchase', 'signup', 'download', 'trial', 'visit')),
    constraint value_has_currency check ((conversion_value is null) = (currency is null)),
    constraint value_not_negative check (conversion_value >= 0)
);
create index idx_conversions_user_id on conversions (user_id, occurred_at);
create index idx_conversions_order_id on conversions (user_id, order_id) where order_id is not null;

create table refunds (
    refund_id uuid primary key,
    user_id uuid not null references users (user_id) on delete restrict,
    sponsor_id uuid references sponsors (sponsor_id) on delete restrict,
    batch_id uuid not null references batches (batch_id) on delete restrict,
    source varchar(50) not null,
    source_key text not null,
    body_hash bytea not null,
    order_id varchar(255) not null,
    occurred_at timestamptz not null,
    received_at timestamptz not null default now(),
    amount numeric(14, 4) not null,
    currency char(3) not null,
    reason varchar(50) not null default 'refund',
    constraint unique_refund_source unique (user_id, source, source_key),
    constraint valid_refund_reason check (reason in ('refund', 'chargeback', 'reversal')),
    constraint refund_is_signed check ((amount < 0) = (reason <> 'reversal'))
);
create index idx_refunds_order_id on refunds (user_id, order_id);

-- Units of quote per one unit of base, as the account's own source published them for that day.
create table exchange_rates (
    user_id uuid not null references users (user_id) on delete restrict,
    base char(3) not null,
    quote char(3) not null,
    rate_on date not null,
    rate numeric(24, 12) not null,
    source text not null,
    batch_id uuid not null references batches (batch_id) on delete restrict,
    primary key (user_id, base, quote, rate_on),
    constraint rate_positive check (rate > 0)
);

create table attribution_events (
    event_id uuid not null,
    timestamp timestamptz not null,
    campaign_id uuid not null references campaigns (campaign_id) on delete restrict,
    podcast_id uuid not null references podcasts (podcast_id) on delete restrict,
    episode_id uuid references episodes (episode_id) on delete restrict,
    attribution_method varchar(50) not null,
    attribution_data jsonb not null default '{}',
    conversion_data jsonb default '{}',
    listener_event_id uuid,
    user_id varchar(255),
    session_id varchar(255),
    device_id varchar(255),
    cross_device_match_id uuid,
    demographic_lift jsonb default '{}',
    metadata jsonb default '{}',
    conversion_id uuid not null references conversions (conversion_id) on delete restrict,
    listener_key bytea,
    credit numeric(12, 10) not null,
    tier varchar(20) not null,
    probability numeric(6, 5),
    model_version varchar(50) not null,
    run_id uuid not null references runs (run_id) on delete restrict,
    primary key (event_id, timestamp),
    constraint valid_attribution_method check (attribution_method in ('promo_code', 'pixel', 'utm', 'direct', 'custom')),
    constraint credit_is_a_share check (credit > 0 and credit <= 1),
    constraint valid_attribution_tier check (tier in ('confirmed', 'modeled')),
    constraint probability_is_a_rate check (probability between 0 and 1)
) partition by range (timestamp);
comment on column attribution_events.user_id is
'External user id from the conversion, never an account of this platform (ruling 7)';
create index idx_attribution_events_campaign_id on attribution_events (campaign_id, timestamp desc);
create index idx_attribution_events_podcast_id on attribution_events (podcast_id, timestamp desc);
create index idx_attribution_events_method on attribution_events (attribution_method, timestamp desc);
create index idx_attribution_events_user_id on attribution_events (user_id) where user_id is not null;
create index idx_attribution_events_cross_device on attribution_events (cross_device_match_id)
where cross_device_match_id is not null;
create index idx_attribution_events_conversion_id on attribution_events (conversion_id);
