#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "common/policy/argument.h"
#include "common/policy/compiled_policy.h"
#include "common/policy/decision.h"
#include "common/policy/rule_set.h"

// Holding what a message names against the rules of the policies that apply. For this folder alone.
namespace sallyport {

struct RuleTable {
  RuleSet deny;
  RuleSet require_approval;
  RuleSet allow;
  // Denials, and what asks for approval, of policies that give nothing here: all of it denies.
  RuleSet others;
  // What such policies would allow, and ask something about: it is asked of what passes.
  RuleSet asking;
  // Those that will have observed for a while.
  std::vector<const CompiledPolicy*> observing;

  // One that observes; null: none does.
  const CompiledPolicy* Observer(absl::Time now) const;
};

// The circumstances of one judgement.
struct Occasion {
  std::string_view server;
  absl::Time now;
  // tools/call: the bytes of `arguments`.
  Arguments arguments = Arguments();
  // See PolicyCall.
  std::span<const ArgumentPlace> cut = {};
};

// What a rule is held against. `Restricts` is asked of deny and require_approval rules, `Grants` of
// allow rules: where a subject can be read in two ways, one reading restricts, but all must grant.
// A restricting rule's `methods` reach every method that needs a rule; an allowing rule's only
// those without a kind of their own. `AnyOf` goes through the rules of a set that may do either.
struct NamedSubject {
  PatternKind pattern_kind;
  std::vector<NamePattern> CompiledRule::*kind;
  NameForms forms;
  std::string_view method;

  bool Grants(const CompiledRule& rule) const;
  // In one reading: what the rule asks is asked.
  bool Names(const CompiledRule& rule) const;
  bool Restricts(const CompiledRule& rule) const;
  template <class Visit>
  bool AnyOf(const RuleSet& rules, Visit visit) const;
};

struct ResourceSubject {
  const UriForms& forms;
  std::string_view method;

  bool Grants(const CompiledRule& rule) const;
  bool Restricts(const CompiledRule& rule) const;
  template <class Visit>
  bool AnyOf(const RuleSet& rules, Visit visit) const;
};

// What may come of a template of resources. A rule grants it or `Reaches` it where it names
// something that may come of it, and restricts it where it names all of that.
struct TemplateSubject {
  const UriTemplate& forms;
  std::string_view method;

  bool Grants(const CompiledRule& rule) const;
  bool Restricts(const CompiledRule& rule) const;
  bool Reaches(const CompiledRule& rule) const;
  template <class Visit>
  bool AnyOf(const RuleSet& rules, Visit visit) const;
};

struct MethodSubject {
  std::string_view method;

  bool Grants(const CompiledRule& rule) const;
  bool Restricts(const CompiledRule& rule) const { return Grants(rule); }
  template <class Visit>
  bool AnyOf(const RuleSet& rules, Visit visit) const;
};

struct ServerRequestSubject {
  std::string_view word;

  bool Grants(const CompiledRule& rule) const;
  bool Restricts(const CompiledRule& rule) const { return Grants(rule); }
  template <class Visit>
  bool AnyOf(const RuleSet& rules, Visit visit) const;
};

bool AnyMatches(const std::vector<Glob>& globs, std::string_view text);

NamedSubject ToolSubject(std::string_view name);
NamedSubject PromptSubject(std::string_view name);

CallDecision Allowed(std::string_view policy = {}, int rule = kNoRule);
CallDecision Refused(types::v1::DenialReason reason, std::string_view policy, int rule,
                     std::string_view detail = {});
CallDecision Hidden(types::v1::DenialReason reason);

// Deny beats approval beats allow. `hidden` is the reason where no rule speaks for the subject. No
// answer depends on the order of rules. A policy that observes lets through whatever no other one
// refuses.
template <class Subject>
CallDecision Judge(const RuleTable& rules, const Subject& subject, const Occasion& occasion,
                   types::v1::DenialReason hidden);

// Whether some call of the subject could pass at some time, whatever its arguments.
template <class Subject>
bool CouldPass(const RuleTable& rules, const Subject& subject, absl::Time now);

// Whether something that may come of the template could be read.
bool TemplateCouldPass(const RuleTable& rules, const UriTemplate& uri_template, absl::Time now);

UsableCapabilities CapabilitiesOf(const RuleTable& rules, absl::Time now);

}  // namespace sallyport
