#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "controlplane/store/database.h"

namespace sallyport::controlplane {

// Who was asked for an approval, how many of them, and how long they had. Nobody: empty.
struct AskedPeople {
  std::vector<std::string> approvers;
  uint32_t count = 0;
  int64_t expires_after_seconds = 0;
  auto operator<=>(const AskedPeople&) const = default;
  bool empty() const { return approvers.empty(); }
};

// Those of an approval; without an id, nobody. kNotFound: there is no such approval.
absl::StatusOr<AskedPeople> ReadAskedPeople(Database& control, std::string_view approval_id);

}  // namespace sallyport::controlplane
