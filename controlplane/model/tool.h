#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sallyport/agent/v1/tool_service.pb.h"
#include "sallyport/types/v1/tool.pb.h"

namespace sallyport::controlplane {

// A tool that is pinned to a definition, and the only ways in which that changes:
//
//   pinned --See (another)--> changed --See (the accepted one again)--> pinned
//                                    \--Accept--> pinned, to what was changed
//
// Only one that is pinned may be forgotten.
class Tool {
 public:
  // A new one: pinned to what `agent` saw of it.
  static Tool Pinned(std::string server, const agent::v1::SeenTool& seen, std::string_view agent,
                     absl::Time now);
  // As it was stored.
  explicit Tool(types::v1::Tool proto) : proto_(std::move(proto)) {}

  const types::v1::Tool& proto() const { return proto_; }
  types::v1::ToolPin pin() const;
  bool is_changed() const { return proto_.state() == types::v1::TOOL_STATE_CHANGED; }

  // What `agent` sees its server say now. False: nothing new.
  bool See(const agent::v1::SeenTool& seen, std::string_view agent, absl::Time now);

  // `by` takes the changed definition of that hash for the tool's own. kFailedPrecondition
  // (DEFINITION_CHANGED) where its server says something else by now, and for one that nobody can
  // have read here, for it is not kept, unless `unread`; accepting what is accepted already is OK.
  absl::Status Accept(std::string_view definition_hash, bool unread, std::string_view by,
                      absl::Time now);

  // Whether its pin may go. kFailedPrecondition (DEFINITION_CHANGED) where a change waits: what is
  // seen first after that would be what is accepted.
  absl::Status CheckForgettable() const;

 private:
  void ClearChange();

  types::v1::Tool proto_;
};

}  // namespace sallyport::controlplane
