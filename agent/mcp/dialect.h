#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "agent/mcp/message.h"

// Which revisions of MCP we speak, and how a client's wish becomes the session's revision.
namespace sallyport::agent {

// Newest first.
inline constexpr std::array<std::string_view, 3> kServedVersions = {"2025-11-25", "2025-06-18",
                                                                    "2025-03-26"};
inline constexpr std::string_view kLatestVersion = kServedVersions[0];

bool IsServedVersion(std::string_view version);

// What to answer to initialize: the version asked for if we serve it, else our latest.
std::string_view NegotiateVersion(std::string_view requested);

// False: answer 400. `header` is the MCP-Protocol-Version of a request inside a session. Absent is
// fine (2025-03-26 had no such header); a header must name one version that we serve. It need not
// be the one the session agreed on, as the official servers take it: nothing is decided by it, and
// the server behind us is told the session's own.
bool IsVersionHeaderAccepted(std::optional<std::string_view> header);

// The version that a client of the 2026-07-28 era asked for, by the message's _meta or else by the
// header of a message that is not initialize. nullopt: a client of the eras we serve.
std::optional<std::string_view> ModernVersion(const ClientMessage& message,
                                              std::optional<std::string_view> header);

// The answer to such a client (HTTP 400): JSON-RPC -32022 with data {supported, requested}, on
// which official clients fall back to initialize.
UpstreamMessage UnsupportedVersion(const ClientMessage& message, std::string_view requested);

}  // namespace sallyport::agent
