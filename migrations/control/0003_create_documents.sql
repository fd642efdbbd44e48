-- Every version there ever was of a policy, mask profile, server document or lock. `document` is the serialized types.v1.Document; of a
-- deletion it says who and when, and has no spec. `restored_from`: the version whose content this one has again; 0: it was applied.
create table document_versions (
  kind integer not null,
  name text not null,
  version integer not null,
  is_deletion integer not null,
  restored_from integer not null,
  document blob not null,
  constraint document_versions_pk primary key (kind, name, version),
  constraint document_versions_kind_is_known check (kind between 1 and 4),
  constraint document_versions_version_is_positive check (version > 0),
  constraint document_versions_restored_is_older check (restored_from between 0 and version - 1)
) strict, without rowid;

create trigger document_versions_never_change before update on document_versions
begin
  select raise(abort, 'versions of documents are append-only');
end;

create trigger document_versions_never_go before delete on document_versions
begin
  select raise(abort, 'versions of documents are append-only');
end;

-- Those in force: the latest version, unless that is a deletion.
create table documents (
  kind integer not null,
  name text not null,
  version integer not null,
  constraint documents_pk primary key (kind, name),
  constraint documents_version_exists foreign key (kind, name, version) references document_versions (kind, name, version)
) strict, without rowid;
