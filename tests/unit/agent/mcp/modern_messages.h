#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "agent/mcp/json_scan.h"

namespace sallyport::agent {

inline constexpr char kMeta[] =
    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}})";

inline ClientMessage FromClient(const std::string& json) {
  auto message = ScanClientMessage(json);
  INFO(json);
  REQUIRE(message.ok());
  return *std::move(message);
}
inline UpstreamMessage FromServer(const std::string& json) {
  auto message = ScanUpstreamMessage(json);
  INFO(json);
  REQUIRE(message.ok());
  return *std::move(message);
}

// A modern request of id 1; `params` are its members beside _meta.
inline std::string ModernRequest(const std::string& method, const std::string& params = "") {
  return R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":{)" + params +
         (params.empty() ? "" : ",") + kMeta + "}}";
}
inline ClientMessage ModernCall(const std::string& tool, const std::string& arguments = "{}") {
  return FromClient(
      ModernRequest("tools/call", R"("name":")" + tool + R"(","arguments":)" + arguments));
}
inline UpstreamMessage Result(const std::string& result) {
  return FromServer(R"({"jsonrpc":"2.0","id":1,"result":)" + result + "}");
}

}  // namespace sallyport::agent
