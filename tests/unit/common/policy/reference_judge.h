#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/unit/common/policy/reference_model.h"

// What the rules say of one thing that they may name, to the reference model.
namespace sallyport::reference {

// As the method of a call: a request of the server, whose word is the target.
inline constexpr char kServerRequest[] = "(the server's)";

struct InForce {
  int index;
  const types::v1::PolicySpec* spec;
};

// The policies that name both tokens, and those that name one of them and enforce.
struct Bound {
  std::vector<InForce> naming, others;
};
Bound Bind(const Policies& policies, const Tokens& tokens, const std::string& server, long now);

Decision Refusal(types::v1::DenialReason reason, int policy = -1, int rule = -1);
// 0 passes, 1 waits, 2 does not.
int Rank(const Decision& decision);

Decision JudgeOne(const Bound& bound, const Call& call, long now);

// What stands before the variable, which ends the template, as FormsOf.
std::vector<std::string> FormsOfBeginning(const std::string& uri_template);

bool HasObserver(const Bound& bound, long now);
// Whether a rule without conditions says no to all that `names` holds for: it denies, or would ask
// though its policy gives nothing here.
using NamesBy = std::function<bool(const types::v1::RuleBody&)>;
bool IsShut(const Bound& bound, long now, const NamesBy& names);
// Some arguments at some hour would let it through, if need be by approval.
bool CouldPass(const Bound& bound, const Call& call, long now);

}  // namespace sallyport::reference
