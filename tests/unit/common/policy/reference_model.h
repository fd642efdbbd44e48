#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sallyport/types/v1/denial.pb.h"
#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/principal.pb.h"
#include "tests/unit/common/policy/reference_match.h"

// Policy a second time, written from its description alone: slow, by definition rather than by
// algorithm, sharing no code with common/policy.
namespace sallyport::reference {

// The policy `p<i>` is the i-th, and policies are in the order of their names.
using Policies = std::vector<types::v1::PolicySpec>;

struct Call {
  std::string method;
  std::string target;
  // `/v` of the arguments. nullopt: it is not there.
  std::optional<Value> argument = std::nullopt;
  // What `/v` shows is not what the server gets.
  bool is_cut = false;
  // completion/complete: of a resource, not of a prompt.
  bool of_resource = false;
};

// The token of a call, and that with which its session was opened.
struct Tokens {
  types::v1::Principal principal;
  types::v1::Principal opened_as;
};

struct Decision {
  std::string verdict;  // allow, approve, deny, hidden
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  // The policy and the rule that decide; -1: none.
  int policy = -1;
  int rule = -1;
  // Whom to ask, for an approval or about an unknown outcome.
  std::set<std::string> approvers = {};
  int count = 0;
  long expires_seconds = 0;
  // What is reserved and what is counted: policy, tools and values; with the time in seconds.
  std::set<std::pair<std::string, long>> once = {};
  std::set<std::string> limits = {};
  types::v1::OnUnknown on_unknown = types::v1::ON_UNKNOWN_ALLOW;
  // UNSPECIFIED: nothing was let through that would not have been.
  types::v1::DenialReason observed = types::v1::DENIAL_REASON_UNSPECIFIED;
  bool operator==(const Decision&) const = default;
};

// How the opening of a session is decided. Durations in seconds, 0 where there is none.
struct Opening {
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  bool must_request = false;
  std::set<std::string> approvers = {};
  int count = 0;
  long expires_seconds = 0;
  long break_glass_seconds = 0;
  bool is_strict = false;
  long lease_seconds = 0;
  long max_duration_seconds = 0;
  // per, within, and the number.
  std::set<std::vector<long>> limits = {};
  types::v1::DenialReason observed = types::v1::DENIAL_REASON_UNSPECIFIED;
  bool operator==(const Opening&) const = default;
};

// `now` in seconds of the epoch.
Decision Decide(const Policies& policies, const Tokens& tokens, const std::string& server,
                const Call& call, long now);
// A request of the server, by policy's word for it.
Decision DecideServerRequest(const Policies& policies, const Tokens& tokens,
                             const std::string& server, const std::string& word, long now);

Opening Open(const Policies& policies, const types::v1::Principal& principal,
             const std::string& server, long now);

// Whether a tool stands in the list: some arguments at some hour would let it through, if need be
// by approval.
bool Shows(const Policies& policies, const Tokens& tokens, const std::string& server,
           const std::string& tool, long now);
// The same of a template of resources, for some of what comes of it.
bool ShowsTemplate(const Policies& policies, const Tokens& tokens, const std::string& server,
                   const std::string& uri_template, long now);

}  // namespace sallyport::reference
