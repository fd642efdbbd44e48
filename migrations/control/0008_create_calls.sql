-- Calls that were let through by a reservation, or whose outcome is unknown. `call` is the serialized types.v1.Call; the other columns
-- repeat what is asked for, or belong to the row alone.
create table calls (
  session_id text not null,
  call_id text not null,
  server text not null,
  realm text not null,
  kind integer not null,
  subject text not null,
  method text not null,
  target text not null,
  digest text not null,  -- what tells an identical call, in all sessions
  state integer not null,
  reserved_at integer not null,
  holds_for_good integer not null,  -- it does something that is done once and never again
  call blob not null,
  revision integer not null,
  constraint calls_pk primary key (session_id, call_id),
  constraint calls_session_exists foreign key (session_id) references sessions (id),
  constraint calls_state_is_known check (state between 1 and 4)
) strict;

create index calls_by_digest on calls (server, digest, reserved_at);
create index calls_by_principal on calls (realm, kind, subject, server, method, target);
create index calls_open on calls (session_id) where state in (1, 4);
create index calls_forgettable on calls (reserved_at) where state = 2 or (state = 3 and not holds_for_good);

-- A call is made once: what was released, or done, stays so.
create trigger calls_settlement_is_final before update of state on calls
when old.state in (2, 3) and new.state <> old.state
begin
  select raise(abort, 'a settled call stays as it was settled');
end;

-- Calls that were in doubt when an identical one was let through all the same: once that is done, the doubt is gone.
create table repeated_calls (
  session_id text not null,
  call_id text not null,
  by_session_id text not null,
  by_call_id text not null,
  constraint repeated_calls_pk primary key (session_id, call_id, by_session_id, by_call_id),
  constraint repeated_calls_call_exists foreign key (session_id, call_id) references calls (session_id, call_id),
  constraint repeated_calls_by_exists foreign key (by_session_id, by_call_id) references calls (session_id, call_id)
) strict;

create index repeated_calls_by on repeated_calls (by_session_id, by_call_id);

-- What a call does once: one row for each value. It holds until the call is released.
create table once_effects (
  session_id text not null,
  call_id text not null,
  server text not null,
  digest text not null,
  constraint once_effects_pk primary key (session_id, call_id, digest),
  constraint once_effects_call_exists foreign key (session_id, call_id) references calls (session_id, call_id)
) strict;

create index once_effects_by_digest on once_effects (server, digest);

-- How many objects a call touches, by the argument that lists them. They count until the call is released.
create table object_counts (
  session_id text not null,
  call_id text not null,
  realm text not null,
  kind integer not null,
  subject text not null,
  server text not null,
  counted text not null,  -- RFC 6901 pointer
  objects integer not null,
  reserved_at integer not null,
  constraint object_counts_pk primary key (session_id, call_id, counted),
  constraint object_counts_call_exists foreign key (session_id, call_id) references calls (session_id, call_id)
) strict;

create index object_counts_by_principal on object_counts (realm, kind, subject, server, counted, reserved_at);
