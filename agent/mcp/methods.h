#pragma once

#include <cstdint>
#include <string_view>

#include "agent/mcp/message.h"

// What MCP's methods are, in both eras. A method that is in no table is unknown and
// needs a policy rule by name
// (`methods`) or is refused.
namespace sallyport::agent {

// What a policy judges the call by, beside its method.
enum class TargetKind : std::uint8_t { kNone, kTool, kResource, kPrompt, kCompletionRef, kTask };

// Which list a response holds.
enum class ListKind : std::uint8_t {
  kNone,
  kTools,
  kResources,
  kResourceTemplates,
  kPrompts,
  kTasks
};

// The eras that have a method.
enum class Eras : std::uint8_t { kBoth, kLegacyOnly, kModernOnly };

inline bool Has(Eras eras, Era era) {
  return eras == Eras::kBoth || (eras == Eras::kLegacyOnly) == (era == Era::kLegacy);
}

// From a client.
struct ClientMethod {
  std::string_view name;
  Eras eras = Eras::kBoth;
  bool is_notification = false;
  // Counts against max_calls.
  bool is_counted = false;
  TargetKind target = TargetKind::kNone;
  ListKind list = ListKind::kNone;
};

// The word that `server_requests` in a policy uses.
enum class ServerRequestKind : std::uint8_t {
  kNone,
  kPing,
  kSampling,
  kElicitation,
  kRoots,
  kTask,  // of a task that the client runs for one of the above
};

// From a server.
struct ServerMethod {
  std::string_view name;
  Eras eras = Eras::kBoth;
  bool is_notification = false;
  // Of the server as a whole, never of one request.
  bool is_of_session = false;
  ServerRequestKind request = ServerRequestKind::kNone;
  // The client must have asked for what it names.
  TargetKind target = TargetKind::kNone;
};

// Exact and case-sensitive; nullptr when unknown.
const ClientMethod* FindClientMethod(std::string_view method);
const ServerMethod* FindServerMethod(std::string_view method);

// "sampling", "elicitation", "roots"; empty for the others.
std::string_view PolicyWord(ServerRequestKind kind);

}  // namespace sallyport::agent
