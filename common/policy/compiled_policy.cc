#include "common/policy/compiled_policy.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/policy/compile_rule.h"
#include "common/policy/spec_checks.h"
#include "common/status_macros.h"

namespace sallyport {
namespace {

constexpr std::array<std::pair<std::string_view, MethodKind>, 18> kMethods = {{
    {"initialize", MethodKind::kFree},
    {"notifications/initialized", MethodKind::kFree},
    {"notifications/cancelled", MethodKind::kFree},
    {"notifications/progress", MethodKind::kFree},
    {"ping", MethodKind::kFree},
    {"server/discover", MethodKind::kFree},
    {"tools/list", MethodKind::kFree},
    {"resources/list", MethodKind::kFree},
    {"resources/templates/list", MethodKind::kFree},
    {"prompts/list", MethodKind::kFree},
    {"tools/call", MethodKind::kTool},
    {"resources/read", MethodKind::kResource},
    {"prompts/get", MethodKind::kPrompt},
    {"completion/complete", MethodKind::kCompletion},
    {"resources/subscribe", MethodKind::kSubscribe},
    {"resources/unsubscribe", MethodKind::kSubscribe},
    {"subscriptions/listen", MethodKind::kListen},
    {"notifications/roots/list_changed", MethodKind::kRootsList},
}};

}  // namespace

MethodKind KindOfMethod(std::string_view method) {
  for (const auto& [name, kind] : kMethods) {
    if (name == method) return kind;
  }
  return MethodKind::kOther;
}

absl::Status CompiledPolicy::Compile(std::string_view name, const types::v1::PolicySpec& spec,
                                     CompiledPolicy& policy) {
  policy.name = name;
  policy.spec = spec;
  if (spec.principals().empty()) return WrongAt("principals", "at least one is required");
  for (int i = 0; i < spec.principals_size(); ++i) {
    RETURN_IF_ERROR(CheckPrincipal(absl::StrCat("principals[", i, "]"), spec.principals(i)));
  }
  if (spec.servers().empty()) return WrongAt("servers", "at least one is required");
  for (const std::string& server : spec.servers()) {
    if (server.empty()) return WrongAt("servers", "an empty pattern matches nothing");
    policy.servers.emplace_back(server);
  }
  RETURN_IF_ERROR(CheckSession(spec.session()));
  for (int i = 0; i < spec.hours_size(); ++i) {
    absl::StatusOr<CompiledHours> hours = CompiledHours::Compile(spec.hours(i));
    if (!hours.ok()) return InPlace(absl::StrCat("hours[", i, "]"), hours.status());
    policy.hours.push_back(*hours);
  }
  if (spec.has_observe_until()) {
    policy.observe_until = absl::FromUnixSeconds(spec.observe_until().seconds()) +
                           absl::Nanoseconds(spec.observe_until().nanos());
  }
  policy.rules.resize(static_cast<std::size_t>(spec.rules_size()));
  for (int i = 0; i < spec.rules_size(); ++i) {
    CompiledRule& rule = policy.rules[static_cast<std::size_t>(i)];
    rule.policy = &policy;
    rule.index = i;
    RETURN_IF_ERROR(
        CompileRule(absl::StrCat("rules[", i, "]"), spec.rules(i), spec.session(), rule));
  }
  return absl::OkStatus();
}

bool CompiledPolicy::CoversServer(std::string_view server) const {
  return std::any_of(servers.begin(), servers.end(),
                     [&](const Glob& glob) { return glob.Matches(server); });
}

bool CompiledPolicy::IsOpen(absl::Time now) const {
  return hours.empty() || std::any_of(hours.begin(), hours.end(), [&](const CompiledHours& open) {
           return open.Contains(now);
         });
}

}  // namespace sallyport
