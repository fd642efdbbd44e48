#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/policy/decision.h"
#include "controlplane/policies/observed_use.h"
#include "sallyport/types/v1/policy.pb.h"

namespace sallyport::controlplane {

// What holds now for whom a suggestion is for.
struct TermsInForce {
  std::optional<OpenDecision> open;  // unset: no policy names him
  std::vector<std::string> mask;
  // Policies among them that restrict in ways which are not suggested: `hours`, `once`, `limit`,
  // conditions on arguments.
  std::vector<std::string> stricter;
};

// Policies from what was observed, as YAML with a comment above each.
class SuggestionWriter {
 public:
  explicit SuggestionWriter(bool with_arguments) : with_arguments_(with_arguments) {}

  void Add(const ObservedUse& use, const TermsInForce& terms);

  const std::string& source() const { return source_; }
  // What could not be written down exactly.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  std::string NameFor(const types::v1::Session& session);
  void AddRules(const ObservedUse& use, const std::string& name, types::v1::PolicySpec& spec);
  void AddRule(const AskedPeople& asked, const RuleUse& use, const std::string& name,
               types::v1::PolicySpec& spec);
  // Into `names`, but for what would be read as a pattern.
  void AddNames(const std::set<std::string>& from, const std::string& policy,
                google::protobuf::RepeatedPtrField<std::string>& names);
  void Note(const std::string& policy, const std::string& what);

  const bool with_arguments_;
  std::set<std::string> names_;
  std::string source_;
  std::vector<std::string> notes_;
};

}  // namespace sallyport::controlplane
