#include "controlplane/policies/policy_call.h"

#include <string_view>

namespace sallyport::controlplane {

PolicyCall PolicyCallOf(const types::v1::PolicyTestCall& described) {
  PolicyCall call{.method = described.method(), .arguments = described.arguments_json()};
  std::string_view implied;
  if (!described.tool().empty()) {
    call.target = described.tool();
    implied = "tools/call";
  } else if (!described.resource().empty()) {
    call.target = described.resource();
    call.ref_is_resource = true;
    implied = "resources/read";
  } else if (!described.prompt().empty()) {
    call.target = described.prompt();
    implied = "prompts/get";
  }
  if (call.method.empty()) call.method = implied;
  return call;
}

}  // namespace sallyport::controlplane
