#include "controlplane/policies/write_suggestion.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/json_printer.h"
#include "common/time_text.h"
#include "common/value.h"
#include "controlplane/model/caller.h"
#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {
namespace {

// Fewer calls say nothing of what an argument may be.
constexpr uint64_t kEnoughCalls = 10;
constexpr std::size_t kLongestName = 63;

std::string DocumentName(std::string_view text) {
  std::string name;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool is_fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
    name += is_fine ? c : '-';
  }
  return name;
}

const std::string& ShortName(const types::v1::Principal& principal) {
  return principal.client_id().empty() ? principal.subject() : principal.client_id();
}

void AddPrincipal(const types::v1::Principal& principal, types::v1::PolicySpec& spec) {
  types::v1::PrincipalMatch& match = *spec.add_principals();
  match.set_realm(principal.realm());
  match.set_kind(principal.kind());
  match.add_subjects(principal.subject());
  if (!principal.client_id().empty()) match.add_client_ids(principal.client_id());
}

// The shortest of a few round times that holds it.
absl::Duration RoundUp(absl::Duration duration) {
  constexpr std::array kSteps = {5, 15, 30, 60, 120, 240, 480, 720};
  for (const int minutes : kSteps) {
    if (duration <= absl::Minutes(minutes)) return absl::Minutes(minutes);
  }
  return absl::Hours(24);
}

// Never looser than what is in force, or was when the latest session opened.
void AddTerms(const ObservedUse& use, const TermsInForce& in_force, types::v1::PolicySpec& spec) {
  types::v1::SessionTerms& session = *spec.mutable_session();
  const types::v1::EffectiveTerms& terms =
      in_force.open.has_value() ? in_force.open->terms : use.latest().terms();
  absl::Duration longest = RoundUp(use.longest());
  if (terms.has_max_duration()) longest = std::min(longest, FromProto(terms.max_duration()));
  *session.mutable_max_duration() = ToProto(longest);
  if (terms.has_idle_timeout()) *session.mutable_idle_timeout() = terms.idle_timeout();
  if (terms.max_calls() != 0) session.set_max_calls(terms.max_calls());
  *session.mutable_limits() = terms.limits();
  session.set_bind(terms.bind());
  session.set_on_control_plane_loss(terms.on_control_plane_loss());
  if (terms.has_lease()) *session.mutable_lease() = terms.lease();
  if (in_force.open.has_value() && in_force.open->terms.open() == types::v1::OPEN_MODE_REQUEST) {
    session.set_open(types::v1::OPEN_MODE_REQUEST);
  }
  if (in_force.open.has_value() && in_force.open->terms.has_approval()) {
    *session.mutable_approval() = in_force.open->terms.approval();
  } else if (!use.asked_for_session().empty()) {
    types::v1::ApprovalTerms& approval = *session.mutable_approval();
    const AskedPeople& asked = use.asked_for_session();
    *approval.mutable_approvers() = {asked.approvers.begin(), asked.approvers.end()};
    approval.set_count(asked.count);
  }
  const std::vector<std::string> silent = {"secrets"};
  if (!in_force.mask.empty() && in_force.mask != silent) {
    *spec.mutable_mask() = {in_force.mask.begin(), in_force.mask.end()};
  }
}

std::vector<types::v1::Condition> ConditionsOf(const ToolUse& tool) {
  std::vector<types::v1::Condition> conditions;
  if (tool.is_hidden || tool.calls < kEnoughCalls) return conditions;
  for (const auto& [pointer, argument] : tool.arguments) {
    if (!argument.IsStable(tool.calls)) continue;
    types::v1::Condition& condition = conditions.emplace_back();
    condition.set_path(pointer);
    for (types::v1::Scalar& value : argument.Values()) *condition.add_in() = std::move(value);
  }
  return conditions;
}

types::v1::RuleBody& BodyFor(const AskedPeople& asked, types::v1::PolicySpec& spec) {
  types::v1::Rule& rule = *spec.add_rules();
  if (asked.empty()) return *rule.mutable_allow();
  types::v1::RuleBody& body = *rule.mutable_require_approval();
  *body.mutable_approvers() = {asked.approvers.begin(), asked.approvers.end()};
  if (asked.count > 1) body.set_count(asked.count);
  return body;
}

