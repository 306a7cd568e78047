-- An intake that is never idle makes some 17,000 batches a day: those of a day are found among those of three months.
create index idx_batches_last_at on batches (user_id, kind, last_at);
