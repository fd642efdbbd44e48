#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "common/policy/compiled_policies.h"
#include "common/policy/decision.h"
#include "common/policy/explain.h"
#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/principal.pb.h"

namespace sallyport {

class SessionPolicy;

// What the evaluator says to a question about a call.
CallDecision Decide(const SessionPolicy& policy, const Question& question, absl::Time now);

// What somebody asks, and of whom. All of it outlives who holds it.
struct Asked {
  const types::v1::Principal& principal;
  std::string_view server;
  // As for EvaluateOpen.
  std::string_view agent;
  const Question& question;
  absl::Time now;
};

// The documents that are about a server, and a principal, to be changed and asked again: of their
// rules those that have a part in the answer. Policies and rules have the names and numbers that
// they had before every change. A change that makes no documents of them makes them refuse. For
// this folder alone.
class WhatIf {
 public:
  // `asked` outlives it.
  WhatIf(const CompiledPolicies& policies, const Asked& asked);

  void DeleteLock(std::string_view name);
  void AddScopes(const std::vector<std::string>& scopes);
  // An entry of `principals` for the principal.
  void AddEntry(std::string_view policy);
  // A policy for the server and the principal, with no more in it.
  void AddPolicy();
  void ClearHours(std::string_view policy);
  void RemoveRule(std::string_view policy, int rule);
  // What the rule asks of a call's arguments.
  void ClearDemands(std::string_view policy, int rule);
  // An allow rule for what is asked; `kind` is its key: tools, resources, ...
  void AddAllow(std::string_view policy, std::string_view kind);

  // Policies for the server, by name.
  std::vector<std::string> Policies() const;
  // Those of them that name the principal and are outside of their hours.
  std::vector<std::string> Closed() const;
  const types::v1::Rule& Rule(std::string_view policy, int rule) const;
  bool HasRules(std::string_view policy) const;
  // Policies and rules: what it costs to ask is in proportion.
  std::size_t size() const;

  OpenDecision Open() const;
  CallDecision Call() const;

 private:
  struct Policy {
    types::v1::Document document;
    std::vector<int> numbers;  // of its rules; kNoRule: there was none
    // Where the rule of that number stands now.
    int PlaceOf(int rule) const;
  };

  // One of Policies().
  Policy& Find(std::string_view policy);
  const Policy& Find(std::string_view policy) const;
  // Null: they are none.
  std::shared_ptr<const CompiledPolicies> Compile() const;

  const Asked* asked_;
  types::v1::Principal principal_;
  std::vector<Policy> policies_;
  std::vector<types::v1::Document> others_;
};

}  // namespace sallyport
