#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "agent/control/agent_snapshot.h"
#include "agent/control/tool_client.h"
#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "agent/mcp/tool_definition.h"
#include "common/clock.h"

namespace sallyport::agent {

// What servers say of their tools, as this agent has seen it, against what they are pinned to. The
// first sight pins: here at once, at the control plane as soon as it hears of it. On the loop's
// thread.
class ToolPins {
 public:
  // Of one definition, for people to read and to compare; its hash is of all of it.
  static constexpr std::size_t kMaxDefinitionBytes = 256u << 10;

  // All of them outlive it.
  ToolPins(Loop& loop, const Clock& clock, ToolClient& client)
      : loop_(loop), clock_(clock), client_(client) {}
  ToolPins(const ToolPins&) = delete;
  ToolPins& operator=(const ToolPins&) = delete;

  // The server says this of a tool that policy lets somebody use; its `json` as people may read it,
  // empty where they may not. What `snapshot` pins is always
  // kept, and of all others the first 4,096 of a server. False: it is not kept, and the tool must
  // not be relied on.
  bool See(const std::string& server, ToolDefinition definition, const AgentSnapshot& snapshot);
  // Tells the control plane in the background of what was seen and is not as `snapshot` has it.
  void ReportNews(const std::string& server, const AgentSnapshot& snapshot);

  // Whether what the server says of the tool, or said when somebody looked last, is not what it is
  // pinned to; or nobody can say, for no more is kept of the server.
  bool IsChanged(const AgentSnapshot& snapshot, std::string_view server,
                 std::string_view tool) const;
  // Whether anything relies on the tool: it was accepted, or this agent has seen it.
  bool IsReliedOn(const AgentSnapshot& snapshot, std::string_view server,
                  std::string_view tool) const;
  // As it was seen last. Null: never by this agent.
  const ToolDefinition* Find(std::string_view server, std::string_view tool) const;

  // Sets `changed` whenever pins may have changed, for as long as it lives.
  class Listener {
   public:
    Listener(ToolPins& pins, Signal& changed);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

   private:
    ToolPins& pins_;
    Signal& changed_;
  };
  // Another snapshot is in force.
  void Changed();

 private:
  struct Seen {
    ToolDefinition definition;
    // What it was when this agent saw it first.
    std::string first_hash;
    // What was reported last, and when.
    std::string reported_hash;
    absl::Duration reported_at = -absl::InfiniteDuration();
  };
  struct Server {
    std::map<std::string, Seen, std::less<>> tools;
    std::size_t kept_bytes = 0;
  };

  bool IsFull(std::string_view server) const;
  const Seen* FindSeen(std::string_view server, std::string_view tool) const;
  Task<void> Report(std::string server, std::vector<std::string> tools);

  Loop& loop_;
  const Clock& clock_;
  ToolClient& client_;
  std::map<std::string, Server, std::less<>> servers_;
  std::vector<Signal*> listeners_;
};

}  // namespace sallyport::agent
