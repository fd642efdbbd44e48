-- What of an open approval is too long for its row, which has it cut: the serialized types.v1.Approval with those members and no others.
create table approval_texts (
  approval_id text not null,
  realm text not null,  -- whose approval it is
  kind integer not null,
  subject text not null,
  bytes integer not null,
  texts blob not null,
  constraint approval_texts_pk primary key (approval_id),
  constraint approval_texts_approval_exists foreign key (approval_id) references approvals (id)
) strict;

create index approval_texts_by_principal on approval_texts (realm, kind, subject, bytes);
