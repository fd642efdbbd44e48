#include "agent/listen/mcp_endpoint.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/call/authenticate.h"
#include "agent/call/error_reply.h"
#include "agent/call/handle_call.h"
#include "agent/call/shown.h"
#include "agent/listen/metadata.h"
#include "common/denial.h"
#include "common/names.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::string_view kRootMetadata = "/.well-known/oauth-protected-resource";
constexpr std::string_view kMetadataPrefix = "/.well-known/oauth-protected-resource/";
constexpr std::string_view kMcpSuffix = "/mcp";

// `{server}/mcp`; nothing is decoded and nothing is normalised.
std::optional<std::string_view> ServerOf(std::string_view path) {
  if (!path.ends_with(kMcpSuffix)) return std::nullopt;
  path.remove_suffix(kMcpSuffix.size());
  if (!IsServerName(path)) return std::nullopt;
  return path;
}

OwnAnswer Refusal(int status, types::v1::DenialReason reason, std::string_view message) {
  OwnAnswer answer = HttpRefusal(Denied(reason, message), Challenge{});
  answer.status = status;
  return answer;
}

// Of a request whose maker is known.
OwnAnswer Refuse(Gateway& gateway, const AuthenticatedCall& call, int status,
                 types::v1::DenialReason reason, std::string_view why) {
  RecordDenial(gateway, call.incoming, call.caller.get(), reason, {}, why);
  return Refusal(status, reason, why);
}

constexpr std::string_view kNothingHere =
    "there is nothing at this path; servers are at /{server}/mcp";
constexpr std::string_view kNoSuchMethod = "this path does not take that HTTP method";

OwnAnswer MethodNotAllowed(std::string_view allowed) {
  OwnAnswer answer = Refusal(405, types::v1::DENIAL_REASON_METHOD_UNKNOWN, kNoSuchMethod);
  answer.headers.emplace_back("Allow", allowed);
  return answer;
}

// How much of it will have to be held; of a body whose length is not said, as much as it may have.
std::size_t BodyBytes(const HttpRequest& request, std::uint64_t most) {
  std::uint64_t bytes = request.has_body ? most : 0;
  if (const auto length = request.fields.Find("content-length")) {
    if (!absl::SimpleAtoi(ToAbsl(*length), &bytes)) bytes = most;
  }
  return static_cast<std::size_t>(std::min(bytes, most));
}

OwnAnswer NoRoom(Gateway& gateway, const AuthenticatedCall& call) {
  OwnAnswer answer = Refuse(gateway, call, 503, types::v1::DENIAL_REASON_LIMIT_EXCEEDED,
                            "long requests are held already, as many as there is room for; send it "
                            "again when one of them is answered");
  answer.headers.emplace_back("Retry-After", "1");
  return answer;
}

// A browser asks, without a token, whether a page may send what it is about to.
bool IsPreflight(const HttpRequest& request) {
  return request.method == HttpMethod::kOptions &&
         request.fields.Find("access-control-request-method").has_value();
}

// The star stands for all names but that of Authorization. What is sent is judged when it comes.
OwnAnswer PreflightAnswer() {
  OwnAnswer answer{.status = 204};
  answer.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, DELETE");
  answer.headers.emplace_back("Access-Control-Allow-Headers", "Authorization, *");
  answer.headers.emplace_back("Access-Control-Max-Age", "600");
  return answer;
}

// Nothing: a message may follow.
std::optional<OwnAnswer> RefusePostHead(Gateway& gateway, const AuthenticatedCall& call) {
  constexpr auto kReason = types::v1::DENIAL_REASON_MESSAGE_INVALID;
  const HttpFields& fields = *call.incoming.fields;
  if (!IsMediaType(fields.Find("content-type").value_or(""), "application/json") ||
      fields.Find("content-encoding")) {
    return Refuse(gateway, call, 415, kReason,
                  "the body must be application/json in UTF-8, not encoded");
  }
  if (!Accepts(fields, "application/json") || !Accepts(fields, "text/event-stream")) {
    return Refuse(gateway, call, 406, kReason,
                  "Accept must admit application/json and text/event-stream");
  }
  return std::nullopt;
}

// What a client is to ask for with its first token. A refresh token is between it and its issuer.
std::vector<std::string> FirstScopes(const AgentSnapshot& snapshot) {
  std::vector<std::string> scopes = snapshot.policies()->scopes_of_all();
  std::erase(scopes, "offline_access");
  return scopes;
}

std::string_view AuthorityOf(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  return url.substr(0, url.find('/'));
}

// What stands for it when it is the scheme's own port.
std::string_view WithoutDefaultPort(std::string_view url, std::string_view authority) {
  const std::string_view port = url.starts_with("https:") ? ":443" : ":80";
  if (authority.ends_with(port)) authority.remove_suffix(port.size());
  return authority;
}

bool IsLoopback(std::string_view address) {
  return address.starts_with("127.") || address.starts_with("[::1]");
}

}  // namespace

