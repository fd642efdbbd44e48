-- Notices: those that wait to be delivered, and for a while what became of the others.
create table outbox (
  n integer not null,
  id text not null,
  approval_id text not null,  -- what it is about; empty: no approval
  session_id text not null,   -- the session that broke glass; empty: it is about an approval
  notifier text not null,
  type text not null,
  body text not null,         -- the exact bytes to send; empty once delivered or dropped
  state integer not null,
  created_at integer not null,
  next_attempt_at integer not null,
  give_up_at integer not null,
  attempts integer not null,
  last_error text not null,
  constraint outbox_pk primary key (n),
  constraint outbox_id_is_unique unique (id),
  constraint outbox_state_is_known check (state between 1 and 4)
) strict;

create index outbox_by_due on outbox (next_attempt_at) where state = 1;
create index outbox_by_approval on outbox (approval_id);
create index outbox_by_session on outbox (session_id);
create index outbox_settled on outbox (created_at) where state in (2, 3, 4);
