-- Which agents have read all of a server's list of tools, and which of its pinned tools were not in it when they did so last.
create table tool_lists (
  server text not null,
  agent text not null,
  constraint tool_lists_pk primary key (server, agent)
) strict, without rowid;

create table unlisted_tools (
  server text not null,
  name text not null,
  agent text not null,
  since integer not null,
  constraint unlisted_tools_pk primary key (server, name, agent),
  constraint unlisted_tools_tool_exists foreign key (server, name) references tools (server, name) on delete cascade,
  constraint unlisted_tools_list_exists foreign key (server, agent) references tool_lists (server, agent)
) strict, without rowid;

create index unlisted_tools_by_agent on unlisted_tools (server, agent);
