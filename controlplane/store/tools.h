#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controlplane/model/tool.h"
#include "controlplane/store/database.h"

// Tools and what they are pinned to, in control.db.
namespace sallyport::controlplane::tools {

// nullopt: nobody has seen it.
absl::StatusOr<std::optional<Tool>> Find(Transaction& t, std::string_view server,
                                         std::string_view name);

// By name, those after `after_name`, at most `limit`.
absl::StatusOr<std::vector<Tool>> List(Transaction& t, std::string_view server,
                                       std::string_view after_name, int limit);
absl::StatusOr<int64_t> Count(Transaction& t, std::string_view server);

// What agents that front `server` must know of all its tools.
absl::StatusOr<std::vector<types::v1::ToolPin>> Pins(Transaction& t, std::string_view server);

// `agent` has read all of the server's list, in which these tools were not. Whether that is news;
// what is not pinned is passed over.
absl::StatusOr<bool> PutList(WriteTransaction& t, std::string_view server, std::string_view agent,
                             std::span<const std::string> unlisted, absl::Time now);
// Tools that no agent in service that fronts the server, and has read all of its list, found there
// last; and since when.
absl::StatusOr<std::map<std::string, absl::Time, std::less<>>> Unlisted(Transaction& t,
                                                                        std::string_view server);

// Creates or replaces. Whoever puts or deletes raises the snapshot's version.
absl::Status Put(WriteTransaction& t, const Tool& tool);
absl::Status Delete(WriteTransaction& t, const Tool& tool);

}  // namespace sallyport::controlplane::tools
