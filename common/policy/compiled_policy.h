#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/policy/condition.h"
#include "common/policy/pattern.h"
#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/principal.pb.h"

// One policy, compiled. For this folder alone.
namespace sallyport {

struct CompiledPolicy;

struct CompiledRule {
  enum class Effect : std::uint8_t { kAllow, kRequireApproval, kDeny };

  Effect effect = Effect::kDeny;
  const CompiledPolicy* policy = nullptr;
  std::vector<Glob> tools;
  std::vector<UriPattern> resources;
  std::vector<Glob> prompts;
  std::vector<Glob> methods;
  std::vector<std::string> server_requests;
  std::vector<CompiledCondition> when;
  // Only for kRequireApproval.
  std::vector<std::string> approvers = {};
  absl::Duration expires_after = absl::ZeroDuration();
};

struct CompiledPolicy {
  std::string name;
  types::v1::PolicySpec spec;
  std::vector<Glob> servers;
  std::vector<CompiledRule> rules;

  // kInvalidArgument, naming the place, for a spec that does not mean exactly one thing or that
  // asks for what this version does not do. Fills `policy`, whose address the rules keep.
  static absl::Status Compile(std::string_view name, const types::v1::PolicySpec& spec,
                              CompiledPolicy& policy);

  bool CoversServer(std::string_view server) const;
  bool needs_approval() const { return spec.session().has_approval(); }
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
