#include "controlplane/policies/carry_rules.h"

#include <algorithm>
#include <utility>

#include "common/policy/pattern.h"
#include "common/policy/rule_body.h"

namespace sallyport::controlplane {
namespace {

using types::v1::Rule;
using types::v1::RuleBody;
using Names = google::protobuf::RepeatedPtrField<std::string>;

// The used names that one of the globs means, into `kept`. One with a star would be a pattern.
void Cut(const Names& globs, UsedNames& used, bool is_approval, Names& kept) {
  for (const std::string& name : used.all) {
    const bool is_meant = name.find('*') == std::string::npos &&
                          std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
                            return Glob(glob).Matches(name);
                          });
    if (!is_meant) continue;
    *kept.Add() = name;
    (is_approval ? used.asked : used.allowed).insert(name);
  }
}

}  // namespace

CarriedRules::CarriedRules(const std::vector<Rule>& in_force, const ObservedUse& use,
                           ConditionsOf conditions_of) {
  for (const auto& [asked, rule] : use.rules()) {
    for (const auto& [tool, observed] : rule.tools) tools_.all.insert(tool);
    prompts_.all.insert(rule.prompts.begin(), rule.prompts.end());
    methods_.all.insert(rule.methods.begin(), rule.methods.end());
    has_resources_ = has_resources_ || !rule.resources.empty();
  }
  for (const Rule& rule : in_force) {
    if (rule.has_deny()) {
      Add(rule);
    } else {
      Carry(rule, conditions_of);
    }
  }
}

void CarriedRules::Add(Rule rule) {
  const bool is_new = std::none_of(rules_.begin(), rules_.end(), [&](const Rule& other) {
    return other.SerializeAsString() == rule.SerializeAsString();
  });
  if (is_new) rules_.push_back(std::move(rule));
}

void CarriedRules::AddReach(const RuleBody& whole, RuleBody& body) {
  const auto reaches = [&](const char* method) {
    return std::any_of(whole.methods().begin(), whole.methods().end(),
                       [&](const std::string& glob) { return Glob(glob).Matches(method); });
  };
  if (!tools_.all.empty() && reaches("tools/call")) {
    body.add_methods("tools/call");
    tools_.asked = tools_.all;
  }
  if (!prompts_.all.empty() && reaches("prompts/get")) {
    body.add_methods("prompts/get");
    prompts_.asked = prompts_.all;
  }
  if (has_resources_ && reaches("resources/read")) body.add_methods("resources/read");
}

void CarriedRules::Carry(const Rule& rule, ConditionsOf conditions_of) {
  Rule cut = rule;
  RuleBody& body = MutableBodyOf(cut);
  const RuleBody whole = body;
  const bool is_approval = rule.has_require_approval();
  for (Names* names : {body.mutable_tools(), body.mutable_prompts(), body.mutable_methods(),
                       body.mutable_server_requests(), body.mutable_resources()}) {
    names->Clear();
  }
  if (!whole.resources().empty()) {
    on_unknown_of_resources_ = std::max(on_unknown_of_resources_, whole.on_unknown());
    if (is_approval && has_resources_) *body.mutable_resources() = whole.resources();
  }
  Cut(whole.tools(), tools_, is_approval, *body.mutable_tools());
  Cut(whole.prompts(), prompts_, is_approval, *body.mutable_prompts());
  Cut(whole.methods(), methods_, is_approval, *body.mutable_methods());
  if (is_approval) AddReach(whole, body);
  // A tool of which more is known has a rule of its own. Not where an approval is asked for: nobody
  // would be asked about other arguments.
  Names plain;
  for (const std::string& tool : body.tools()) {
    const auto conditions = is_approval ? std::vector<types::v1::Condition>() : conditions_of(tool);
    if (conditions.empty()) {
      *plain.Add() = tool;
      continue;
    }
    Rule own = cut;
    RuleBody& narrow = MutableBodyOf(own);
    for (Names* names :
         {narrow.mutable_tools(), narrow.mutable_prompts(), narrow.mutable_methods()}) {
      names->Clear();
    }
    narrow.add_tools(tool);
    narrow.mutable_when()->Add(conditions.begin(), conditions.end());
    Add(std::move(own));
  }
  *body.mutable_tools() = std::move(plain);
  const bool is_empty = body.tools().empty() && body.prompts().empty() && body.methods().empty() &&
                        body.resources().empty();
  if (!is_empty) Add(std::move(cut));
}

}  // namespace sallyport::controlplane
