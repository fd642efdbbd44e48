#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "controlplane/store/database.h"

namespace sallyport::controlplane::known_names {

// What nothing was found for: kNotFound, naming it, where that is a server or a principal of which
// nobody has heard. An empty name stands for all.
absl::Status Check(Transaction& t, std::string_view server, std::string_view realm,
                   std::string_view name);

}  // namespace sallyport::controlplane::known_names