McpEndpoint::McpEndpoint(Gateway& gateway, Names names)
    : gateway_(gateway), allowed_origins_(std::move(names.allowed_origins)) {
  const std::string_view authority = AuthorityOf(names.public_url);
  const std::string_view bare = WithoutDefaultPort(names.public_url, authority);
  // As browsers write it: without the path and the scheme's own port.
  own_origins_.push_back(
      absl::StrCat(names.public_url.substr(0, names.public_url.find("://")), "://", ToAbsl(bare)));
  // It may be https before a plain listener: somebody ends TLS there.
  const bool is_public_tls = names.public_url.starts_with("https:");
  const auto add_public = [&](std::string host) {
    hosts_.push_back({std::move(host), is_public_tls ? UriScheme::kHttps : UriScheme::kHttp});
  };
  add_public(std::string(authority));
  add_public(std::string(bare));
  if (bare == authority && bare.find(':') == std::string_view::npos) {
    add_public(absl::StrCat(ToAbsl(bare), is_public_tls ? ":443" : ":80"));
  }
  const UriScheme listen_scheme = names.is_tls ? UriScheme::kHttps : UriScheme::kHttp;
  hosts_.push_back({names.listen_address, listen_scheme});
  // No page of another site can be served under this name, so it opens nothing to DNS rebinding.
  if (IsLoopback(names.listen_address)) {
    hosts_.push_back(
        {absl::StrCat("localhost", names.listen_address.substr(names.listen_address.rfind(':'))),
         listen_scheme});
    const std::string_view scheme = names.is_tls ? "https://" : "http://";
    own_origins_.push_back(absl::StrCat(ToAbsl(scheme), names.listen_address));
    own_origins_.push_back(absl::StrCat(ToAbsl(scheme), hosts_.back().authority));
  }
}

bool McpEndpoint::IsOurHost(const HttpRequest& request) const {
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const OwnHost& ours) {
    return absl::EqualsIgnoreCase(ours.authority, request.host) &&
           (request.scheme == UriScheme::kNone || request.scheme == ours.scheme);
  });
}

bool McpEndpoint::IsOriginAllowed(std::string_view origin) const {
  const bool is_own = std::any_of(
      own_origins_.begin(), own_origins_.end(),
      [&](const std::string& ours) { return absl::EqualsIgnoreCase(ours, ToAbsl(origin)); });
  return is_own || std::find(allowed_origins_.begin(), allowed_origins_.end(), origin) !=
                       allowed_origins_.end();
}

Task<void> McpEndpoint::Serve(ClientConnection& connection) {
  const HttpRequest& request = connection.request();
  const auto refuse = [&](types::v1::DenialReason reason, ShownText detail) {
    gateway_.metrics.Denied(reason);
    gateway_.recorder.RecordDenial({.reason = reason,
                                    .client_address = connection.client_address(),
                                    .detail = std::move(detail)});
  };
  if (!connection.is_head_approved() && !IsOurHost(request)) {
    refuse(types::v1::DENIAL_REASON_HOST_REFUSED, "Host is not ours"_words);
    co_await connection.Answer(
        Refusal(421, types::v1::DENIAL_REASON_HOST_REFUSED,
                "the Host header, or the URI that is asked for, names neither the public URL nor "
                "this listener"));
    co_return;
  }
  const auto origin = request.fields.Find("origin");
  if (origin && !connection.is_head_approved() && !IsOriginAllowed(*origin)) {
    refuse(types::v1::DENIAL_REASON_ORIGIN_REFUSED, "Origin is not allowed"_words);
    co_await connection.Answer(Refusal(403, types::v1::DENIAL_REASON_ORIGIN_REFUSED,
                                       "the Origin is neither ours nor among allowed_origins"));
    co_return;
  }
  if (origin) {
    connection.AllowOrigin(*origin);
    if (IsPreflight(request)) {
      co_await connection.Answer(PreflightAnswer());
      co_return;
    }
  }
  std::string_view path = request.target;
  const std::size_t query = path.find('?');
  const bool has_query = query != std::string_view::npos;
  path = path.substr(0, query);
  if (path == kRootMetadata && !has_query) {
    co_await ServeMetadata(connection, gateway_.public_url);
    co_return;
  }
  if (path.starts_with(kMetadataPrefix) && !has_query) {
    if (const auto server = ServerOf(path.substr(kMetadataPrefix.size()))) {
      co_await ServeMetadata(connection, gateway_.ResourceUri(*server));
      co_return;
    }
  }
  if (const auto server = ServerOf(path.substr(1))) {
    co_await ServeMcp(connection, *server, has_query);
    co_return;
  }
  co_await connection.Answer(Refusal(404, types::v1::DENIAL_REASON_SERVER_UNKNOWN, kNothingHere));
}

void McpEndpoint::OnBadHead(const ClientConnection& connection, HttpError error) {
  IncomingCall unread;
  unread.client_address = connection.client_address();
  RecordDenial(gateway_, unread, nullptr, ReasonFor(error), {}, error.what);
}

