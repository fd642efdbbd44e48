-- The stretch of time whose sessions share one end and one budget of calls.
create table windows (
  id text not null,
  realm text not null,
  kind integer not null,
  subject text not null,
  server text not null,
  starts_at integer not null,
  ends_at integer not null,
  constraint windows_pk primary key (id),
  constraint windows_has_length check (ends_at > starts_at)
) strict;

create index windows_by_principal on windows (realm, kind, subject, server, ends_at);

-- `session` is the serialized types.v1.Session; the other columns repeat what is asked for, or belong to the row alone.
create table sessions (
  id text not null,
  request_id text not null,
  state integer not null,
  realm text not null,
  kind integer not null,
  subject text not null,
  client_id text not null,
  server text not null,
  agent text not null,  -- empty: the first connection will fix it
  created_at integer not null,
  expires_at integer,   -- null: never activated
  window_id text,       -- null: never activated
  duration integer not null,
  issuer_id text not null,    -- of the token that was brought last
  signing_key text not null,  -- what signed it, by its thumbprint
  policy_epoch integer not null,
  policy_version integer not null,
  call_budget integer not null,  -- counted calls it may make; 0: no limit
  calls integer not null,
  is_reported integer not null,  -- its agent has said how many it made
  is_unreviewed integer not null,  -- it broke glass, and nobody has reviewed it
  is_unnotified integer not null,  -- and some of those who were skipped have not been told
  session blob not null,
  revision integer not null,
  constraint sessions_pk primary key (id),
  constraint sessions_request_opens_one unique (realm, kind, subject, client_id, request_id),
  constraint sessions_window_exists foreign key (window_id) references windows (id),
  constraint sessions_state_is_known check (state between 1 and 4),
  constraint sessions_active_has_an_end check (state <> 2 or (expires_at is not null and window_id is not null))
) strict;

create index sessions_live_by_principal on sessions (realm, kind, subject, client_id, server) where state in (1, 2);
create index sessions_live_by_agent on sessions (agent) where state in (1, 2);
create index sessions_live_by_end on sessions (expires_at) where state = 2;
create index sessions_unreviewed on sessions (created_at, id) where is_unreviewed;
create index sessions_unnotified on sessions (id) where is_unnotified;
create index sessions_by_window on sessions (window_id);
create index sessions_by_creation on sessions (created_at, id);

-- What has ended stays ended, whatever the program believes.
create trigger sessions_end_is_final before update of state on sessions
when old.state in (3, 4) and new.state <> old.state
begin
  select raise(abort, 'an ended session stays as it ended');
end;
