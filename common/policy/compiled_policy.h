#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/policy/condition.h"
#include "common/policy/hours.h"
#include "common/policy/pattern.h"
#include "sallyport/types/v1/policy.pb.h"

// One policy, compiled. For this folder alone.
namespace sallyport {

struct CompiledPolicy;

struct CompiledOnce {
  std::vector<std::string> by;
  std::vector<std::vector<std::string>> steps;
  absl::Duration within = absl::InfiniteDuration();
};

struct CompiledLimit {
  std::string count;
  std::vector<std::string> steps;
  std::uint64_t per_call = 0;    // 0: no limit
  std::uint64_t per_window = 0;  // 0: no limit
  absl::Duration window = absl::ZeroDuration();
};

struct CompiledRule {
  enum class Effect : std::uint8_t { kAllow, kRequireApproval, kDeny };

  Effect effect = Effect::kDeny;
  const CompiledPolicy* policy = nullptr;
  int index = 0;
  // Among all rules of all policies, in the order of (policy's name, index).
  std::uint32_t ordinal = 0;
  std::vector<NamePattern> tools;
  std::vector<UriPattern> resources;
  std::vector<NamePattern> prompts;
  std::vector<Glob> methods;
  std::vector<std::string> server_requests;
  std::vector<CompiledCondition> when;
  // Not for kDeny. Of kAllow: those of session.approval, whom `on_unknown` may ask.
  std::vector<std::string> approvers = {};
  std::uint32_t count = 1;
  absl::Duration expires_after = absl::ZeroDuration();
  std::optional<CompiledOnce> once;
  std::optional<CompiledLimit> limit;
  // Never UNSPECIFIED.
  types::v1::OnUnknown on_unknown = types::v1::ON_UNKNOWN_ALLOW;

  // It asks something of what it lets through.
  bool IsDemanding() const {
    return effect == Effect::kRequireApproval || once || limit ||
           on_unknown != types::v1::ON_UNKNOWN_ALLOW;
  }
};

struct CompiledPolicy {
  std::string name;
  types::v1::PolicySpec spec;
  std::vector<Glob> servers;
  std::vector<CompiledRule> rules;
  std::vector<CompiledHours> hours;  // empty: always
  absl::Time observe_until = absl::InfinitePast();

  // kInvalidArgument, naming the place, for a spec that does not mean exactly one thing. Fills
  // `policy`, whose address the rules keep.
  static absl::Status Compile(std::string_view name, const types::v1::PolicySpec& spec,
                              CompiledPolicy& policy);

  bool CoversServer(std::string_view server) const;
  bool NeedsApproval() const { return spec.session().has_approval(); }
  bool IsObserving(absl::Time now) const { return now < observe_until; }
  // Within its hours.
  bool IsOpen(absl::Time now) const;
};

// What a method is to policy.
enum class MethodKind : std::uint8_t {
  kFree,        // passes with a live session
  kTool,        // judged by tools
  kResource,    // judged by resources
  kPrompt,      // judged by prompts
  kCompletion,  // by methods, and by what its ref names
  kSubscribe,   // by methods, and by its URI
  kListen,      // by methods, and by each of its URIs
  kRootsList,   // passes where the server may ask for roots
  kOther,       // by methods
};
MethodKind KindOfMethod(std::string_view method);

}  // namespace sallyport
