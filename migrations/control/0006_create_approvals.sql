-- `approval` is the serialized types.v1.Approval; the other columns repeat what is asked for, or belong to the row alone.
create table approvals (
  id text not null,
  session_id text not null,
  agent text not null,   -- of a call; empty for a session's
  method text not null,  -- empty: it is for the session itself
  target text not null,
  arguments_digest text not null,
  call_digest text not null,  -- tells an identical call in all sessions; empty: there is none
  state integer not null,
  created_at integer not null,
  expires_at integer not null,
  owners text not null,   -- who never decide for the requester, one a line
  call_id text not null,  -- what consumed it
  is_unnotified integer not null,  -- nobody has been told of it
  approval blob not null,
  revision integer not null,
  constraint approvals_pk primary key (id),
  constraint approvals_session_exists foreign key (session_id) references sessions (id),
  constraint approvals_state_is_known check (state between 1 and 7),
  constraint approvals_consumed_by_something check (state <> 6 or call_id <> '')
) strict;

create index approvals_open_by_session on approvals (session_id, method, target, arguments_digest) where state in (1, 2);
create index approvals_open_by_agent on approvals (agent) where state in (1, 2);
create index approvals_open_by_end on approvals (expires_at) where state in (1, 2);
create index approvals_of_sessions_by_end on approvals (expires_at) where method = '';
create index approvals_denied_by_call on approvals (call_digest) where state = 3 and call_digest <> '';
create index approvals_unnotified on approvals (id) where state = 1 and is_unnotified = 1;
create index approvals_by_creation on approvals (created_at, id);

-- One decision, used once: what is closed stays closed.
create trigger approvals_close_is_final before update of state on approvals
when old.state in (3, 4, 5, 6, 7) and new.state <> old.state
begin
  select raise(abort, 'a closed approval stays as it closed');
end;
