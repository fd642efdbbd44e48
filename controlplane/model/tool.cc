#include "controlplane/model/tool.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/strings.h"
#include "controlplane/model/proto_time.h"

namespace sallyport::controlplane {

Tool Tool::Pinned(std::string server, const agent::v1::SeenTool& seen, std::string_view agent,
                  absl::Time now) {
  types::v1::Tool tool;
  tool.set_server(std::move(server));
  tool.set_name(seen.name());
  tool.set_state(types::v1::TOOL_STATE_PINNED);
  tool.set_definition_hash(seen.definition_hash());
  tool.set_definition(seen.definition());
  *tool.mutable_accepted_at() = ToProto(now);
  tool.set_accepted_by(absl::StrCat("agent:", ToAbsl(agent)));
  return Tool(std::move(tool));
}

types::v1::ToolPin Tool::pin() const {
  types::v1::ToolPin pin;
  pin.set_server(proto_.server());
  pin.set_name(proto_.name());
  pin.set_definition_hash(proto_.definition_hash());
  pin.set_is_changed(is_changed());
  return pin;
}

void Tool::ClearChange() {
  proto_.set_state(types::v1::TOOL_STATE_PINNED);
  proto_.clear_changed_hash();
  proto_.clear_changed_definition();
  proto_.clear_changed_at();
  proto_.clear_changed_agent();
}

bool Tool::See(const agent::v1::SeenTool& seen, std::string_view agent, absl::Time now) {
  if (seen.definition_hash() == proto_.definition_hash()) {
    // Another agent's server of the same name may still differ.
    if (!is_changed() || proto_.changed_agent() != ToAbsl(agent)) return false;
    ClearChange();
    return true;
  }
  if (is_changed() && seen.definition_hash() == proto_.changed_hash()) return false;
  proto_.set_state(types::v1::TOOL_STATE_CHANGED);
  proto_.set_changed_hash(seen.definition_hash());
  proto_.set_changed_definition(seen.definition());
  *proto_.mutable_changed_at() = ToProto(now);
  proto_.set_changed_agent(std::string(agent));
  return true;
}

absl::Status Tool::Accept(std::string_view definition_hash, bool unread, std::string_view by,
                          absl::Time now) {
  if (proto_.definition_hash() == definition_hash && !is_changed()) return absl::OkStatus();
  if (!is_changed()) {
    return Denied(types::v1::DENIAL_REASON_DEFINITION_CHANGED,
                  "no changed definition of the tool waits to be accepted");
  }
  if (proto_.changed_hash() != definition_hash) {
    return Denied(types::v1::DENIAL_REASON_DEFINITION_CHANGED,
                  "the definition that waits to be accepted has another hash; `sallyport tools "
                  "show` has all 64 digits of it");
  }
  if (proto_.changed_definition().empty() && !unread) {
    return Denied(types::v1::DENIAL_REASON_DEFINITION_CHANGED,
                  "the definition is longer than 256 KiB or cannot be masked, so nobody can have "
                  "read it here; read it at its server, and accept it as unread");
  }
  proto_.set_definition_hash(proto_.changed_hash());
  proto_.set_definition(proto_.changed_definition());
  *proto_.mutable_accepted_at() = ToProto(now);
  proto_.set_accepted_by(std::string(by));
  ClearChange();
  return absl::OkStatus();
}

absl::Status Tool::CheckForgettable() const {
  if (!is_changed()) return absl::OkStatus();
  return Denied(types::v1::DENIAL_REASON_DEFINITION_CHANGED,
                absl::StrCat("the definition of ", proto_.name(),
                             " has changed and waits for whoever accepts it: forgotten, it would "
                             "need nobody any more; accept it first"));
}

}  // namespace sallyport::controlplane
