#include "controlplane/policies/write_suggestion.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json_printer.h"
#include "common/strings.h"
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

// The same for the same principal and server whenever it is suggested, and another one for any
// other: whoever applies it replaces nobody else's.
std::string NameFor(const types::v1::Session& session) {
  constexpr std::size_t kDigits = 12;
  const types::v1::Principal& who = session.principal();
  const std::string name =
      DocumentName(absl::StrCat("suggested-", ShortName(who), "-", session.server()));
  types::v1::Session key;
  key.set_server(session.server());
  key.mutable_principal()->set_realm(who.realm());
  key.mutable_principal()->set_kind(who.kind());
  key.mutable_principal()->set_subject(who.subject());
  key.mutable_principal()->set_client_id(who.client_id());
  const std::string digest = ToHex(Sha256(key.SerializeAsString()));
  return absl::StrCat(name.substr(0, kLongestName - 1 - kDigits), "-", digest.substr(0, kDigits));
}

void AddPrincipal(const types::v1::Principal& principal, const TermsInForce& in_force,
                  types::v1::PolicySpec& spec) {
  types::v1::PrincipalMatch& match = *spec.add_principals();
  match = in_force.match;
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
  if (terms.has_disconnect_grace()) {
    *session.mutable_disconnect_grace() = terms.disconnect_grace();
  }
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
    *approval.mutable_expires_after() = ToProto(absl::Seconds(asked.expires_after_seconds));
  }
  const std::vector<std::string> silent = {"secrets"};
  if (!in_force.mask.empty() && in_force.mask != silent) {
    *spec.mutable_mask() = {in_force.mask.begin(), in_force.mask.end()};
  }
  if (in_force.recording == types::v1::RECORDING_CONTENT_NONE) {
    spec.mutable_recording()->set_content(in_force.recording);
  }
  *spec.mutable_hours() = {in_force.hours.begin(), in_force.hours.end()};
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
  *body.mutable_expires_after() = ToProto(absl::Seconds(asked.expires_after_seconds));
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
                               const CarriedRules& carried, const std::string& name,
                               types::v1::PolicySpec& spec) {
  const bool was_asked = !asked.empty();
  std::set<std::string> plain;
  for (const auto& [tool, observed] : use.tools) {
    if (carried.tools().IsSaid(tool, was_asked)) continue;
    std::vector<types::v1::Condition> conditions;
    // Where an approval is asked for, nobody would be asked about other arguments.
    if (with_arguments_ && !was_asked) conditions = ConditionsOf(observed);
    if (conditions.empty()) {
      plain.insert(tool);
      continue;
    }
    types::v1::RuleBody& body = BodyFor(asked, spec);
    AddNames({tool}, name, *body.mutable_tools());
    *body.mutable_when() = {conditions.begin(), conditions.end()};
    if (body.tools().empty()) spec.mutable_rules()->RemoveLast();
  }
  const auto not_said = [&](const std::set<std::string>& names, const UsedNames& used) {
    std::set<std::string> left = names;
    std::erase_if(left, [&](const auto& one) { return used.IsSaid(one, was_asked); });
    return left;
  };
  types::v1::RuleBody body;
  AddNames(plain, name, *body.mutable_tools());
  AddNames(not_said(use.prompts, carried.prompts()), name, *body.mutable_prompts());
  AddNames(not_said(use.methods, carried.methods()), name, *body.mutable_methods());
  types::v1::RuleBody resources;
  // What becomes of a repetition is said for a whole rule.
  const types::v1::OnUnknown on_unknown = carried.on_unknown_of_resources();
  types::v1::RuleBody& with_resources =
      on_unknown == types::v1::ON_UNKNOWN_UNSPECIFIED ? body : resources;
  with_resources.set_on_unknown(on_unknown);
  for (const std::string& pattern : use.resources.Patterns()) with_resources.add_resources(pattern);
  if (use.resources.has_starred())
    Note(name, "a resource with a star in it is left out, for it would be a pattern");
  if (use.resources.has_folded()) {
    Note(name,
         "so many resources were read that some are written as patterns, which reach further than "
         "what was read, and maybe than the policies in force: look at them");
  }
  if (use.resources.has_dropped()) Note(name, "some resources are left out: there were too many");
  for (const types::v1::RuleBody& part : {body, resources}) {
    const bool is_empty = part.tools().empty() && part.prompts().empty() &&
                          part.methods().empty() && part.resources().empty();
    if (!is_empty) BodyFor(asked, spec).MergeFrom(part);
  }
}

void SuggestionWriter::NoteApprovals(const ObservedUse& use, const CarriedRules& carried,
                                     const std::string& name) {
  const auto free = use.rules().find(AskedPeople());
  for (const auto& [asked, rule] : use.rules()) {
    if (asked.empty() || free == use.rules().end()) continue;
    for (const auto& [tool, observed] : rule.tools) {
      if (free->second.tools.count(tool) == 0 || carried.tools().asked.contains(tool)) continue;
      Note(name, absl::StrCat(tool, ": ", observed.calls,
                              " calls passed after an approval and others without; now each "
                              "needs one"));
    }
  }
}

void SuggestionWriter::AddRules(const ObservedUse& use, const TermsInForce& terms,
                                const std::string& name, types::v1::PolicySpec& spec) {
  const auto conditions_of = [&](const std::string& tool) {
    const auto free = use.rules().find(AskedPeople());
    const bool is_known =
        with_arguments_ && free != use.rules().end() && free->second.tools.contains(tool);
    // What was asked about is used with other arguments as well.
    const bool was_asked =
        std::any_of(use.rules().begin(), use.rules().end(), [&](const auto& entry) {
          return !entry.first.empty() && entry.second.tools.contains(tool);
        });
    return is_known && !was_asked ? ConditionsOf(free->second.tools.at(tool))
                                  : std::vector<types::v1::Condition>();
  };
  const CarriedRules carried(terms.rules, use, conditions_of);
  for (const types::v1::Rule& rule : carried.rules()) *spec.add_rules() = rule;
  for (const auto& [asked, rule] : use.rules()) AddRule(asked, rule, carried, name, spec);
  if (!use.server_requests().empty()) {
    types::v1::RuleBody& body = *spec.add_rules()->mutable_allow();
    AddNames(use.server_requests(), name, *body.mutable_server_requests());
  }
  NoteApprovals(use, carried, name);
  if (use.has_dropped()) Note(name, "some names are left out: there were too many");
  if (use.hidden_targets() > 0) {
    Note(name, absl::StrCat(use.hidden_targets(),
                            " calls named what was masked or not recorded: it is left out"));
  }
}

void SuggestionWriter::Add(const ObservedUse& use, const TermsInForce& terms) {
  const types::v1::Session& session = use.latest();
  const std::string name = NameFor(session);
  types::v1::PolicySpec spec;
  AddPrincipal(session.principal(), terms, spec);
  spec.add_servers(session.server());
  AddTerms(use, terms, spec);
  AddRules(use, terms, name, spec);
  for (const std::string& what : terms.trials) {
    Note(name, absl::StrCat(what,
                            ": what it has let through is allowed here for good, and what it "
                            "would have refused or asked about is not told apart: see "
                            "`observed` in the replays"));
  }
  for (const std::string& what : terms.not_carried) {
    Note(name, absl::StrCat(what, ", which one policy cannot say: carry that over"));
  }
  absl::StrAppend(&source_, source_.empty() ? "" : "---\n", Text(use, name, spec));
}

}  // namespace sallyport::controlplane
