#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "controlplane/store/database.h"

namespace sallyport::controlplane {

// An approval of which nobody is to be told any more that it waits.
struct Moot {
  std::string why;  // "the approval is consumed"
  // It expired before anybody had said a word: a notice that did not arrive was one lost.
  bool is_lost = false;
};

// nullopt: it is pending, or there is none of that id (empty: the notice is about something else).
absl::StatusOr<std::optional<Moot>> MootOf(Transaction& t, std::string_view approval_id);

}  // namespace sallyport::controlplane
