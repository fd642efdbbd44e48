#include "controlplane/store/tools.h"

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
