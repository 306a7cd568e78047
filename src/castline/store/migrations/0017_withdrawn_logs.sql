-- A log that was taken back changes days that were final, and the restatement says so.
alter table restatements drop constraint valid_cause;
alter table restatements add constraint valid_cause
    check (cause in ('settings', 'rules', 'late_data', 'withdrawn', 'feeds'));
