#include "agent/upstream/server_url.h"

#include <catch2/catch.hpp>
#include <string>

namespace sallyport::agent {
namespace {

TEST_CASE("a server's url is taken apart", "[agent][upstream]") {
  auto url = ParseServerUrl("https://MCP.example.com/a/mcp?x=1");
  REQUIRE(url.ok());
  CHECK(url->is_tls);
  CHECK(url->host == "mcp.example.com");
  CHECK(url->port == "443");
  CHECK(url->authority == "mcp.example.com");
  CHECK(url->target == "/a/mcp?x=1");
  url = ParseServerUrl("http://[::1]:3001");
  REQUIRE(url.ok());
  CHECK_FALSE(url->is_tls);
  CHECK(url->host == "::1");
  CHECK(url->authority == "[::1]:3001");
  CHECK(url->target == "/");
  CHECK(ParseServerUrl("http://127.1.2.3/mcp").ok());
  CHECK(ParseServerUrl("https://h:443/")->authority == "h");
}

TEST_CASE("a url that is not safe or not clear is refused", "[agent][upstream]") {
  for (std::string url : {"http://localhost/mcp",
                          "http://wiki/mcp",
                          "http://10.0.0.1/mcp",
                          "http://127.0.0.1.evil.com/",
                          "ftp://h/",
                          "h/mcp",
                          "https://",
                          "https:///mcp",
                          "https://user:pw@h/",
                          "https://h/#f",
                          "https://h:0/",
                          "https://h:65536/",
                          "https://h:/",
                          "https://h:1x/",
                          "https://h/a b",
                          "https://h/\r\nX: y",
                          "https://h\r\n/",
                          "https://[::1/",
                          "https://[h]/",
                          "https://[::1]x/",
                          "https://-h/",
                          "https://h%41/",
                          "https://127.0.0.1@h/",
                          "javascript:x"}) {
    INFO(url);
    CHECK(ParseServerUrl(url).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("an endpoint is resolved as a reference at the server's own origin",
          "[agent][upstream]") {
  const ServerUrl base = *ParseServerUrl("https://h.example:8443/a/sse?x=1");
  const auto resolves = [&](std::string_view reference) {
    auto target = ResolveTarget(base, reference);
    return target.ok() ? *target : std::string(target.status().message());
  };
  CHECK(resolves("/messages?session=1") == "/messages?session=1");
  CHECK(resolves("messages/?session=1") == "/a/messages/?session=1");
  CHECK(resolves("?session=1") == "/a/sse?session=1");
  CHECK(resolves("https://h.example:8443/m") == "/m");
  CHECK(resolves("HTTPS://h.example:8443/m") == "the server's endpoint is not at its own origin");
  CHECK(resolves("https://H.EXAMPLE:8443/m") == "/m");
  CHECK(resolves("//h.example:8443/m") == "/m");
  CHECK(resolves("/m?next=https://elsewhere/") == "/m?next=https://elsewhere/");
}

TEST_CASE("an endpoint at another origin, or that cannot be sent, is refused",
          "[agent][upstream]") {
  const ServerUrl base = *ParseServerUrl("https://h.example:8443/a/sse");
  for (std::string reference :
       {"https://h.example/m", "http://127.0.0.1:8443/m", "https://elsewhere:8443/m",
        "https://h.example:8443@elsewhere/m", "//elsewhere:8443/m", "https:/m", "https:m",
        "javascript:x", "", "/a/../m", "./m", "/a/.", "/m\r\nX: y", "/a b", "/m#f", "#f",
        "/\xc3\xa9"}) {
    INFO(reference);
    CHECK(ResolveTarget(base, reference).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace sallyport::agent
