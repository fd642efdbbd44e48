#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/policy/compiled_policies.h"
#include "controlplane/model/recorded_call.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::controlplane {

// Which rules a recorded call met, and whether other documents have the same ones for it. If they
// do, nothing changes for the call, whatever its arguments were. Not thread-safe.
class RulesThen {
 public:
  // Every version there ever was of each policy, and `documents`, which are not in force.
  static absl::StatusOr<RulesThen> Read(Transaction& t,
                                        const std::vector<types::v1::Document>& documents);

  // `documents` have the same policies for the session's principal and server, with the same rules
  // that could be about the call, as were in force all through the session. Its whole time counts,
  // for an agent hears of a change later than the store does and has a clock of its own. False
  // where that is not known. Cheapest when the calls of one session come one after the other.
  bool AreSame(const types::v1::Session& session, const RecordedCall& call);

 private:
  // One version of a policy, in force from `from` until `until`.
  struct Version {
    types::v1::Document document;
    absl::Time from;
    absl::Time until = absl::InfiniteFuture();
    // Made when a session first asks. Null after that: this release does not understand it.
    std::shared_ptr<const CompiledPolicies> compiled = nullptr;
    bool is_compiled = false;
  };
  static Version VersionOf(const types::v1::Document& document, absl::Time from);
  // Those of `all` that name the session's principal for its server between its times.
  std::vector<const Version*> OfSession(std::vector<Version>& all,
                                        const types::v1::Session& session);
  void Bind(const types::v1::Session& session);

  std::vector<Version> then_;  // by name, each in the order of its versions
  std::vector<Version> documents_;
  // Those of the session that was asked about last.
  std::string session_id_;
  std::vector<const Version*> then_of_session_;
  std::vector<const Version*> documents_of_session_;
  // Whatever the call, they are not the same, or it is not known.
  bool differ_ = false;
};

}  // namespace sallyport::controlplane
