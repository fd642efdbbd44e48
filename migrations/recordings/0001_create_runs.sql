-- One chain for each session, and one for each agent's denials; a chain belongs to the agent that began it.
create table chains (
  session_id text not null,
  agent text not null,
  began_at integer not null,
  constraint chains_pk primary key (session_id)
) strict, without rowid;

-- Records of one chain, as their agent packed them (common/record_run.h); what is beside them is read from them. A row for each record
-- would cost five times as much. `calls`: the requests among them that count against max_calls. Times are microseconds since 1970.
create table runs (
  session_id text not null,
  first_n integer not null,
  last_n integer not null,
  last_type integer not null,
  last_hash blob not null,
  calls integer not null,
  received_at integer not null,
  records blob not null,
  constraint runs_pk primary key (session_id, first_n),
  constraint runs_chain_exists foreign key (session_id) references chains (session_id),
  constraint runs_are_not_empty check (first_n > 0 and last_n >= first_n)
) strict;

create trigger runs_never_change before update on runs
begin
  select raise(abort, 'records are append-only');
end;

create trigger runs_never_go before delete on runs
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
