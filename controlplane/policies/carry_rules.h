#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "controlplane/policies/observed_use.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport::controlplane {

// Names of one kind that were used.
struct UsedNames {
  std::set<std::string> all;
  // Those that a rule in force lets through, and those that one asks for an approval of.
  std::set<std::string> allowed;
  std::set<std::string> asked;

  // Whether a rule in force says all that is to be said of a name that passed, after an approval or
  // without one.
  bool IsSaid(const std::string& name, bool was_asked) const {
    return asked.contains(name) || (!was_asked && allowed.contains(name));
  }
};

// Rules in force, cut down to what was used: each has of its tools, prompts and methods the used
// ones that it names. All that they ask holds as it did: approvers, conditions, `once`, `limit`,
// `on_unknown`. A rule that denies stays as it is, and so do the resources of one that asks for an
// approval, where any were read: what was used of those is known by patterns alone.
class CarriedRules {
 public:
  // What more is asked of the arguments of a tool that is let through.
  using ConditionsOf = absl::FunctionRef<std::vector<types::v1::Condition>(const std::string&)>;

  CarriedRules(const std::vector<types::v1::Rule>& in_force, const ObservedUse& use,
               ConditionsOf conditions_of);

  const std::vector<types::v1::Rule>& rules() const { return rules_; }
  const UsedNames& tools() const { return tools_; }
  const UsedNames& prompts() const { return prompts_; }
  const UsedNames& methods() const { return methods_; }
  // The strictest of any rule about resources.
  types::v1::OnUnknown on_unknown_of_resources() const { return on_unknown_of_resources_; }

 private:
  void Add(types::v1::Rule rule);
  // The methods by which a rule that asks for an approval reaches what other methods name.
  void AddReach(const types::v1::RuleBody& whole, types::v1::RuleBody& body);
  void Carry(const types::v1::Rule& rule, ConditionsOf conditions_of);

  UsedNames tools_;
  UsedNames prompts_;
  UsedNames methods_;
  bool has_resources_ = false;
  types::v1::OnUnknown on_unknown_of_resources_ = types::v1::ON_UNKNOWN_UNSPECIFIED;
  std::vector<types::v1::Rule> rules_;
};

}  // namespace sallyport::controlplane
