#include "controlplane/policies/observed_use.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kMostNames = 500;
constexpr std::size_t kMostArguments = 50;
constexpr std::size_t kLongestLiteral = 100;

// RFC 6901.
std::string PointerTo(const std::string& member) {
  return absl::StrCat("/", absl::StrReplaceAll(member, {{"~", "~0"}, {"/", "~1"}}));
}

// A condition compares it exactly as it stood. Of numbers the whole ones: another's literal is lost
// here.
bool IsScalar(const nlohmann::json& value) {
  return value.is_string() || value.is_boolean() || value.is_number_integer();
}

}  // namespace

void ArgumentUse::Add(const std::string& literal) {
  ++calls_;
  if (literal.empty() || literal.size() > kLongestLiteral) {
    has_more_ = true;
  } else if (!has_more_) {
    literals_.insert(literal);
    has_more_ = literals_.size() > kMostValues;
  }
  if (has_more_) literals_.clear();
}

std::vector<types::v1::Scalar> ArgumentUse::Values() const {
  std::vector<types::v1::Scalar> values;
  for (const std::string& literal : literals_) {
    const auto value = nlohmann::json::parse(literal, nullptr, /*allow_exceptions=*/false);
    types::v1::Scalar& scalar = values.emplace_back();
    if (value.is_string()) {
      scalar.set_text(value.get<std::string>());
    } else if (value.is_boolean()) {
      scalar.set_flag(value.get<bool>());
    } else {
      scalar.set_number(literal);
    }
  }
  return values;
}

void ToolUse::Add(const RecordedCall& call) {
  ++calls;
  if (is_hidden) return;
  is_hidden = !call.arguments.has_value() || !call.masked.empty();
  const auto object = is_hidden || call.arguments->empty()
                          ? nlohmann::json::object()
                          : nlohmann::json::parse(*call.arguments, nullptr, false);
  if (is_hidden || !object.is_object() || arguments.size() > kMostArguments) {
    is_hidden = true;
    arguments.clear();
    return;
  }
  for (const auto& [member, value] : object.items()) {
    arguments[PointerTo(member)].Add(IsScalar(value) ? value.dump() : "");
  }
}

bool ObservedUse::HasRoom(std::size_t size) {
  has_dropped_ = has_dropped_ || size >= kMostNames;
  return size < kMostNames;
}

void ObservedUse::AddOpening(const types::v1::Session& session, const AskedPeople& asked) {
  ++sessions_;
  if (asked_for_session_.empty()) asked_for_session_ = asked;
  const absl::Time opened = FromProto(session.opened_at());
  const absl::Time ended =
      session.has_ended_at() ? FromProto(session.ended_at()) : FromProto(session.expires_at());
  longest_ = std::max(longest_, ended - opened);
}

void ObservedUse::Add(const RecordedCall& call, const AskedPeople& asked) {
  ++calls_;
  if (call.kind == RecordedCall::Kind::kServerRequest) {
    server_requests_.insert(call.method);
    return;
  }
  if (call.is_target_hidden) ++hidden_targets_;
  if (rules_.count(asked) == 0 && !HasRoom(rules_.size())) return;
  RuleUse& rule = rules_[asked];
  const auto note = [&](auto& names, const std::string& name) {
    if (names.count(name) == 0 && HasRoom(names.size())) names.insert(name);
  };
  if (call.method == "tools/call") {
    if (call.is_target_hidden) return;
    if (rule.tools.count(call.target) > 0 || HasRoom(rule.tools.size())) {
      rule.tools[call.target].Add(call);
    }
    return;
  }
  const bool is_read = call.method == "resources/read";
  const bool is_prompt = call.method == "prompts/get";
  if (!is_read && !is_prompt) note(rule.methods, call.method);
  if (call.target.empty() || call.is_target_hidden) return;
  // A completion needs what it completes allowed as well, a subscription its resource.
  const bool names_resource =
      is_read || call.method == "resources/subscribe" || call.method == "resources/unsubscribe" ||
      call.method == "subscriptions/listen" ||
      (call.method == "completion/complete" && call.ref_is_resource.value_or(false));
  if (names_resource) {
    rule.resources.Add(call.target);
  } else if (is_prompt || call.method == "completion/complete") {
    note(rule.prompts, call.target);
  }
}

}  // namespace sallyport::controlplane
