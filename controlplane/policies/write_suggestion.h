#pragma once

#include <set>
#include <string>
#include <vector>

#include "controlplane/policies/carry_rules.h"
#include "controlplane/policies/observed_use.h"
#include "controlplane/policies/terms_in_force.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport::controlplane {

// Policies from what was observed, as YAML with a comment above each: never looser than what is in
// force.
class SuggestionWriter {
 public:
  explicit SuggestionWriter(bool with_arguments) : with_arguments_(with_arguments) {}

  void Add(const ObservedUse& use, const TermsInForce& terms);

  const std::string& source() const { return source_; }
  // What could not be written down exactly.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void AddRules(const ObservedUse& use, const TermsInForce& terms, const std::string& name,
                types::v1::PolicySpec& spec);
  // What no rule in force says all of.
  void AddRule(const AskedPeople& asked, const RuleUse& use, const CarriedRules& carried,
               const std::string& name, types::v1::PolicySpec& spec);
  void NoteApprovals(const ObservedUse& use, const CarriedRules& carried, const std::string& name);
  // Into `names`, but for what would be read as a pattern.
  void AddNames(const std::set<std::string>& from, const std::string& policy,
                google::protobuf::RepeatedPtrField<std::string>& names);
  void Note(const std::string& policy, const std::string& what);

  const bool with_arguments_;
  std::string source_;
  std::vector<std::string> notes_;
};

}  // namespace sallyport::controlplane
