#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sallyport/types/v1/denial.pb.h"
#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/principal.pb.h"

// Policy a second time, written from its description alone: slow, by definition rather than by
// algorithm, sharing no code with common/policy.
namespace sallyport::reference {

// An argument as the model knows it: which number class, text or other value it is. Two literals of
// one number have one class.
struct Value {
  enum class Kind { kText, kNumber, kFlag, kNull, kOther };
  Kind kind = Kind::kNull;
  std::string text;  // kText: the text; kNumber: the class; kFlag: true or false
  bool operator==(const Value&) const = default;
};

struct Call {
  std::string method;
  std::string target;
  // `/v` of the arguments. nullopt: it is not there.
  std::optional<Value> argument;
};

struct Decision {
  std::string verdict;  // allow, approve, deny, hidden
  types::v1::DenialReason reason = types::v1::DENIAL_REASON_UNSPECIFIED;
  std::set<std::string> approvers = {};
  long expires_seconds = 0;
  bool operator==(const Decision&) const = default;
};

// The class of a number literal, from a table of those the test uses.
std::string NumberClass(const std::string& literal);

bool Names(const types::v1::PolicySpec& policy, const types::v1::Principal& principal,
           const std::string& server);

Decision Decide(const std::vector<types::v1::PolicySpec>& policies,
                const types::v1::Principal& principal, const std::string& server, const Call& call);

// Whether a tool stands in the list: some arguments would let it through, if need be by approval.
bool Shows(const std::vector<types::v1::PolicySpec>& policies,
           const types::v1::Principal& principal, const std::string& server,
           const std::string& tool);

}  // namespace sallyport::reference
