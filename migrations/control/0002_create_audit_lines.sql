-- Who changed what. Times everywhere are microseconds since 1970.
create table audit_lines (
  n integer not null,
  at integer not null,
  actor text not null,
  address text not null,
  action text not null,
  object text not null,
  denial_reason integer not null,  -- types.v1.DenialReason; 0: it was done
  detail text not null,
  constraint audit_lines_pk primary key (n)
) strict;

-- Whether a lock names somebody who was ever here. Most lines are agents'.
create index audit_lines_of_people on audit_lines (actor) where actor >= 'service:';

create trigger audit_lines_never_change before update on audit_lines
begin
  select raise(abort, 'audit lines are append-only');
end;

create trigger audit_lines_never_go before delete on audit_lines
begin
  select raise(abort, 'audit lines are append-only');
end;
