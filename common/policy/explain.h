#pragma once

#include <memory>
#include <string_view>

#include "absl/time/time.h"
#include "common/policy/compiled_policies.h"
#include "common/policy/decision.h"
#include "sallyport/types/v1/explanation.pb.h"
#include "sallyport/types/v1/principal.pb.h"

namespace sallyport {

// What is asked about. Neither of the two: the opening of a session.
struct Question {
  // Of the client. An empty method: none.
  PolicyCall call = {};
  // Of the server, by policy's word: sampling, elicitation or roots.
  std::string_view server_request = {};
};

// Decides as EvaluateOpen and SessionPolicy do, and says why and what would change it. `agent` as
// for EvaluateOpen. It names policies, rules, pointers and patterns, never a value of an argument.
types::v1::Explanation Explain(std::shared_ptr<const CompiledPolicies> policies,
                               const types::v1::Principal& principal, std::string_view server,
                               std::string_view agent, const Question& question, absl::Time now);

}  // namespace sallyport
