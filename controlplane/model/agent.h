#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace sallyport::controlplane {

// An agent that has enrolled. A ban stands until the agent enrolls again; the certificates of
// before stay refused then.
struct Agent {
  std::string name;
  std::vector<std::string> servers;
  absl::Time enrolled_at;
  absl::Time certificate_expires_at;
  absl::Time last_seen_at = absl::InfinitePast();  // infinite past: never
  absl::Time banned_at = absl::InfinitePast();     // infinite past: it is not banned
  std::string ban_reason = {};

  bool is_banned() const { return banned_at != absl::InfinitePast(); }

  bool Fronts(std::string_view server) const {
    return std::find(servers.begin(), servers.end(), server) != servers.end();
  }
};

// Whether that agent's update stream is open. Thread-safe.
using IsConnected = std::function<bool(std::string_view name)>;

// What a join secret stands for.
struct JoinToken {
  std::string name;
  std::vector<std::string> servers;
  absl::Time created_at;
  absl::Time expires_at;
};

}  // namespace sallyport::controlplane
