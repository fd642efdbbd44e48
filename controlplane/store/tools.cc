#include "controlplane/store/tools.h"

#include <set>
#include <string>

#include "common/status_macros.h"

namespace sallyport::controlplane::tools {

absl::StatusOr<std::optional<Tool>> Find(Transaction& t, std::string_view server,
                                         std::string_view name) {
  Statement find = t.Prepare("select tool from tools where server = ? and name = ?");
  find.Text(server).Text(name);
  ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return std::nullopt;
  types::v1::Tool tool;
  RETURN_IF_ERROR(find.Read(0, &tool));
  return Tool(std::move(tool));
}

absl::StatusOr<std::vector<Tool>> List(Transaction& t, std::string_view server,
                                       std::string_view after_name, int limit) {
  Statement list =
      t.Prepare("select tool from tools where server = ? and name > ? order by name limit ?");
  list.Text(server).Text(after_name).Int(limit);
  std::vector<Tool> found;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return found;
    types::v1::Tool tool;
    RETURN_IF_ERROR(list.Read(0, &tool));
    found.emplace_back(std::move(tool));
  }
}

absl::StatusOr<int64_t> Count(Transaction& t, std::string_view server) {
  Statement count = t.Prepare("select count(*) from tools where server = ?");
  count.Text(server);
  RETURN_IF_ERROR(count.Step().status());
  return count.integer(0);
}

absl::StatusOr<std::vector<types::v1::ToolPin>> Pins(Transaction& t, std::string_view server) {
  Statement list =
      t.Prepare("select name, definition_hash, state from tools where server = ? order by name");
  list.Text(server);
  std::vector<types::v1::ToolPin> pins;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return pins;
    types::v1::ToolPin& pin = pins.emplace_back();
    pin.set_server(std::string(server));
    pin.set_name(std::string(list.text(0)));
    pin.set_definition_hash(std::string(list.text(1)));
    pin.set_is_changed(list.integer(2) == types::v1::TOOL_STATE_CHANGED);
  }
}

namespace {

absl::StatusOr<std::set<std::string, std::less<>>> UnlistedBy(Transaction& t,
                                                              std::string_view server,
                                                              std::string_view agent) {
  Statement list = t.Prepare("select name from unlisted_tools where server = ? and agent = ?");
  list.Text(server).Text(agent);
  std::set<std::string, std::less<>> names;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return names;
    names.emplace(list.text(0));
  }
}

}  // namespace

absl::StatusOr<bool> PutList(WriteTransaction& t, std::string_view server, std::string_view agent,
                             std::span<const std::string> unlisted, absl::Time now) {
  ASSIGN_OR_RETURN(
      int64_t news,
      t.Prepare("insert into tool_lists (server, agent) values (?, ?) on conflict do nothing")
          .Text(server)
          .Text(agent)
          .RunCounted());
  ASSIGN_OR_RETURN(auto found_again, UnlistedBy(t, server, agent));
  for (const std::string& name : unlisted) {
    if (found_again.erase(name) > 0) continue;
    ASSIGN_OR_RETURN(const int64_t inserted,
                     t.Prepare("insert into unlisted_tools (server, name, agent, since) "
                               "select server, name, ?, ? from tools where server = ? and name = ? "
                               "on conflict do nothing")
                         .Text(agent)
                         .Time(now)
                         .Text(server)
                         .Text(name)
                         .RunCounted());
    news += inserted;
  }
  for (const std::string& name : found_again) {
    RETURN_IF_ERROR(
        t.Prepare("delete from unlisted_tools where server = ? and name = ? and agent = ?")
            .Text(server)
            .Text(name)
            .Text(agent)
            .Run());
    ++news;
  }
  return news > 0;
}

absl::StatusOr<std::map<std::string, absl::Time, std::less<>>> Unlisted(Transaction& t,
                                                                        std::string_view server) {
  Statement list = t.Prepare(
      "with lists as (select agent from tool_lists join agents on name = agent "
      "where server = ?1 and banned_at is null "
      "and instr(char(10) || servers, char(10) || ?1 || char(10)) > 0) "
      "select name, max(since) from unlisted_tools "
      "where server = ?1 and agent in (select agent from lists) "
      "group by name having count(*) = (select count(*) from lists)");
  list.Text(server);
  std::map<std::string, absl::Time, std::less<>> since;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, list.Step());
    if (!row) return since;
    since.emplace(list.text(0), list.time(1));
  }
}

absl::Status Put(WriteTransaction& t, const Tool& tool) {
  return t
      .Prepare(
          "insert into tools (server, name, state, definition_hash, tool) values (?, ?, ?, ?, "
          "?) on conflict (server, name) do update set state = excluded.state, "
          "definition_hash = excluded.definition_hash, tool = excluded.tool")
      .Text(tool.proto().server())
      .Text(tool.proto().name())
      .Int(tool.proto().state())
      .Text(tool.proto().definition_hash())
      .Proto(tool.proto())
      .Run();
}

absl::Status Delete(WriteTransaction& t, const Tool& tool) {
  return t.Prepare("delete from tools where server = ? and name = ?")
      .Text(tool.proto().server())
      .Text(tool.proto().name())
      .Run();
}

}  // namespace sallyport::controlplane::tools
