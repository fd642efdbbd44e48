-- One chain for each session, and one for each agent's denials; a chain belongs to the agent that began it.
create table chains (
  session_id text not null,
  agent text not null,
  began_at integer not null,
  constraint chains_pk primary key (session_id)
) strict, without rowid;

-- types.v1.Record, column by column. Times are microseconds since 1970 but for the agent's own clock, in nanoseconds: it is hashed.
create table records (
  session_id text not null,
  n integer not null,
  type integer not null,
  time_unix_nanos integer not null,
  salt blob not null,
  payload blob not null,
  payload_digest blob not null,
  hash blob not null,
  received_at integer not null,
  constraint records_pk primary key (session_id, n),
  constraint records_chain_exists foreign key (session_id) references chains (session_id),
  constraint records_n_is_positive check (n > 0)
) strict;

create trigger records_never_change before update on records
begin
  select raise(abort, 'records are append-only');
end;

create trigger records_never_go before delete on records
begin
  select raise(abort, 'records are append-only');
end;

create trigger chains_never_change before update on chains
begin
  select raise(abort, 'chains are append-only');
end;

create trigger chains_never_go before delete on chains
begin
  select raise(abort, 'chains are append-only');
end;
