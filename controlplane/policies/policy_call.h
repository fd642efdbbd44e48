#pragma once

#include "common/policy/decision.h"
#include "sallyport/types/v1/policy_test_document.pb.h"

namespace sallyport::controlplane {

// A call as a PolicyTest or an operator describes it, for the evaluator: a target alone implies
// tools/call, resources/read or prompts/get. Views into `call`. An empty method: the opening, or a
// request of the server.
PolicyCall PolicyCallOf(const types::v1::PolicyTestCall& call);

}  // namespace sallyport::controlplane
