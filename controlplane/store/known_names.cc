#include "controlplane/store/known_names.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "controlplane/store/known_servers.h"
#include "controlplane/store/locks.h"

namespace sallyport::controlplane::known_names {

absl::Status Check(Transaction& t, std::string_view server, std::string_view realm,
                   std::string_view name) {
  if (!server.empty()) {
    ASSIGN_OR_RETURN(const std::vector<std::string> known, known_servers::All(t));
    const std::string unknown = known_servers::WhyUnknown(known, server);
    if (!unknown.empty()) return absl::NotFoundError(unknown);
  }
  if (realm.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool is_known, locks::KnowsName(t, realm, name));
  if (is_known) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("nobody called ", ToAbsl(realm), ":", ToAbsl(name),
                                          " has ever had a session or done anything here"));
}

}  // namespace sallyport::controlplane::known_names
