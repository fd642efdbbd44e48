#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "agent/control/agent_snapshot.h"
#include "agent/control/tool_client.h"
#include "agent/loop/loop.h"
#include "agent/loop/signal.h"
#include "agent/mcp/tool_definition.h"
#include "common/clock.h"

namespace sallyport::agent {

// What servers say of their tools, as this agent has seen it, against what they are pinned to. The
// first sight pins: here at once, at the control plane as soon as it hears of it, whatever the
// server says by then. On the loop's thread. A server may say something else on every connection:
// what it said on one is the business of that one's ToolLook.
class ToolPins {
 public:
  // All of them outlive it.
  ToolPins(Loop& loop, const Clock& clock, ToolClient& client)
      : loop_(loop), clock_(clock), client_(client) {}
  ToolPins(const ToolPins&) = delete;
  ToolPins& operator=(const ToolPins&) = delete;

  // Whether See would keep the text of a definition that the server says, and has not yet.
  bool WantsText(std::string_view server, const ToolDefinition& definition) const;
  // The server says this of a tool that policy lets somebody use; its `json` as people may read it,
  // empty where they may not. What `snapshot` pins is kept, and of all others the first 4,096 of a
  // server, with 16 MiB of their texts; of what is beyond, the hash alone. Null: it is not kept,
  // for there are too many tools, or on too many connections another definition.
  SeenDefinition See(const std::string& server, ToolDefinition definition,
                     const AgentSnapshot& snapshot);
  // What See has kept of that hash, and somebody still uses. Null: nothing.
  SeenDefinition Find(std::string_view server, std::string_view tool, std::string_view hash) const;
  // Tells the control plane in the background of what was seen and is not as `snapshot` has it: of
  // a tool that it does not pin, first what this agent goes by.
  void ReportNews(const std::string& server, const AgentSnapshot& snapshot);

  // The server's list was read, all of it or a part. What `snapshot` pins and all of it does not
  // hold, the server lists no more, until a part of it does: the control plane is told in the
  // background. Of what is listed no more, and the control plane knows, the hash alone is kept.
  void TakeList(const std::string& server, const AgentSnapshot& snapshot,
                absl::FunctionRef<bool(std::string_view tool)> is_listed, bool is_all);

  // Whether the tool is pinned, or will be once the server lists it. Not: its name is none, the
  // server has as many tools as are kept of one, or the control plane has not taken it.
  bool CanPin(const AgentSnapshot& snapshot, std::string_view server, std::string_view tool) const;
  // Whether it is what the tool is pinned to; or what this agent saw first, while nobody has pinned
  // it.
  bool IsAccepted(const AgentSnapshot& snapshot, std::string_view server,
                  const ToolDefinition& definition) const;
  // Whether anything relies on the tool: it was accepted, or this agent has seen it.
  bool IsReliedOn(const AgentSnapshot& snapshot, std::string_view server,
                  std::string_view tool) const;

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
  void Changed();
  // Another snapshot is in force. What it has no pin for any more was forgotten by an
  // administrator: so it is here, unless something else that nobody has accepted is still shown,
  // which is reported as ever, behind what was accepted.
  void TakeSnapshot(std::shared_ptr<const AgentSnapshot> snapshot);

 private:
  struct Shown {
    std::weak_ptr<const ToolDefinition> definition;
    // It is a change, since it was shown last: nobody has accepted it.
    bool waits = false;
  };
  struct Seen {
    // As it was seen last, on whatever connection.
    SeenDefinition definition;
    // With what else connections were shown, while one of them still has it.
    std::vector<Shown> all;
    // What this agent goes by while nobody has pinned it: what it was pinned to last or, where that
    // is none that it has seen, what it saw first; of a server whose changes are ignored, what it
    // saw last.
    SeenDefinition first;
    // What was reported last, and when.
    std::string reported_hash;
    absl::Duration reported_at = -absl::InfiniteDuration();
    // The control plane answered, and did not pin it.
    bool is_refused = false;
  };
  // Of a server's definitions, with those that only connections still have.
  struct KeptBytes {
    std::size_t texts = 0;
    std::size_t digests = 0;
  };
  struct Server {
    std::map<std::string, Seen, std::less<>> tools;
    std::shared_ptr<KeptBytes> kept_bytes = std::make_shared<KeptBytes>();
    absl::Duration warned_at = -absl::InfiniteDuration();
    // Pinned tools that it lists no more, and what the control plane was told of that. nullopt: its
    // list has not been read to the end, or nothing.
    std::optional<std::vector<std::string>> unlisted;
    std::optional<std::vector<std::string>> told_unlisted;
    bool is_telling = false;
  };

  // Null: there is no room for it.
  static SeenDefinition Keep(const Server& of, ToolDefinition definition);
  // Keeps the hash alone of what no connection is shown any more.
  static void DropTexts(const Server& of, Seen& seen);
  static SeenDefinition DropText(const Server& of, Seen& seen, SeenDefinition definition);
  void Warn(const std::string& server, const char* why);
  void Take(const std::string& server, const v1::ReportToolsRequest& reported,
            const v1::ReportToolsResponse& response);
  // What the snapshots before and now pin it to; null: nothing. False: it has been forgotten.
  static bool TakePin(Seen& seen, const ToolPin* before, const ToolPin* now);
  const Seen* FindSeen(std::string_view server, std::string_view tool) const;
  Seen* FindSeen(std::string_view server, std::string_view tool);
  // In that order.
  Task<void> Report(std::string server, std::vector<SeenDefinition> news);
  Task<void> TellUnlisted(std::string server);

  Loop& loop_;
  const Clock& clock_;
  ToolClient& client_;
  std::map<std::string, Server, std::less<>> servers_;
  std::vector<Signal*> listeners_;
  std::shared_ptr<const AgentSnapshot> in_force_;
};

}  // namespace sallyport::agent
