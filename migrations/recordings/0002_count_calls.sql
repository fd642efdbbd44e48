-- A request that counts against max_calls, so that the calls of a session that goes on can be counted without reading its records.
alter table records add column is_call integer not null default 0 constraint records_is_call_is_bool check (is_call in (0, 1));

create index records_calls on records (session_id) where is_call = 1;
