#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/policy/compiled_policies.h"
#include "common/policy/decision.h"
#include "controlplane/store/database.h"
#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport::controlplane {

// What holds now for whom a suggestion is for.
struct TermsInForce {
  // Whatever the hour, and as if his token had the scopes that are asked for. Where the policies
  // have no approver in common, the approval names those of all of them. Unset: no policy names
  // him.
  std::optional<OpenDecision> open;
  std::vector<std::string> mask;
  types::v1::RecordingContent recording = types::v1::RECORDING_CONTENT_MASKED;
  // What the policies that name him ask of him beside his name, so far as one entry can say it; and
  // his owners by any of them.
  types::v1::PrincipalMatch match;
  // Where all of them say the same.
  std::vector<types::v1::Hours> hours;
  // Of those of them that are enforced, each complete: nothing in it is left to its policy's
  // session.
  std::vector<types::v1::Rule> rules;
  // Those of them that observe, and until when, a sentence each.
  std::vector<std::string> trials;
  // What one policy cannot say of theirs, a sentence each.
  std::vector<std::string> not_carried;
};

// The documents in force at one moment, but for locks.
class PoliciesInForce {
 public:
  static absl::StatusOr<PoliciesInForce> Read(Database& control, absl::Time now);

  TermsInForce For(const types::v1::Session& session) const;

 private:
  // `principal` is the session's, and gets the scopes that it lacks.
  OpenDecision Open(const types::v1::Session& session, types::v1::Principal& principal) const;

  std::vector<types::v1::Document> documents_;
  // The same, but for their hours.
  std::shared_ptr<const CompiledPolicies> at_any_hour_;
  absl::Time now_;
};

}  // namespace sallyport::controlplane
