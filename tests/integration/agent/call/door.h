#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/fakes/agent_process.h"
#include "tests/fakes/fake_control_plane.h"
#include "tests/fakes/http_client.h"
#include "tests/fakes/raw_http_server.h"

namespace sallyport {

using Json = nlohmann::json;

inline constexpr char kPolicy[] = R"(
kind: Policy
name: bots
spec:
  principals: [{realm: okta}]
  servers: [wiki]
  rules:
    - allow: {tools: [echo, "get-*"], resources: ["file:///public/**"], methods: ["logging/*"]}
    - allow: {tools: [deploy], when: [{path: /env, in: [staging, dev]}]}
    - allow: {server_requests: [elicitation]}
    - require_approval: {tools: [delete], approvers: ["okta:approvers"]}
    - deny: {tools: ["drop-*"]}
  mask: [secrets, house]
---
kind: MaskProfile
name: house
spec: {fields: [{keys: [forbidden], operator: block}]}
)";

// A server that says something before its answer, on an event stream.
inline RawHttpServer::Reply Streamed(const std::string& before, const Json& id) {
  const std::string answer =
      Json{{"jsonrpc", "2.0"}, {"id", id}, {"result", {{"content", Json::array()}}}}.dump();
  const std::string events = "data: " + before + "\n\ndata: " + answer + "\n\n";
  return {.bytes =
              "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
              "chunked\r\n\r\n" +
              HttpChunk(events) + "0\r\n\r\n"};
}

// The eras of MCP that the server speaks.
enum class ServerEras { kLegacy, kModern, kBoth };

// An agent in front of one HTTP server `wiki`, or another one of that name, and the control plane
// it listens to.
class Door {
 public:
  // What the server says to a request in place of its usual answer. Nothing: the usual answer.
  using Awkward = std::function<std::optional<RawHttpServer::Reply>(const Json& message)>;

  explicit Door(
      const std::string& more_config = "recording: {durability: process, spool_max_bytes: 128MiB}",
      const std::string& policy = kPolicy, bool withholds_snapshot = false,
      const std::string& other_server = "", ServerEras eras = ServerEras::kLegacy)
      : eras_(eras), server_([this](const std::string& request) { return Say(request); }) {
    control.withholds_snapshot = withholds_snapshot;
    control.Apply(policy, {"wiki"});
    const std::string server =
        !other_server.empty()
            ? other_server
            : "{name: wiki, http: {url: \"http://127.0.0.1:" + server_.port() + "/mcp\"}}";
    agent = std::make_unique<AgentProcess>(control.JoinString(),
                                           more_config + "\nservers: [" + server + "]\n",
                                           withholds_snapshot ? "listening" : "ready");
  }

  // In front of a server of those eras.
  explicit Door(ServerEras eras)
      : Door("recording: {durability: process, spool_max_bytes: 128MiB}", kPolicy, false, "",
             eras) {}

  void set_awkward(Awkward awkward) {
    std::lock_guard lock(mutex_);
    awkward_ = std::move(awkward);
  }

  // What the server says to a GET, for it has no stream otherwise.
  void set_stream(RawHttpServer::Script stream) {
    std::lock_guard lock(mutex_);
    stream_ = std::move(stream);
  }

  // ---- the client's side

  struct Request {
    std::string method = "POST";
    std::string target = "/wiki/mcp";
    std::string token;
    std::string session_id;
    std::string body;
    std::string host;
    std::string more_fields;
    std::string version = "HTTP/1.1";
    std::string accept = "application/json, text/event-stream";
    std::string content_type = "application/json";
  };
  std::string Bytes(const Request& request) const {
    std::string bytes = request.method + " " + request.target + " " + request.version +
                        "\r\nHost: " + (request.host.empty() ? agent->authority() : request.host) +
                        "\r\nAccept: " + request.accept + "\r\n";
    if (!request.token.empty()) bytes += "Authorization: Bearer " + request.token + "\r\n";
    if (!request.session_id.empty()) bytes += "Mcp-Session-Id: " + request.session_id + "\r\n";
    bytes += request.more_fields;
    if (request.method == "POST") {
      bytes += "Content-Type: " + request.content_type +
               "\r\nContent-Length: " + std::to_string(request.body.size()) + "\r\n";
    }
    return bytes + "\r\n" + request.body;
  }
  HttpClient::Answer Send(const Request& request) const {
    HttpClient client(agent->port());
    client.Send(Bytes(request));
    return client.Read();
  }

