-- Whoever was offline tells late: the earliest of what came in seven years is found without reading all of it.
create index idx_batches_first_at on batches (user_id, first_at) where kind = 'player_events';
