#include "agent/record/event_content.h"

#include <string>

namespace sallyport::agent {

types::v1::RecordContent ContentOf(const EventFacts& facts) {
  types::v1::RecordContent content;
  if (facts.request != nullptr) {
    content.set_method(std::string(facts.request->method()));
    content.set_target(std::string(facts.request->target()));
    content.set_rpc_id(std::string(facts.request->rpc_id()));
  } else {
    content.set_method(std::string(facts.method.view()));
  }
  content.set_denial_reason(facts.denial_reason);
  content.set_approval_id(std::string(facts.approval_id));
  content.mutable_approved_by()->Assign(facts.approved_by.begin(), facts.approved_by.end());
  content.set_policy_epoch(facts.policy_epoch);
  content.set_policy_version(facts.policy_version);
  content.set_policy(std::string(facts.policy));
  content.set_outcome(std::string(facts.outcome));
  content.set_request_n(facts.request_n);
  content.set_is_taken_back(facts.is_taken_back);
  content.set_detail(std::string(facts.detail.view()));
  if (facts.principal != nullptr) *content.mutable_principal() = *facts.principal;
  content.set_server(std::string(facts.server));
  content.set_agent(std::string(facts.agent));
  content.set_break_glass(std::string(facts.break_glass));
  content.set_end_reason(std::string(facts.end_reason));
  content.set_calls(facts.calls);
  content.set_client_address(std::string(facts.client_address));
  content.set_mcp_session(std::string(facts.mcp_session));
  content.set_token_id(std::string(facts.token_id));
  content.set_call_id(std::string(facts.call_id));
  content.set_observed_reason(facts.observed_reason);
  content.set_observed_policy(std::string(facts.observed_policy));
  return content;
}

}  // namespace sallyport::agent
