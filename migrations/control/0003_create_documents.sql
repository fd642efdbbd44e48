-- Policies, mask profiles and locks. `document` is the serialized types.v1.Document; the other columns repeat what is asked for.
create table documents (
  kind integer not null,
  name text not null,
  version integer not null,
  document blob not null,
  constraint documents_pk primary key (kind, name),
  constraint documents_kind_is_known check (kind between 1 and 3),
  constraint documents_version_is_positive check (version > 0)
) strict, without rowid;
