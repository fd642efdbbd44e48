#include "common/policy/what_if.h"

#include <algorithm>
#include <utility>

#include "common/policy/compiled_policy.h"
#include "common/policy/explain_rule.h"
#include "common/policy/judge.h"
#include "common/policy/rule_body.h"
#include "common/policy/session_policy.h"

namespace sallyport {

CallDecision Decide(const SessionPolicy& policy, const Question& question, absl::Time now) {
  return question.server_request.empty()
             ? policy.EvaluateCall(question.call, now)
             : policy.EvaluateServerRequest(question.server_request, now);
}

WhatIf::WhatIf(const CompiledPolicies& policies, const Asked& asked)
    : asked_(&asked), principal_(asked.principal) {
  for (const auto& policy : policies.policies_) {
    if (!policy->CoversServer(asked.server)) continue;
    Policy& copy = policies_.emplace_back();
    copy.document.set_name(policy->name);
    types::v1::PolicySpec& spec = *copy.document.mutable_policy();
    spec = policy->spec;
    spec.clear_rules();
    for (const CompiledRule& rule : policy->rules) {
      if (!SpeaksFor(rule, asked.question)) continue;
      *spec.add_rules() = policy->spec.rules(rule.index);
      copy.numbers.push_back(rule.index);
    }
  }
  for (const CompiledPolicies::Lock& lock : policies.locks_) {
    types::v1::Document& document = others_.emplace_back();
    document.set_name(lock.name);
    *document.mutable_lock() = lock.spec;
  }
  if (const types::v1::ServerSpec* const spec = policies.FindServer(asked.server)) {
    types::v1::Document& document = others_.emplace_back();
    document.set_name(std::string(asked.server));
    *document.mutable_server() = *spec;
  }
}

const WhatIf::Policy& WhatIf::Find(std::string_view policy) const {
  return *std::ranges::find_if(policies_,
                               [&](const Policy& one) { return one.document.name() == policy; });
}
WhatIf::Policy& WhatIf::Find(std::string_view policy) {
  return const_cast<Policy&>(std::as_const(*this).Find(policy));
}

int WhatIf::Policy::PlaceOf(int rule) const {
  return static_cast<int>(std::ranges::find(numbers, rule) - numbers.begin());
}

void WhatIf::DeleteLock(std::string_view name) {
  std::erase_if(others_, [&](const types::v1::Document& document) {
    return document.has_lock() && document.name() == name;
  });
}

void WhatIf::AddScopes(const std::vector<std::string>& scopes) {
  for (const std::string& scope : scopes) principal_.add_scopes(scope);
}

void WhatIf::AddEntry(std::string_view policy) {
  types::v1::PrincipalMatch& entry = *Find(policy).document.mutable_policy()->add_principals();
  entry.set_realm(principal_.realm());
  entry.add_subjects(principal_.subject());
}

void WhatIf::AddPolicy() {
  types::v1::Document& document = policies_.emplace_back().document;
  document.mutable_policy()->add_servers(std::string(asked_->server));
  AddEntry(document.name());
}

void WhatIf::ClearHours(std::string_view policy) {
  Find(policy).document.mutable_policy()->clear_hours();
}

void WhatIf::RemoveRule(std::string_view policy, int rule) {
  Policy& of = Find(policy);
  const int place = of.PlaceOf(rule);
  auto& rules = *of.document.mutable_policy()->mutable_rules();
  rules.erase(rules.begin() + place);
  of.numbers.erase(of.numbers.begin() + place);
}

void WhatIf::ClearDemands(std::string_view policy, int rule) {
  Policy& of = Find(policy);
  types::v1::RuleBody& body =
      MutableBodyOf(*of.document.mutable_policy()->mutable_rules(of.PlaceOf(rule)));
  body.clear_when();
  body.clear_once();
  body.clear_limit();
}

void WhatIf::AddAllow(std::string_view policy, std::string_view kind) {
  Policy& of = Find(policy);
  types::v1::RuleBody& body = *of.document.mutable_policy()->add_rules()->mutable_allow();
  if (kind == "tools") body.add_tools("*");
  if (kind == "resources") body.add_resources("*");
  if (kind == "prompts") body.add_prompts("*");
  if (kind == "methods") body.add_methods(std::string(asked_->question.call.method));
  if (kind == "server_requests") {
    body.add_server_requests(std::string(asked_->question.server_request));
  }
  of.numbers.push_back(kNoRule);
}

std::vector<std::string> WhatIf::Policies() const {
  std::vector<std::string> names;
  for (const Policy& policy : policies_) names.push_back(policy.document.name());
  return names;
}

std::vector<std::string> WhatIf::Closed() const {
  std::vector<std::string> names;
  const auto compiled = Compile();
  if (compiled == nullptr) return names;
  for (const CompiledPolicy* policy : compiled->Matching(principal_, asked_->server)) {
    if (!policy->IsOpen(asked_->now)) names.push_back(policy->name);
  }
  return names;
}

const types::v1::Rule& WhatIf::Rule(std::string_view policy, int rule) const {
  const Policy& of = Find(policy);
  return of.document.policy().rules(of.PlaceOf(rule));
}

bool WhatIf::HasRules(std::string_view policy) const { return !Find(policy).numbers.empty(); }

std::size_t WhatIf::size() const {
  std::size_t size = policies_.size();
  for (const Policy& policy : policies_) size += policy.numbers.size();
  return size;
}

std::shared_ptr<const CompiledPolicies> WhatIf::Compile() const {
  std::vector<types::v1::Document> documents = others_;
  for (const Policy& policy : policies_) documents.push_back(policy.document);
  auto compiled = CompiledPolicies::Compile(documents);
  return compiled.ok() ? *std::move(compiled) : nullptr;
}

OpenDecision WhatIf::Open() const {
  const auto compiled = Compile();
  if (compiled == nullptr) return {.reason = types::v1::DENIAL_REASON_POLICY_DENIED};
  return compiled->EvaluateOpen(principal_, asked_->server, asked_->agent, asked_->now);
}

CallDecision WhatIf::Call() const {
  const auto compiled = Compile();
  if (compiled == nullptr) return Hidden(types::v1::DENIAL_REASON_POLICY_DENIED);
  CallDecision decision = Decide(*SessionPolicy::Bind(compiled, principal_, asked_->server),
                                 asked_->question, asked_->now);
  if (decision.rule == kNoRule) return decision;
  decision.rule = Find(decision.policy).numbers[static_cast<std::size_t>(decision.rule)];
  return decision;
}

}  // namespace sallyport
