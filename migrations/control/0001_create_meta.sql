-- Facts about the deployment as a whole, by name.
create table meta (
  name text not null,
  value text not null,
  constraint meta_pk primary key (name)
) strict, without rowid;

insert into meta (name, value) values ('snapshot_epoch', '1'), ('snapshot_version', '1'), ('documents_version', '1');

-- The deployment's own name: 26 characters of base32 from random bytes, five bits each.
insert into meta (name, value)
with recursive place (n) as (select 1 union all select n + 1 from place where n < 26)
select 'deployment_id', group_concat(substr('abcdefghijklmnopqrstuvwxyz234567', 1 + (random() & 31), 1), '') from place;
