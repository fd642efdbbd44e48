#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace sallyport {

// Several demands for approval of one thing: of those whom all of them name, as many as the one
// that asks for most, within the shortest time.
class CommonApprovers {
 public:
  template <class Strings>
  void Add(const Strings& approvers, std::uint32_t count, absl::Duration expires_after) {
    if (!approvers_) {
      approvers_.emplace(approvers.begin(), approvers.end());
    } else {
      std::erase_if(*approvers_, [&](const std::string& name) {
        return std::find(approvers.begin(), approvers.end(), name) == approvers.end();
      });
    }
    count_ = std::max(count_, count);
    expires_after_ = std::min(expires_after_, expires_after);
  }

  bool is_needed() const { return approvers_.has_value(); }
  // Only when needed. Empty: they agree on nobody.
  const std::vector<std::string>& approvers() const { return *approvers_; }
  std::uint32_t count() const { return count_; }
  absl::Duration expires_after() const { return expires_after_; }

 private:
  std::optional<std::vector<std::string>> approvers_;
  std::uint32_t count_ = 1;
  absl::Duration expires_after_ = absl::InfiniteDuration();
};

}  // namespace sallyport
