-- Notices that wait to be delivered.
create table outbox (
  n integer not null,
  id text not null,
  notifier text not null,
  body text not null,
  created_at integer not null,
  next_attempt_at integer not null,
  give_up_at integer not null,
  attempts integer not null,
  last_error text not null,
  constraint outbox_pk primary key (n),
  constraint outbox_once_for_each_notifier unique (id, notifier)
) strict;

create index outbox_by_due on outbox (next_attempt_at);
