#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "agent/mcp/json_index.h"
#include "agent/mcp/message.h"
#include "agent/mcp/methods.h"

// What a client says that it can be asked for, in its initialize or in a request of the modern era,
// and what of that each request of a server needs: no other file knows which.
namespace sallyport::agent {

struct ClientCapabilities {
  bool sampling = false;
  // With tools, or a choice among them.
  bool sampling_tools = false;
  // The modes of elicitation. A client that names none has the one that there was first, form.
  bool form = false;
  bool url = false;
  bool roots = false;
  // Of the above, that it can be asked to run one as a task.
  bool tasks = false;

  bool empty() const { return *this == ClientCapabilities{}; }
  void Add(const ClientCapabilities& more);
  friend bool operator==(const ClientCapabilities&, const ClientCapabilities&) = default;
};

// Of the object of capabilities. What is null or false there is not declared.
ClientCapabilities ReadClientCapabilities(std::string_view json);
// As its client wrote it, whatever policy has taken away since. Nothing where it is no initialize
// and not of the modern era.
ClientCapabilities DeclaredBy(const ClientMessage& request);

// Whether a client can be asked for this at all, in one way or another.
bool CanBeAsked(const ClientCapabilities& declared, ServerRequestKind kind);

// What a client must have declared to be sent a request of the server's, or its news of one, with
// these `params` (null: none). nullopt: no client can, for they say what the protocol does not
// have, or can be read in two ways. That a request includes context needs nothing: that servers ask
// for it of those alone who have declared it, the revisions only recommend.
std::optional<ClientCapabilities> NeedsOf(const ServerMethod& method, const JsonIndex& index,
                                          const JsonNode* params);
std::optional<ClientCapabilities> NeedsOf(const ServerMethod& method,
                                          const UpstreamMessage& message);

// What of `needs` is not declared.
ClientCapabilities Missing(const ClientCapabilities& needs, const ClientCapabilities& declared);

// Why a server's request goes nowhere that policy does not allow: policy_denied.
absl::Status NotAllowed(ServerRequestKind kind);
// Why a server's request goes nowhere of whose needs these are missing: policy_denied, with what
// RequiredCapabilitiesOf gives back.
absl::Status NotDeclared(const ClientCapabilities& missing);
// The value of requiredCapabilities. Empty: it is another status.
std::string RequiredCapabilitiesOf(const absl::Status& status);
// The error of the modern era for who has not declared this.
UpstreamMessage CapabilityNotDeclared(std::string_view id, std::string_view required_capabilities);

}  // namespace sallyport::agent