// The document as somebody would write it, with what it was made from above it.
std::string Text(const ObservedUse& use, const std::string& name,
                 const types::v1::PolicySpec& spec) {
  const types::v1::Session& session = use.latest();
  Value document = Value::Object();
  document.members.push_back({"kind", Value::String("Policy")});
  document.members.push_back({"name", Value::String(name)});
  document.members.push_back(
      {"spec", ToValue(spec, {.keeps_proto_names = true, .omits_zeros = true})});
  std::string text =
      absl::StrCat("# What ", PrincipalName(session.principal()), " did on ", session.server(),
                   ": ", use.calls(), " calls in ", use.sessions(), " sessions.\n");
  // A name from outside must not end the comment.
  text.erase(std::remove_if(text.begin(), text.end() - 1,
                            [](char c) { return static_cast<unsigned char>(c) < 0x20; }),
             text.end() - 1);
  WriteYaml(document, &text);
  return text;
}

}  // namespace

void SuggestionWriter::Note(const std::string& policy, const std::string& what) {
  notes_.push_back(absl::StrCat(policy, ": ", what));
}

std::string SuggestionWriter::NameFor(const types::v1::Session& session) {
  const std::string base = DocumentName(
      absl::StrCat("suggested-", ShortName(session.principal()), "-", session.server()));
  std::string name = base.substr(0, kLongestName);
  for (int i = 2; !names_.insert(name).second; ++i) {
    const std::string suffix = absl::StrCat("-", i);
    name = base.substr(0, kLongestName - suffix.size()) + suffix;
  }
  return name;
}

void SuggestionWriter::AddNames(const std::set<std::string>& from, const std::string& policy,
                                google::protobuf::RepeatedPtrField<std::string>& names) {
  for (const std::string& name : from) {
    if (name.find('*') != std::string::npos) {
      Note(policy, "a name with a star in it is left out, for it would be a pattern");
    } else {
      *names.Add() = name;
    }
  }
}

void SuggestionWriter::AddRule(const AskedPeople& asked, const RuleUse& use,
                               const std::string& name, types::v1::PolicySpec& spec) {
  std::set<std::string> plain;
  for (const auto& [tool, observed] : use.tools) {
    std::vector<types::v1::Condition> conditions;
    if (with_arguments_) conditions = ConditionsOf(observed);
    if (conditions.empty()) {
      plain.insert(tool);
      continue;
    }
    types::v1::RuleBody& body = BodyFor(asked, spec);
    AddNames({tool}, name, *body.mutable_tools());
    *body.mutable_when() = {conditions.begin(), conditions.end()};
    if (body.tools().empty()) spec.mutable_rules()->RemoveLast();
  }
  types::v1::RuleBody body;
  AddNames(plain, name, *body.mutable_tools());
  AddNames(use.prompts, name, *body.mutable_prompts());
  AddNames(use.methods, name, *body.mutable_methods());
  for (const std::string& pattern : use.resources.Patterns()) body.add_resources(pattern);
  if (use.resources.has_dropped()) Note(name, "some resources are left out: there were too many");
  const bool is_empty = body.tools().empty() && body.prompts().empty() && body.methods().empty() &&
                        body.resources().empty();
  if (!is_empty) BodyFor(asked, spec).MergeFrom(body);
}

void SuggestionWriter::AddRules(const ObservedUse& use, const std::string& name,
                                types::v1::PolicySpec& spec) {
  for (const auto& [asked, rule] : use.rules()) AddRule(asked, rule, name, spec);
  if (!use.server_requests().empty()) {
    types::v1::RuleBody& body = *spec.add_rules()->mutable_allow();
    AddNames(use.server_requests(), name, *body.mutable_server_requests());
  }
  const auto free = use.rules().find(AskedPeople());
  for (const auto& [asked, rule] : use.rules()) {
    if (asked.empty() || free == use.rules().end()) continue;
    for (const auto& [tool, observed] : rule.tools) {
      if (free->second.tools.count(tool) == 0) continue;
      Note(name, absl::StrCat(tool, ": ", observed.calls,
                              " calls passed after an approval and others without; now each "
                              "needs one"));
    }
  }
  if (use.has_dropped()) Note(name, "some names are left out: there were too many");
}

void SuggestionWriter::Add(const ObservedUse& use, const TermsInForce& terms) {
  const types::v1::Session& session = use.latest();
  const std::string name = NameFor(session);
  types::v1::PolicySpec spec;
  AddPrincipal(session.principal(), spec);
  spec.add_servers(session.server());
  AddTerms(use, terms, spec);
  AddRules(use, name, spec);
  if (!terms.stricter.empty()) {
    Note(name, absl::StrCat(absl::StrJoin(terms.stricter, ", "),
                            " restricts by hours, once, limit or conditions, and this does not: "
                            "carry that over"));
  }
  absl::StrAppend(&source_, source_.empty() ? "" : "---\n", Text(use, name, spec));
}

}  // namespace sallyport::controlplane
