#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "controlplane/store/database.h"

// Names of servers that somebody has spoken of: an agent that enrolled for it, banned or not,
// or may enroll, a Server document, or tools that were seen. A name that is not among them is a
// mistake, or early.
namespace sallyport::controlplane::known_servers {

// Each once, in order.
absl::StatusOr<std::vector<std::string>> All(Transaction& t);

// Those that an agent has enrolled for, banned or not, or may enroll.
absl::StatusOr<std::vector<std::string>> Fronted(Transaction& t);

// A sentence that says so of a name that is not among `known`, and which ones are like it. Empty:
// it is one of them.
std::string WhyUnknown(const std::vector<std::string>& known, std::string_view name);

}  // namespace sallyport::controlplane::known_servers
