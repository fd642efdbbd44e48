#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "sallyport/types/v1/denial.pb.h"
#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/session.pb.h"

// What policy says. Plain values.
namespace sallyport {

// Whether a principal may have a session with a server, and on what terms.
struct OpenDecision {
  // UNSPECIFIED: yes. SERVER_UNKNOWN: no policy names the principal for this server. SCOPE_MISSING:
  // one would, had the token the scopes. LOCKED. POLICY_DENIED: the policies together can never be
  // met; `detail` says why.
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  bool is_allowed() const { return reason == types::v1::DENIAL_REASON_UNSPECIFIED; }

  // SCOPE_MISSING: all scopes of the entry that lacks the fewest.
  std::vector<std::string> required_scopes;
  // LOCKED: the lock's name.
  std::string lock;
  // A sentence about a refusal, for people who may know the policies.
  std::string detail;

  // Only when allowed: the policies that name the principal for the server, by name, and what they
  // agree on.
  std::vector<std::string> policies;
  types::v1::OpenMode open = types::v1::OPEN_MODE_CONNECT;
  // All fields set; `bind` is ADDRESS or PRINCIPAL.
  types::v1::EffectiveTerms terms;
  // Unset: no approval is needed. All fields set.
  std::optional<types::v1::ApprovalTerms> approval;
};

// One message of a client, for policy's eyes. Views into the message.
struct PolicyCall {
  std::string_view method;
  // Decoded: the tool, the prompt, the URI, or for completion/complete what its ref names.
  std::string_view target = {};
  // completion/complete: the ref is a resource, not a prompt.
  bool ref_is_resource = false;
  // tools/call: the bytes of `arguments` as they stand in the message. Empty: there are none.
  std::string_view arguments = {};
};

enum class Verdict : std::uint8_t {
  kAllow,
  kRequireApproval,
  // The caller may know that it exists, and hears why it was refused.
  kDeny,
  // No rule speaks for it: to the caller it does not exist.
  kHidden,
};

struct CallDecision {
  Verdict verdict = Verdict::kHidden;
  // kDeny: POLICY_DENIED or CONDITION_FAILED. kHidden: METHOD_UNKNOWN for a method, else
  // POLICY_DENIED.
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  // The policy whose rule decided. Empty: none did. Its own copy: a decision often outlives the
  // SessionPolicy, which the next snapshot replaces.
  std::string policy = {};
  // kDeny: a sentence, static. Empty: the reason says it all.
  std::string_view detail = {};
  // Only with kRequireApproval.
  std::vector<std::string> approvers = {};
  absl::Duration expires_after = absl::ZeroDuration();
};

// What of a server's and of a client's capabilities the session can use at all.
struct UsableCapabilities {
  bool tools = false;
  bool resources = false;
  bool subscriptions = false;
  bool prompts = false;
  bool completions = false;
  bool logging = false;
  // Calls that go on behind their answer; the list and the end of them beside.
  bool tasks = false;
  bool task_list = false;
  bool task_cancel = false;
  // The same in the modern era, where asking how a task stands brings its result.
  bool task_extension = false;
  // What the server may ask of the client.
  bool sampling = false;
  bool elicitation = false;
  bool roots = false;
  bool operator==(const UsableCapabilities&) const = default;
};

}  // namespace sallyport