  static std::string Initialize(const std::string& capabilities = "{}",
                                const std::string& version = "2025-11-25") {
    return R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":")" +
           version + R"(","capabilities":)" + capabilities +
           R"(,"clientInfo":{"name":"t","version":"1"}}})";
  }
  static std::string Call(const std::string& tool, const std::string& arguments = "{}",
                          int id = 1) {
    return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
           R"(,"method":"tools/call","params":{"name":")" + tool + R"(","arguments":)" + arguments +
           "}}";
  }

  // A bot with an MCP session.
  struct Bot {
    const Door* door;
    std::string token;
    std::string session_id;
    HttpClient::Answer Post(const std::string& body) const {
      return door->Send({.token = token, .session_id = session_id, .body = body});
    }
    HttpClient::Answer Delete() const {
      return door->Send({.method = "DELETE", .token = token, .session_id = session_id});
    }
  };
  Bot Connect(const std::string& client = "bot", const std::string& capabilities = "{}") const {
    Bot bot{this, control.Token(client), {}};
    const auto answer = Send({.token = bot.token, .body = Initialize(capabilities)});
    bot.session_id = answer.session_id;
    if (bot.session_id.empty())
      std::fprintf(stderr, "initialize: %d %s\n%s", answer.status, answer.body.c_str(),
                   agent->log().c_str());
    return bot;
  }

  // ---- the server's side

  // Requests that the server has seen, by JSON-RPC method; all of them without one.
  int Seen(const std::string& method = "") const {
    int seen = 0;
    for (const std::string& request : server_.requests()) {
      if (method.empty() || request.find("\"method\":\"" + method + "\"") != std::string::npos)
        ++seen;
    }
    return seen;
  }
  bool SawText(const std::string& text) const {
    for (const std::string& request : server_.requests()) {
      if (request.find(text) != std::string::npos) return true;
    }
    return false;
  }
  // The requests of that method, head and body, in the order of their coming.
  std::vector<std::string> Requests(const std::string& method) const {
    std::vector<std::string> found;
    for (const std::string& request : server_.requests()) {
      if (request.find("\"method\":\"" + method + "\"") != std::string::npos)
        found.push_back(request);
    }
    return found;
  }
  // Until that many have come. False after twenty seconds.
  bool AwaitRequests(const std::string& method, int count) const {
    return Await([&] { return Seen(method) >= count; });
  }
  bool AwaitOpenConnections(std::size_t count) const {
    return Await([&] { return server_.open_connections() == count; });
  }
  // Until the agent judges by that version, or a later one. False after ten seconds.
  bool AwaitSnapshot(std::uint64_t version) const { return agent->AwaitSnapshot(version); }
  void DropServerConnections() { server_.DropConnections(); }
  // Its server is down from now on.
  void StopServer() {
    server_.StopListening();
    server_.DropConnections();
  }

  // The last message of an answer, plain or streamed.
  static Json Message(const HttpClient::Answer& answer) {
    if (!answer.is_stream()) return Json::parse(answer.body, nullptr, false);
    const std::size_t at = answer.body.rfind("data: ");
    if (at == std::string::npos) return {};
    return Json::parse(answer.body.substr(at + 6, answer.body.find('\n', at) - at - 6), nullptr,
                       false);
  }

  mutable FakeControlPlane control;
  std::unique_ptr<AgentProcess> agent;

 private:
  RawHttpServer::Reply Say(const std::string& request) {
    if (request.starts_with("GET ")) {
      RawHttpServer::Script stream;
      {
        std::lock_guard lock(mutex_);
        stream = stream_;
      }
      return stream ? stream(request) : RawHttpServer::Reply{HttpReply(405, "text/plain", "")};
    }
    if (request.starts_with("DELETE ")) return {.bytes = HttpReply(200, "text/plain", "")};
    const Json message = Json::parse(request.substr(request.find("\r\n\r\n") + 4), nullptr, false);
    Awkward awkward;
    {
      std::lock_guard lock(mutex_);
      awkward = awkward_;
    }
    if (awkward) {
      if (auto reply = awkward(message)) return *reply;
    }
    if (!message.contains("id") || !message.contains("method")) {
      return {.bytes = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"};
    }
    const bool is_modern = message.value("params", Json::object())
                               .value("_meta", Json::object())
                               .contains(kVersionKey);
    if (is_modern ? eras_ == ServerEras::kLegacy : eras_ == ServerEras::kModern) {
      return {.bytes = HttpReply(400, "application/json",
                                 R"({"jsonrpc":"2.0","id":)" + message["id"].dump() +
                                     R"(,"error":{"code":-32600,"message":"unknown version"}})")};
    }
    Json result = is_modern ? ModernResult(message) : LegacyResult(message);
    return {.bytes = JsonReply(
                Json{{"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", result}}.dump(),
                message["method"] == "initialize" ? "Mcp-Session-Id: upstream-session\r\n" : "")};
  }
  static Json Capabilities() {
    return {{"tools", Json::object()},
            {"logging", Json::object()},
            {"prompts", Json::object()},
            {"resources", {{"subscribe", true}}},
            {"tasks", Json::object()}};
  }
  static Json CallResult(const Json& message) {
    const Json arguments = message["params"].value("arguments", Json::object());
    return {{"content", Json::array({{{"type", "text"}, {"text", "did " + arguments.dump()}}})}};
  }
  static Json LegacyResult(const Json& message) {
    const std::string method = message["method"];
    if (method == "initialize") {
      return {{"protocolVersion", message["params"]["protocolVersion"]},
              {"capabilities", Capabilities()},
              {"serverInfo", {{"name", "wiki"}, {"version", "1"}}},
              {"instructions", "be nice"}};
    }
    if (method == "tools/list") {
      return {{"tools", Json::array({{{"name", "echo"}},
                                     {{"name", "secret"}},
                                     {{"name", "delete"}},
                                     {{"name", "drop-all"}}})}};
    }
    return method == "tools/call" ? CallResult(message) : Json::object();
  }
  Json ModernResult(const Json& message) const {
    const std::string method = message["method"];
    Json result = Json::object();
    if (method == "server/discover") {
      Json versions = {"2026-07-28"};
      if (eras_ == ServerEras::kBoth) versions.push_back("2025-11-25");
      versions.push_back("2099-01-01");
      result = {{"supportedVersions", versions},
                {"capabilities", Capabilities()},
                {"serverInfo", {{"name", "wiki"}, {"version", "1"}}}};
    } else if (method == "tools/list") {
      result = Json::parse(R"({"tools":[
          {"name":"echo","inputSchema":{"type":"object","properties":{
              "region":{"type":"string","x-mcp-header":"Region"},
              "limit":{"type":"integer","x-mcp-header":"Limit"}}}},
          {"name":"secret","inputSchema":{"type":"object"}},
          {"name":"drop-all","inputSchema":{"type":"object"}}]})");
    } else if (method == "resources/read") {
      result = {
          {"contents", Json::array({{{"uri", message["params"]["uri"]}, {"text", "words"}}})}};
    } else if (method == "tools/call") {
      result = CallResult(message);
    }
    result["resultType"] = "complete";
    if (method != "tools/call") {
      result["ttlMs"] = 86400000;
      result["cacheScope"] = "public";
    }
    return result;
  }

  static bool Await(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }

  static constexpr char kVersionKey[] = "io.modelcontextprotocol/protocolVersion";
  const ServerEras eras_;
  mutable std::mutex mutex_;
  Awkward awkward_;
  RawHttpServer::Script stream_;
  RawHttpServer server_;
};

// The configuration of a door that keeps a call that waits for a person for so long.
inline std::string HoldFor(int seconds) {
  return "recording: {durability: process, spool_max_bytes: 128MiB}\nlimits: "
         "{approval_hold_seconds: " +
         std::to_string(seconds) + "}";
}

// Why a call was refused, as its result says it. Empty: it was not.
inline std::string ReasonOf(const HttpClient::Answer& answer) {
  return Door::Message(answer)["result"].value("_meta", Json::object()).value("reason", "");
}

// The names of the tools that the client is shown.
inline std::vector<std::string> Listed(const Door::Bot& bot) {
  std::vector<std::string> names;
  const Json list = Door::Message(bot.Post(R"({"jsonrpc":"2.0","id":5,"method":"tools/list"})"));
  for (const Json& tool : list["result"]["tools"]) names.push_back(tool["name"]);
  return names;
}

}  // namespace sallyport
