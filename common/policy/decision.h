#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "sallyport/types/v1/denial.pb.h"
#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/session.pb.h"

// What policy says. Plain values.
namespace sallyport {

// No rule.
inline constexpr int kNoRule = -1;

// What a policy that observes has let through: the strictest answer there would have been.
struct Observed {
  // APPROVAL_PENDING: a person would have been asked. SESSION_REQUIRED: the caller would have had
  // to ask for the session first. Else the refusal's.
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  std::string policy = {};
  int rule = kNoRule;
  std::string detail = {};
  bool operator==(const Observed&) const = default;
};

// Whether a principal may have a session with a server, and on what terms.
struct OpenDecision {
  // UNSPECIFIED: yes. SERVER_UNKNOWN: no policy names the principal for this server. SCOPE_MISSING:
  // one would, had the token the scopes. LOCKED. POLICY_DENIED: the policies together can never be
  // met, or not at this hour; `detail` says why.
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  bool is_allowed() const { return reason == types::v1::DENIAL_REASON_UNSPECIFIED; }

  // SCOPE_MISSING: all scopes of the entry that lacks the fewest.
  std::vector<std::string> required_scopes;
  // LOCKED: the lock's name.
  std::string lock;
  // A sentence about a refusal, for people who may know the policies.
  std::string detail;

  // When allowed, and but for the approval with POLICY_DENIED: the policies that name the principal
  // for the server, by name, and what they agree on.
  std::vector<std::string> policies;
  // All fields set but `max_calls` and `lease`, which may be without limit, and `approval`: unset,
  // none is needed. `bind` is ADDRESS or PRINCIPAL, `open` CONNECT or REQUEST.
  types::v1::EffectiveTerms terms;
  // Only beside an approval: the principal may break glass, for as long as this at most. Unset:
  // not.
  std::optional<absl::Duration> break_glass;
  // Set where policies that observe let it through.
  std::optional<Observed> observed;
};

// A place in arguments, as the steps of a pointer; `*` is any member.
using ArgumentPlace = std::vector<std::string>;

// One message of a client, for policy's eyes. Views into the message.
struct PolicyCall {
  std::string_view method;
  // Decoded: the tool, the prompt, the URI, or for completion/complete what its ref names.
  std::string_view target = {};
  // completion/complete: the ref is a resource, not a prompt.
  bool ref_is_resource = false;
  // tools/call: the bytes of `arguments` as they stand in the message. Empty: there are none.
  std::string_view arguments = {};
  // Where `arguments` are not what the server gets: what is there, and in it, is not known. Who
  // judges the call by them takes the word of who knows it that it may pass: a condition that reads
  // such a place denies nothing, a rule that lets through does, and one that asks for an approval
  // asks. So nobody is asked whom the policies do not name, and never fewer.
  std::span<const ArgumentPlace> cut = {};
};

enum class Verdict : std::uint8_t {
  kAllow,
  kRequireApproval,
  // The caller may know that it exists, and hears why it was refused.
  kDeny,
  // No rule speaks for it: to the caller it does not exist.
  kHidden,
};

// At most one call of this effect, whoever makes it: reserved before it is forwarded.
struct OnceDemand {
  // What is reserved: server, pointers and the values they lead to, whichever policy, rule and tool
  // it is about. It holds arguments: store and log a digest of it alone.
  std::string key;
  // Until the effect may be had again. InfiniteDuration: never.
  absl::Duration within = absl::InfiniteDuration();
  // Whose rules they are, which ones, and their pointers.
  std::string policy = {};
  std::vector<int> rules = {};
  std::vector<std::string> by = {};
  bool operator==(const OnceDemand&) const = default;
};

// Of the objects that a principal's calls touch on the server within any `window`.
struct LimitDemand {
  // In this call.
  std::uint64_t objects = 0;
  std::uint64_t per_window = 0;
  absl::Duration window = absl::ZeroDuration();
  // Whose rules they are, which ones, and their pointer. No rules, and no limit: other ones let the
  // call through, and its objects count for these all the same.
  std::string policy = {};
  std::vector<int> rules = {};
  std::string count = {};
  bool operator==(const LimitDemand&) const = default;
};

struct CallDecision {
  Verdict verdict = Verdict::kHidden;
  // kDeny: POLICY_DENIED, CONDITION_FAILED or, for too many objects in one call, LIMIT_EXCEEDED.
  // kHidden: METHOD_UNKNOWN for a method, else POLICY_DENIED.
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  // The policy whose rule decided, and which of its rules. Empty and kNoRule: none did. Its own
  // copy: a decision often outlives the SessionPolicy, which the next snapshot replaces.
  std::string policy = {};
  int rule = kNoRule;
  // kDeny: a sentence, which holds nothing of the arguments. Empty: the reason says it all.
  std::string detail = {};
  // With kRequireApproval, and where `on_unknown` is ASK: whom to ask, how many of them, and for
  // how long.
  std::vector<std::string> approvers = {};
  std::uint32_t count = 0;
  absl::Duration expires_after = absl::ZeroDuration();
  // The rest only with kAllow and kRequireApproval; each demand holds.
  std::vector<OnceDemand> once = {};
  std::vector<LimitDemand> limits = {};
  // ALLOW, ASK or DENY: what becomes of it if an identical call's outcome is unknown.
  types::v1::OnUnknown on_unknown = types::v1::ON_UNKNOWN_ALLOW;
  // Set where policies that observe let it through.
  std::optional<Observed> observed = {};
};

// Whether the answer to a call is its own decision, and not that no session can be opened for it:
// one may be open since before, and then the call is refused in it.
inline bool IsDecidedInSession(const OpenDecision& open, const CallDecision& call) {
  const bool is_refused = call.verdict == Verdict::kDeny || call.verdict == Verdict::kHidden;
  return open.is_allowed() || (!open.policies.empty() && is_refused);
}

// What of a server's and of a client's capabilities the session can use at all.
struct UsableCapabilities {
  bool tools = false;
  // Some of them a person must approve first, or may be asked about.
  bool approved_tools = false;
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
