#include "agent/upstream/client_inputs.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/upstream/rpc_id.h"
#include "agent/upstream/upstream_error.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxInputs = 32;

}  // namespace

std::string Asking::Responses() const {
  std::string responses;
  for (const Input& input : inputs) {
    absl::StrAppend(&responses, responses.empty() ? "{" : ",", input.key, ":", input.answer);
  }
  if (!responses.empty()) responses.push_back('}');
  return responses;
}

absl::StatusOr<std::vector<UpstreamMessage>> ClientInputs::Ask(
    std::vector<InputRequest> inputs, const std::shared_ptr<Asking>& asking,
    const std::function<std::string()>& new_id) {
  if (inputs.size() > kMaxInputs) return UpstreamInvalid("the server asks for too much at once");
  std::vector<UpstreamMessage> requests;
  for (InputRequest& input : inputs) {
    std::string id = new_id();
    auto request = ToServerRequest(input, id);
    if (!request.ok()) return UpstreamInvalid("the server asks for what is no request");
    requests.push_back(*std::move(request));
    asking->inputs.push_back({.id = std::move(id), .key = std::move(input.key), .answer = {}});
  }
  asking->open = asking->inputs.size();
  for (const Asking::Input& input : asking->inputs) asked_[CanonicalId(input.id)] = asking;
  return requests;
}

void ClientInputs::Stop(const Asking& asking) {
  for (const Asking::Input& input : asking.inputs) asked_.erase(CanonicalId(input.id));
}

void ClientInputs::OnAnswer(const ClientMessage& message) {
  const auto node = asked_.extract(CanonicalId(message.id));
  if (node.empty()) return;
  Asking& asking = *node.mapped();
  ClientAnswer answer = ReadAnswer(message);
  if (answer.is_error) {
    asking.error = std::move(answer.body);
    asking.settled.Set();
    return;
  }
  for (Asking::Input& input : asking.inputs) {
    if (CanonicalId(input.id) == node.key()) input.answer = std::move(answer.body);
  }
  if (--asking.open == 0) asking.settled.Set();
}

void ClientInputs::SettleAll() {
  for (auto& [id, asking] : std::exchange(asked_, {})) asking->settled.Set();
}

}  // namespace sallyport::agent
