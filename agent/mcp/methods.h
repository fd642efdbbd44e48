#pragma once

#include <cstdint>
#include <string_view>

// What MCP's methods are, for 2025-03-26 to 2025-11-25. A method that is in no table is unknown and
// needs a policy rule by name
// (`methods`) or is refused.
namespace sallyport::agent {

// What a policy judges the call by, beside its method.
enum class TargetKind : std::uint8_t { kNone, kTool, kResource, kPrompt, kCompletionRef };

// Which list a response holds.
enum class ListKind : std::uint8_t { kNone, kTools, kResources, kResourceTemplates, kPrompts };

// From a client.
struct ClientMethod {
  std::string_view name;
  bool is_notification = false;
  // Passes with a live session alone (initialize, ping, the lists, ...).
  bool needs_rule = true;
  // Counts against max_calls.
  bool is_counted = false;
  // Later protocol work: known, and refused until we serve it (tasks, resources/subscribe).
  bool is_served = true;
  TargetKind target = TargetKind::kNone;
  ListKind list = ListKind::kNone;
};

// The word that `server_requests` in a policy uses.
enum class ServerRequestKind : std::uint8_t { kNone, kPing, kSampling, kElicitation, kRoots };

// From a server.
struct ServerMethod {
  std::string_view name;
  bool is_notification = false;
  bool is_served = true;
  ServerRequestKind request = ServerRequestKind::kNone;
};

// Exact and case-sensitive; nullptr when unknown.
const ClientMethod* FindClientMethod(std::string_view method);
const ServerMethod* FindServerMethod(std::string_view method);

// "sampling", "elicitation", "roots"; empty for the others.
std::string_view PolicyWord(ServerRequestKind kind);

}  // namespace sallyport::agent
