#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/principal.pb.h"

// What matches what, to the reference model.
namespace sallyport::reference {

using Patterns = google::protobuf::RepeatedPtrField<std::string>;

// An argument as the model knows it: which number class, text or other value it is. Two literals of
// one number have one class; classes are in the order of their numbers.
struct Value {
  enum class Kind { kText, kNumber, kFlag, kNull, kList, kObject };
  Kind kind = Kind::kNull;
  std::string text = {};          // kText: the text; kNumber: the class; kFlag: true or false
  std::vector<Value> items = {};  // of a list; of an object, its members' values
  bool operator==(const Value&) const = default;
};

// The class of a number literal, from a table of those the test uses.
std::string NumberClass(const std::string& literal);

bool Names(const types::v1::PolicySpec& policy, const types::v1::Principal& principal,
           const std::string& server);

bool AnyLike(const Patterns& patterns, const std::string& text);

// A URI in all forms that some server may read it in, first as it stands; none: no server should
// read it. Of the texts that the test uses, by a table and simple substitution.
std::vector<std::string> FormsOf(const std::string& uri);
// The same by whom one connects to, where that is another text.
std::vector<std::string> HostFormsOf(const std::string& uri);
// As the patterns were written.
bool AnyUriLike(const Patterns& patterns, const std::string& form);
// In one of the ways to read them.
bool AnyUriLikeAnyhow(const Patterns& patterns, const std::string& form);
// Whether some pattern matches something that begins so.
bool AnyUriCouldBegin(const Patterns& patterns, const std::string& form);
bool AnyUriCouldBeginAnyhow(const Patterns& patterns, const std::string& form);

// All of a rule's conditions, each on `/v`.
bool HoldsAll(const types::v1::RuleBody& body, const std::optional<Value>& argument);

// `now` in seconds of the epoch.
bool Observes(const types::v1::PolicySpec& policy, long now);
bool IsOpen(const types::v1::PolicySpec& policy, long now);

}  // namespace sallyport::reference
