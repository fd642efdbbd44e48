#pragma once

#include <optional>
#include <string>

#include "tests/integration/agent/call/door.h"

namespace sallyport {

// A client of MCP 2026-07-28: it has no session, and each of its requests says all of itself.
class ModernClient {
 public:
  explicit ModernClient(const Door& door, const std::string& client = "bot")
      : door_(door), token_(door.control.Token(client)) {}
  static ModernClient WithToken(const Door& door, std::string token) {
    ModernClient client(door);
    client.token_ = std::move(token);
    return client;
  }

  const std::string& token() const { return token_; }

  // A request, and what of it a test spoils.
  struct Ask {
    std::string method;
    Json params = Json::object();
    Json id = 1;
    Json capabilities = Json::object();
    std::string version = kVersion;
    // As the body says; empty: left out.
    std::optional<std::string> version_field = std::nullopt;
    std::optional<std::string> method_field = std::nullopt;
    std::optional<std::string> name_field = std::nullopt;
    // More lines of the head, and members of _meta.
    std::string more_fields = "";
    Json more_meta = Json::object();
    std::string session_id = "";
  };

  Door::Request Make(const Ask& ask) const {
    Json params = ask.params;
    params["_meta"] = ask.more_meta;
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = ask.version;
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = ask.capabilities;
    const Json body = {
        {"jsonrpc", "2.0"}, {"id", ask.id}, {"method", ask.method}, {"params", params}};
    std::string fields;
    const auto add = [&fields](const std::string& name, const std::string& value) {
      if (!value.empty()) fields += name + ": " + value + "\r\n";
    };
    add("MCP-Protocol-Version", ask.version_field.value_or(ask.version));
    add("Mcp-Method", ask.method_field.value_or(ask.method));
    add("Mcp-Name", ask.name_field.value_or(params.value("name", params.value("uri", ""))));
    return {.token = token_,
            .session_id = ask.session_id,
            .body = body.dump(),
            .more_fields = fields + ask.more_fields};
  }
  HttpClient::Answer Post(const Ask& ask) const { return door_.Send(Make(ask)); }
  // A connection of its own that has sent the request.
  std::unique_ptr<HttpClient> Send(const Ask& ask) const {
    auto client = std::make_unique<HttpClient>(door_.agent->port());
    client->Send(door_.Bytes(Make(ask)));
    return client;
  }

  static Ask Call(const std::string& tool, const Json& arguments = Json::object()) {
    return {.method = "tools/call", .params = {{"name", tool}, {"arguments", arguments}}};
  }
  static Ask Read(const std::string& uri) {
    return {.method = "resources/read", .params = {{"uri", uri}}};
  }

  static constexpr char kVersion[] = "2026-07-28";

 private:
  const Door& door_;
  std::string token_;
};

// The server's answer to `message`: an event stream of these messages, and then the end, or
// silence until the client goes.
inline RawHttpServer::Reply EventsOf(const std::vector<Json>& messages, bool ends = true) {
  std::string events;
  for (const Json& message : messages) events += "data: " + message.dump() + "\n\n";
  std::string bytes =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
      HttpChunk(events);
  if (ends) return {.bytes = bytes + "0\r\n\r\n"};
  return {.bytes = bytes, .closes = true, .waits = true};
}
inline RawHttpServer::Reply ResultOf(const Json& message, const Json& result) {
  return {.bytes = JsonReply(
              Json{{"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", result}}.dump())};
}

}  // namespace sallyport
