create table agents (
  name text not null,
  servers text not null,  -- names, one a line: a server's name has no line break
  enrolled_at integer not null,
  certificate_expires_at integer not null,
  last_seen_at integer,
  banned_at integer,      -- null: it is not banned
  ban_reason text not null,
  constraint agents_pk primary key (name)
) strict, without rowid;

-- A join secret is there as its hash only: 256 random bits need no salt.
create table join_tokens (
  secret_sha256 blob not null,
  name text not null,
  servers text not null,
  created_at integer not null,
  expires_at integer not null,
  used_at integer,
  constraint join_tokens_pk primary key (secret_sha256),
  constraint join_tokens_secret_is_hashed check (length(secret_sha256) = 32)
) strict, without rowid;
