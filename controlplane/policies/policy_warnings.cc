#include "controlplane/policies/policy_warnings.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/policy/pattern.h"
#include "common/status_macros.h"
#include "common/time_text.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/known_servers.h"

namespace sallyport::controlplane {
namespace {

using Names = google::protobuf::RepeatedPtrField<std::string>;

// Of an approval by `approvers`, which `what` asks for. Owners decide on nothing that is asked for
// the services they own.
void AddNobodyApproves(const types::v1::PolicySpec& policy, const Names& approvers,
                       const std::string& what, std::vector<std::string>& warnings) {
  if (approvers.empty()) return;
  for (int i = 0; i < policy.principals_size(); ++i) {
    const Names& owners = policy.principals(i).owners();
    const bool own_it = std::ranges::all_of(approvers, [&](const std::string& approver) {
      return std::ranges::find(owners, approver) != owners.end();
    });
    if (!own_it) continue;
    warnings.push_back(absl::StrCat("nobody can give the approval that ", what,
                                    " asks for: all of ", absl::StrJoin(approvers, ", "),
                                    " are owners in principals[", i, "]"));
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> PolicyWarnings(Transaction& t,
                                                        const types::v1::PolicySpec& policy,
                                                        absl::Time now) {
  std::vector<std::string> warnings;
  if (policy.has_observe_until() && FromProto(policy.observe_until()) <= now) {
    warnings.push_back(absl::StrCat("its `observe_until` was over at ",
                                    TimeText(FromProto(policy.observe_until())),
                                    ": it refuses what it does not allow"));
  }
  const Names& of_session = policy.session().approval().approvers();
  AddNobodyApproves(policy, of_session, "session.approval", warnings);
  for (int i = 0; i < policy.rules_size(); ++i) {
    if (!policy.rules(i).has_require_approval()) continue;
    const Names& own = policy.rules(i).require_approval().approvers();
    AddNobodyApproves(policy, own.empty() ? of_session : own, absl::StrCat("rules[", i, "]"),
                      warnings);
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> known, known_servers::All(t));
  for (const std::string& pattern : policy.servers()) {
    if (pattern.find('*') == std::string::npos) {
      std::string unknown = known_servers::WhyUnknown(known, pattern);
      if (!unknown.empty()) warnings.push_back(std::move(unknown));
      continue;
    }
    const Glob glob(pattern);
    const bool names_one =
        std::ranges::any_of(known, [&](const std::string& server) { return glob.Matches(server); });
    if (!names_one && !glob.is_all()) {
      warnings.push_back(absl::StrCat("no agent fronts a server that ", pattern, " names"));
    }
  }
  return warnings;
}

}  // namespace sallyport::controlplane