Task<void> McpEndpoint::ServeMetadata(ClientConnection& connection, std::string resource) {
  // An answer to HEAD leaves its body out by itself.
  const HttpMethod method = connection.request().method;
  if (method != HttpMethod::kGet && method != HttpMethod::kHead) {
    co_await connection.Answer(MethodNotAllowed("GET, HEAD"));
    co_return;
  }
  const auto snapshot = gateway_.snapshots.current();
  if (snapshot == nullptr) {
    co_await connection.Answer(
        HttpRefusal(Denied(types::v1::DENIAL_REASON_NO_SNAPSHOT,
                           "this agent has not heard from its control plane yet"),
                    Challenge{}));
    co_return;
  }
  OwnAnswer answer;
  answer.body = ProtectedResourceMetadata(resource, snapshot->issuers()->AuthorizationServers(),
                                          FirstScopes(*snapshot));
  co_await connection.Answer(std::move(answer));
}

OwnAnswer McpEndpoint::Unauthenticated(const absl::Status& why, std::string_view server) const {
  const auto snapshot = gateway_.snapshots.current();
  return HttpRefusal(
      why, Challenge{gateway_.MetadataUrl(server),
                     snapshot == nullptr ? std::vector<std::string>() : FirstScopes(*snapshot)});
}

Task<void> McpEndpoint::ServeMcp(ClientConnection& connection, std::string_view server,
                                 bool has_query) {
  const HttpRequest& request = connection.request();
  IncomingCall incoming;
  incoming.server = server;
  incoming.authorization = request.fields.Find("authorization");
  incoming.mcp_session_id = request.fields.Find("mcp-session-id");
  incoming.protocol_version = request.fields.Find("mcp-protocol-version");
  incoming.client_address = connection.client_address();
  incoming.fields = &request.fields;
  incoming.remembered = &connection.known_token();
  incoming.reply = &connection;
  if (request.method != HttpMethod::kPost && request.method != HttpMethod::kGet &&
      request.method != HttpMethod::kDelete) {
    RecordDenial(gateway_, incoming, nullptr, types::v1::DENIAL_REASON_METHOD_UNKNOWN, {},
                 kNoSuchMethod);
    co_await connection.Answer(MethodNotAllowed("GET, POST, DELETE"));
    co_return;
  }
  auto authenticated = co_await Authenticate(gateway_, incoming);
  if (const auto* why = std::get_if<absl::Status>(&authenticated)) {
    co_await connection.Answer(Unauthenticated(*why, server));
    co_return;
  }
  connection.MarkKnown();
  AuthenticatedCall& call = std::get<AuthenticatedCall>(authenticated);
  if (has_query) {
    co_await connection.Answer(
        Refuse(gateway_, call, 404, types::v1::DENIAL_REASON_SERVER_UNKNOWN, kNothingHere));
    co_return;
  }
  if (request.method == HttpMethod::kGet) {
    if (!Accepts(request.fields, "text/event-stream")) {
      co_await connection.Answer(Refuse(gateway_, call, 406,
                                        types::v1::DENIAL_REASON_MESSAGE_INVALID,
                                        "a GET is answered by text/event-stream alone"));
      co_return;
    }
    co_await HandleGet(gateway_, std::move(call));
    co_return;
  }
  if (request.method == HttpMethod::kDelete) {
    co_await HandleDelete(gateway_, std::move(call));
    co_return;
  }
  co_await ServePost(connection, std::move(incoming), std::move(call));
}

Task<void> McpEndpoint::ServePost(ClientConnection& connection, IncomingCall incoming,
                                  AuthenticatedCall call) {
  const HttpRequest& request = connection.request();
  if (!connection.is_head_approved()) {
    if (auto refusal = RefusePostHead(gateway_, call)) {
      co_await connection.Answer(*std::move(refusal));
      co_return;
    }
    connection.ApproveHead();
  }
  // A server that is not there takes as much as any, and is not there when the message has been
  // read.
  const std::uint64_t message_bytes = gateway_.upstreams.Has(incoming.server)
                                          ? gateway_.upstreams.request_bytes(incoming.server)
                                          : gateway_.limits.message_bytes;
  const BodyRoom::Place place(bodies_, call.caller->key, BodyBytes(request, message_bytes));
  if (!place.is_taken()) {
    co_await connection.Answer(NoRoom(gateway_, call));
    co_return;
  }
  if (!co_await connection.ReadBody(message_bytes)) {
    if (const HttpError error = connection.body_error()) {
      RecordDenial(gateway_, call.incoming, call.caller.get(), ReasonFor(error), {}, error.what);
    }
    co_return;
  }
  if (!incoming.remembered->Holds(gateway_.snapshots.current().get(), gateway_.clock.Now())) {
    // The body was long in coming, and the token may not hold any more.
    auto authenticated = co_await Authenticate(gateway_, incoming);
    if (const auto* why = std::get_if<absl::Status>(&authenticated)) {
      co_await connection.Answer(Unauthenticated(*why, incoming.server));
      co_return;
    }
    call = std::get<AuthenticatedCall>(std::move(authenticated));
  }
  co_await HandlePost(gateway_, std::move(call), connection.TakeBody());
}

}  // namespace sallyport::agent
