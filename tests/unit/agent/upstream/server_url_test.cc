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

}  // namespace
}  // namespace sallyport::agent
