-- The tools of servers and the definitions they are pinned to. `tool` is the serialized types.v1.Tool; the other columns repeat what is
-- asked for.
create table tools (
  server text not null,
  name text not null,
  state integer not null,
  definition_hash text not null,
  tool blob not null,
  constraint tools_pk primary key (server, name),
  constraint tools_state_is_known check (state between 1 and 2),
  constraint tools_definition_is_hashed check (length(definition_hash) = 64)
) strict, without rowid;
