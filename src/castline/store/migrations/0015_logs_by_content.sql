-- A CDN delivers some thousand logs a day: whether one was imported, or what of it, is asked for each of them.
create index idx_batches_file_hash on batches (user_id, kind, (metadata ->> 'file_hash'))
where metadata ->> 'file_hash' is not null;
create index idx_batches_first_line on batches (user_id, kind, (metadata ->> 'first_line'))
where metadata ->> 'first_line' is not null;
