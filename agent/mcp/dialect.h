#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "agent/mcp/message.h"

// What differs between the revisions of MCP that we serve, and how a client's wish becomes the
// revision it is served in. No other file compares versions.
namespace sallyport::agent {

// Newest first.
inline constexpr std::array<std::string_view, 4> kServedVersions = {"2025-11-25", "2025-06-18",
                                                                    "2025-03-26", "2024-11-05"};
inline constexpr std::string_view kLatestVersion = kServedVersions[0];
inline constexpr std::array<std::string_view, 1> kModernVersions = {"2026-07-28"};

// Of the legacy era.
bool IsServedVersion(std::string_view version);
bool IsModernVersion(std::string_view version);

// What to answer to initialize: the version asked for if we serve it, else our latest.
std::string_view NegotiateVersion(std::string_view requested);

// False: answer 400. `header` is the MCP-Protocol-Version of a request inside a legacy session.
// Absent is fine (no such header before 2025-06-18); a header must name one version that we serve.
// It need not be the one the session agreed on, as the official servers take it: nothing is decided
// by it, and the server behind us is told the session's own.
bool IsVersionHeaderAccepted(std::optional<std::string_view> header);

// Whether a client of that version knows an event without data, which gives a stream's first id,
// and comes back when its stream ends before the response (2025-11-25). Older ones read each event
// as a message.
bool CanBePrimed(std::string_view version);

// Whether messages of that version may come several in one array.
bool HasBatches(std::string_view version);

// Whether a server that answered initialize so may send several from then on.
bool AgreesOnBatches(const UpstreamMessage& initialized);

// Whether a client of that version names it in MCP-Protocol-Version.
bool HasVersionHeader(std::string_view version);

// Whether a message that says nothing of its era belongs to the modern one, by its
// MCP-Protocol-Version header: every one but an initialize under a version of the modern era.
bool IsModernByHeader(const ClientMessage& message, std::optional<std::string_view> header);

// JSON-RPC -32022 with data {supported, requested}: to a client of a version that nobody serves,
// with all that we serve of its era...
UpstreamMessage UnsupportedVersion(const ClientMessage& message, std::string_view requested);
// ... and to a modern client whose server is of the legacy era: official clients fall back to
// initialize on it.
UpstreamMessage UnsupportedEra(const ClientMessage& message);

// Whether a server that answered server/discover so speaks a version of the modern era that we
// serve.
bool IsModernServer(const UpstreamMessage& discovered);

// The request by which a server's era is found out.
ClientMessage DiscoverRequest(std::string_view id);

// Whether a request only listens: its answer comes when there is nothing more to hear.
bool IsListening(const ClientMessage& request);

// What ends a subscriptions/listen that did not fail: there is nothing more to hear.
UpstreamMessage ListenEnded(std::string_view id);

// What a server must be told of us in a request of our own to a modern server, as the value of
// params._meta.
std::string ModernMeta();

// The HTTP status of a response to a modern request, as the revision orders it; the legacy era has
// 200 for all.
int HttpStatusOf(Era era, const UpstreamMessage& response);

}  // namespace sallyport::agent
