#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "agent/http/strict_framing.h"

namespace sallyport::agent {
namespace {

struct Outcome {
  int status = 0;  // of the error
  bool is_done = false;
  HttpRequest request;
  std::string rest;
};

// Feeds in pieces of `step` bytes.
void Read(std::string_view bytes, std::size_t step, Outcome& outcome,
          const HttpLimits& limits = {}) {
  RequestReader reader(outcome.request, limits);
  std::string_view piece;
  std::size_t given = 0;
  for (;;) {
    if (piece.empty()) {
      if (given == bytes.size()) break;
      piece = bytes.substr(given, step);
      given += piece.size();
    }
    const std::size_t used = reader.Feed(piece);
    piece.remove_prefix(used);
    if (reader.error() || reader.is_done()) break;
    if (used == 0 && !piece.empty() && !reader.is_head_done()) FAIL("the reader is stuck");
  }
  outcome.status = reader.error().status;
  outcome.is_done = reader.is_done();
  outcome.rest = std::string(piece) + std::string(bytes.substr(given));
}

std::string Head(const std::string& fields, const std::string& line = "POST /a/mcp HTTP/1.1") {
  return line + "\r\nHost: h\r\n" + fields + "\r\n";
}

int StatusOf(const std::string& bytes, const HttpLimits& limits = {}) {
  Outcome whole;
  Read(bytes, bytes.size(), whole, limits);
  Outcome single;
  Read(bytes, 1, single, limits);
  CHECK(whole.status == single.status);
  if (whole.status == 0) CHECK(whole.is_done);
  return whole.status;
}

TEST_CASE("a request is read, however it is cut", "[agent][http]") {
  const std::string bytes =
      "POST /every/mcp HTTP/1.1\r\nHost: mcp.example.com:8443\r\nAuthorization:Bearer "
      "x\r\nContent-Length: 5\r\n"
      "X-Empty:\r\nConnection: keep-alive\r\n\r\nhelloGET";
  for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, bytes.size()}) {
    Outcome outcome;
    Read(bytes, step, outcome);
    REQUIRE(outcome.is_done);
    CHECK(outcome.request.method == HttpMethod::kPost);
    CHECK(outcome.request.target == "/every/mcp");
    CHECK(outcome.request.host == "mcp.example.com:8443");
    CHECK(outcome.request.fields.Find("authorization") == "Bearer x");
    CHECK(outcome.request.fields.Find("x-empty") == "");
    CHECK_FALSE(outcome.request.fields.Find("cookie").has_value());
    CHECK(outcome.request.keep_alive);
    CHECK(outcome.request.body == "hello");
    CHECK(outcome.rest == "GET");
  }
}

TEST_CASE("a chunked request is read and its trailers are dropped", "[agent][http]") {
  const std::string bytes = Head("Transfer-Encoding: Chunked\r\n") +
                            "5;a=b;c=\"q\\\"\"\r\nhello\r\n1\r\n!"
                            "\r\nA\r\n0123456789\r\n0\r\nAuthorization: evil\r\nX: y\r\n\r\n";
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}, bytes.size()}) {
    Outcome outcome;
    Read(bytes, step, outcome);
    REQUIRE(outcome.is_done);
    CHECK(outcome.request.body == "hello!0123456789");
    CHECK_FALSE(outcome.request.fields.Find("authorization").has_value());
    CHECK(outcome.rest.empty());
  }
}

TEST_CASE("a reader reads one request after the other", "[agent][http]") {
  HttpRequest request;
  RequestReader reader(request, {});
  std::string bytes = Head("Content-Length: 2\r\n") + "ab" + Head("", "GET /b/mcp HTTP/1.1");
  std::string_view left = bytes;
  CHECK(reader.is_idle());
  left.remove_prefix(reader.Feed(left));
  CHECK(reader.is_head_done());
  CHECK_FALSE(reader.is_done());
  left.remove_prefix(reader.Feed(left));
  REQUIRE(reader.is_done());
  CHECK(reader.Feed(left) == 0);
  reader.Next();
  CHECK(reader.is_idle());
  left.remove_prefix(reader.Feed(left));
  REQUIRE(reader.is_done());
  CHECK(request.method == HttpMethod::kGet);
  CHECK(request.body.empty());
  CHECK_FALSE(request.has_body);
}

TEST_CASE("two framings, or an unknown one, are refused", "[agent][http]") {
  for (const char* fields :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n", "Transfer-Encoding:\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \x0b"
        "chunked\r\n"}) {
    INFO(fields);
    CHECK(StatusOf(Head(fields) + "hello") == 400);
  }
}

TEST_CASE("a content length is one plain number", "[agent][http]") {
  for (const char* value : {"+5", "-5", "0x5", "5, 5", "5 5", "5.", "", "05",
                            "18446744073709551616", "99999999999999999999"}) {
    INFO(value);
    CHECK(StatusOf(Head(std::string("Content-Length: ") + value + "\r\n") + "hello") == 400);
  }
  CHECK(StatusOf(Head("Content-Length: 5\r\nContent-Length: 5\r\n") + "hello") == 400);
  CHECK(StatusOf(Head("Content-Length: 5\r\nContent-Length: 6\r\n") + "hello") == 400);
  CHECK(StatusOf(Head("Content-Length:  5 \r\n") + "hello") == 0);
}

TEST_CASE("only HTTP/1.1 and HTTP/1.0 are spoken", "[agent][http]") {
  for (const char* version :
       {"HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/0.0"}) {
    CHECK(StatusOf(Head("", std::string("GET / ") + version)) == 505);
  }
  for (const char* line :
       {"GET /", "GET / HTTP/1.1 ", "GET  / HTTP/1.1", "GET / http/1.1", "GET / HTTP/11",
        "GET / HTTP/1.00", "GET / HTTP/01.0", "GET / HTTP/1,0", "GET / HTTP/1.0 ", "GET / http/1.0",
        "GET / FTP/1.1", " GET / HTTP/1.1", "GET\t/ HTTP/1.1", "", "GET / HTTP/1.1x"}) {
    INFO(line);
    CHECK(StatusOf(Head("", line)) == 400);
  }
  CHECK(StatusOf(Head("", "PRI * HTTP/2.0")) == 505);
}

TEST_CASE("HTTP/1.0 has one request a connection, and no chunks", "[agent][http]") {
  const auto old = [](const std::string& fields) { return Head(fields, "POST /a HTTP/1.0"); };
  for (const char* fields :
       {"", "Connection: keep-alive\r\n", "Connection: Keep-Alive, x\r\n", "Connection: close\r\n",
        "Keep-Alive: 5\r\nProxy-Connection: keep-alive\r\n"}) {
    INFO(fields);
    Outcome outcome;
    const std::string bytes = old(std::string(fields) + "Content-Length: 5\r\n") + "helloGET";
    Read(bytes, bytes.size(), outcome);
    REQUIRE(outcome.is_done);
    CHECK_FALSE(outcome.request.keep_alive);
    CHECK_FALSE(outcome.request.takes_chunks);
    CHECK(outcome.request.body == "hello");
    CHECK(outcome.rest == "GET");
  }
  for (const char* fields :
       {"Transfer-Encoding: chunked\r\n", "Transfer-Encoding: CHUNKED\r\n",
        "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: identity\r\n", "Transfer-Encoding:\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5, 5\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n"}) {
    INFO(fields);
    CHECK(StatusOf(old(fields) + "5\r\nhello\r\n0\r\n\r\n") == 400);
  }
  // Without a length there is no body, whatever comes.
  Outcome none;
  const std::string bytes = old("") + "hello";
  Read(bytes, bytes.size(), none);
  REQUIRE(none.is_done);
  CHECK(none.request.body.empty());
  CHECK(none.rest == "hello");
  CHECK(StatusOf(old("Content-Length: 99999999\r\n")) == 413);
  CHECK(StatusOf(old("Content-Encoding: gzip\r\nContent-Length: 1\r\n") + "x") == 415);
}

TEST_CASE("HTTP/1.0 must name the host, too", "[agent][http]") {
  CHECK(StatusOf("GET / HTTP/1.0\r\n\r\n") == 400);
  CHECK(StatusOf("GET / HTTP/1.0\r\nHost: a b\r\n\r\n") == 400);
  CHECK(StatusOf("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n") == 400);
  CHECK(StatusOf("GET http://a/b HTTP/1.0\r\n\r\n") == 400);
  CHECK(StatusOf("GET http://a/b HTTP/1.0\r\nHost: c\r\n\r\n") == 400);
  CHECK(StatusOf("GET http://a/b HTTP/1.0\r\nHost: a\r\n\r\n") == 0);
}

TEST_CASE("HTTP/1.0 does not wait to be told to go on", "[agent][http]") {
  Outcome outcome;
  const std::string bytes =
      Head("Expect: 100-continue\r\nContent-Length: 1\r\n", "POST / HTTP/1.0") + "x";
  Read(bytes, bytes.size(), outcome);
  REQUIRE(outcome.is_done);
  CHECK_FALSE(outcome.request.expects_continue);
  CHECK(StatusOf(Head("Expect: tea\r\n", "POST / HTTP/1.0")) == 417);
}

TEST_CASE("methods are known and in upper case", "[agent][http]") {
  for (const char* method : {"post", "Post", "FOO", "CONNECT", "TRACE"}) {
    CHECK(StatusOf(Head("", std::string(method) + " / HTTP/1.1")) == 501);
  }
  CHECK(StatusOf(Head("", "P(ST / HTTP/1.1")) == 400);
  for (const char* method : {"GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH"}) {
    CHECK(StatusOf(Head("", std::string(method) + " / HTTP/1.1")) == 0);
  }
}

TEST_CASE("a request target is a path", "[agent][http]") {
  for (const char* target : {"*", "mcp", "h", "h:80", "//\x80", "/a\x7f", "/a\tb", "?x", "#"}) {
    INFO(target);
    CHECK(StatusOf(Head("", std::string("GET ") + target + " HTTP/1.1")) == 400);
  }
  Outcome outcome;
  const std::string odd = Head("", "GET //mcp/%6d;x?y#z HTTP/1.1");
  Read(odd, odd.size(), outcome);
  CHECK(outcome.request.target == "//mcp/%6d;x?y#z");
}

// What is read of a GET of `target` with that Host.
Outcome Asked(const std::string& target, const std::string& host,
              const std::string& method = "GET") {
  Outcome outcome;
  const std::string bytes = method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
  CHECK(StatusOf(bytes) == (Read(bytes, bytes.size(), outcome), outcome.status));
  return outcome;
}

TEST_CASE("a request target may be an absolute URI, and is read as its path", "[agent][http]") {
  struct Case {
    const char *uri, *target;
    UriScheme scheme = UriScheme::kHttp;
    const char *authority = "h", *host = "h";
  };
  for (const Case& c :
       {Case{"http://h/a/mcp", "/a/mcp"}, Case{"HTTP://h/a/mcp", "/a/mcp"},
        Case{"hTTpS://h/a/mcp", "/a/mcp", UriScheme::kHttps}, Case{"http://h/", "/"},
        Case{"http://h", "/"}, Case{"http://h?x=/y", "/?x=/y"},
        Case{"http://h/a/mcp?x://y@z", "/a/mcp?x://y@z"}, Case{"http://h//evil/mcp", "//evil/mcp"},
        Case{"http://h/http://evil/mcp", "/http://evil/mcp"},
        Case{"http://h/../%6dcp;x", "/../%6dcp;x"},
        Case{"http://h:8443/a", "/a", UriScheme::kHttp, "h:8443", "h:8443"},
        Case{"http://[::1]:8443/a", "/a", UriScheme::kHttp, "[::1]:8443", "[::1]:8443"},
        Case{"http://MCP.example.com/a", "/a", UriScheme::kHttp, "MCP.example.com",
             "mcp.example.com"},
        // The scheme's own port says nothing, wherever it stands.
        Case{"http://h:80/a", "/a", UriScheme::kHttp, "h:80", "h"},
        Case{"http://h/a", "/a", UriScheme::kHttp, "h", "h:80"},
        Case{"https://h:443/a", "/a", UriScheme::kHttps, "h:443", "h"}}) {
    INFO(c.uri);
    const Outcome outcome = Asked(c.uri, c.host);
    REQUIRE(outcome.is_done);
    CHECK(outcome.request.target == c.target);
    CHECK(outcome.request.scheme == c.scheme);
    CHECK(outcome.request.host == c.authority);
  }
  const Outcome path = Asked("//h/mcp", "h");
  CHECK(path.request.target == "//h/mcp");
  CHECK(path.request.scheme == UriScheme::kNone);
}

TEST_CASE("an absolute URI that is not http, or names no host, is refused", "[agent][http]") {
  for (const char* uri : {"ftp://h/a",
                          "file:///a",
                          "ws://h/a",
                          "javascript://h/a",
                          "://h/a",
                          "http:/h/a",
                          "http:h/a",
                          "http:h",
                          "http:",
                          "http://",
                          "http:///mcp",
                          "http:///",
                          "http://?x",
                          "http://#h/",
                          "http://:80/a",
                          "http://h:/a",
                          "http://h:x/a",
                          "http://h:123456/a",
                          "http://h@evil/mcp",
                          "http://@h/a",
                          "http://u:p@h/a",
                          "http://h\\@evil/mcp",
                          "http://h\\evil/a",
                          "http://h%2fevil/a",
                          "http://h,evil/a",
                          "http://h;evil/a",
                          "http://[fe80::1%25eth0]/a",
                          "http://[::1/a",
                          "http://h:80:80/a",
                          "http://h/a#x",
                          "http://h#/a",
                          "http://h?x#y",
                          "http://http://h/a",
                          " http://h/a",
                          "http\x7f://h/a"}) {
    INFO(uri);
    CHECK(Asked(uri, "h").status == 400);
  }
  // It would be `*`.
  CHECK(Asked("http://h", "h", "OPTIONS").status == 400);
  CHECK(Asked("http://h/", "h", "OPTIONS").is_done);
}

TEST_CASE("an absolute URI and Host name one host", "[agent][http]") {
  struct Case {
    const char *uri, *host;
  };
  for (const Case& c :
       {Case{"http://evil/mcp", "h"}, Case{"http://h/mcp", "evil"}, Case{"http://h:8443/a", "h"},
        Case{"http://h/a", "h:8443"}, Case{"http://h:443/a", "h"}, Case{"https://h:80/a", "h"},
        Case{"https://h/a", "h:80"}, Case{"http://h:080/a", "h"}, Case{"http://h/a", "h.evil"},
        Case{"http://h./a", "h"}, Case{"http://h/a", "h@h"}, Case{"http://h/a", ""}}) {
    INFO(c.uri << " " << c.host);
    CHECK(Asked(c.uri, c.host).status == 400);
  }
  CHECK(StatusOf("GET http://h/a HTTP/1.1\r\n\r\n") == 400);
  CHECK(StatusOf("GET http://h/a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n") == 400);
}

TEST_CASE("a path after an absolute URI is none", "[agent][http]") {
  HttpRequest request;
  RequestReader reader(request, {});
  reader.Feed("GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n");
  REQUIRE(reader.is_done());
  reader.Next();
  reader.Feed("GET /b HTTP/1.1\r\nHost: other\r\n\r\n");
  REQUIRE(reader.is_done());
  CHECK(request.scheme == UriScheme::kNone);
  CHECK(request.host == "other");
  CHECK(request.target == "/b");
}

TEST_CASE("there is one proper host", "[agent][http]") {
  CHECK(StatusOf("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(StatusOf("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n") == 400);
  for (const char* host : {"", "a@b", "user:pass@b", "a b", "a/b", "[fe80::1%25eth0]", "[::1", "[]",
                           "a:", "a:x", "a:123456", "[::1]x", "a,b"}) {
    INFO(host);
    CHECK(StatusOf(std::string("GET / HTTP/1.1\r\nHost: ") + host + "\r\n\r\n") == 400);
  }
  for (const char* host :
       {"a", "a:80", "127.0.0.1:8443", "[::1]", "[::1]:8443", "Mcp.Example.com"}) {
    CHECK(StatusOf(std::string("GET / HTTP/1.1\r\nHost: ") + host + "\r\n\r\n") == 0);
  }
}

TEST_CASE("lines and names are strict", "[agent][http]") {
  const std::string nul("X: a\0b\r\n", 8);
  for (const std::string& fields :
       {std::string("X: a\n"), std::string("X: a\r\r\n"), nul, std::string("X: a\r\n b\r\n"),
        std::string("X: a\r\n\tb\r\n"), std::string("X : a\r\n"), std::string("\x80X: a\r\n"),
        std::string(": a\r\n"), std::string("X a\r\n"), std::string("X\ry: a\r\n"),
        std::string("X: a\rb\r\n"), std::string("X: \x01\r\n"), std::string("X: \x7f\r\n"),
        std::string("X[: a\r\n")}) {
    INFO(fields);
    CHECK(StatusOf(Head(fields)) == 400);
  }
  CHECK(StatusOf("\r\n" + Head("")) == 400);
  CHECK(StatusOf("\n" + Head("")) == 400);
  CHECK(StatusOf("GET / HTTP/1.1\nHost: h\n\n") == 400);
}

TEST_CASE("fields that may stand once stand once", "[agent][http]") {
  for (const char* name :
       {"Authorization", "MCP-Session-Id", "Mcp-Protocol-Version", "Origin", "Content-Type",
        "Last-Event-ID", "Mcp-Method", "Mcp-Name", "Mcp-Param-Region", "Expect", "Connection"}) {
    const std::string one = std::string(name) + ": 100-continue\r\n";
    const std::string twin = std::string(name) + ": x\r\n";
    INFO(name);
    CHECK(StatusOf(Head(one + twin)) == 400);
  }
  CHECK(StatusOf(Head("Accept: a/b\r\nAccept: c/d\r\n")) == 0);
}

TEST_CASE("a head has its limits", "[agent][http]") {
  CHECK(StatusOf(Head("", "GET /" + std::string(8192 - 14, 'a') + " HTTP/1.1")) == 0);
  CHECK(StatusOf(Head("", "GET /" + std::string(8193 - 14, 'a') + " HTTP/1.1")) == 431);
  CHECK(StatusOf("GET /" + std::string(100'000, 'a')) == 431);
  CHECK(StatusOf(Head("X: " + std::string(8192 - 3, 'a') + "\r\n")) == 0);
  CHECK(StatusOf(Head("X: " + std::string(8193 - 3, 'a') + "\r\n")) == 431);
  CHECK(StatusOf(Head("Authorization: " + std::string(17 * 1024 - 15, 'a') + "\r\n")) == 0);
  CHECK(StatusOf(Head("Authorization: " + std::string(17 * 1024 - 14, 'a') + "\r\n")) == 431);
  CHECK(StatusOf(Head("X: " + std::string(65536, 'a') + "\r\n")) == 431);
  std::string many;
  for (int i = 0; i < 99; ++i) many += "X" + std::to_string(i) + ": a\r\n";
  CHECK(StatusOf(Head(many)) == 0);
  CHECK(StatusOf(Head(many + "Y: a\r\n")) == 431);
  std::string large;
  for (int i = 0; i < 4; ++i)
    large += "X" + std::to_string(i) + ": " + std::string(8180, 'a') + "\r\n";
  CHECK(StatusOf(Head(large)) == 0);
  CHECK(StatusOf(Head(large + "Y: " + std::string(100, 'a') + "\r\n")) == 431);
}

TEST_CASE("chunks are strict and bounded", "[agent][http]") {
  const auto chunked = [](const std::string& body, const HttpLimits& limits = {}) {
    return StatusOf(Head("Transfer-Encoding: chunked\r\n") + body, limits);
  };
  for (const char* body : {"0x5\r\nhello\r\n0\r\n\r\n",
                           " 5\r\nhello\r\n0\r\n\r\n",
                           "5 \r\nhello\r\n0\r\n\r\n",
                           "+5\r\nhello\r\n0\r\n\r\n",
                           "-1\r\n",
                           "\r\n",
                           "5\nhello\r\n0\r\n\r\n",
                           "5\r\nhello0\r\n\r\n",
                           "5\r\nhello\n0\r\n\r\n",
                           "5\r\nhello\r0\r\n\r\n",
                           "4\r\nhello\r\n0\r\n\r\n",
                           "00000\r\n\r\n",
                           "05\r\nhello\r\n0\r\n\r\n",
                           "fffffffff\r\n",
                           "10000000000000005\r\nhello",
                           "5;a\nb\r\nhello\r\n0\r\n\r\n",
                           "5;a=\"b\r\nhello\r\n0\r\n\r\n",
                           "5;a=(\r\nhello\r\n0\r\n\r\n",
                           "5;\x01\r\nhello\r\n0\r\n\r\n",
                           "5;=b\r\nhello\r\n0\r\n\r\n",
                           "5;\r\nhello\r\n0\r\n\r\n",
                           "5;a=\r\nhello\r\n0\r\n\r\n",
                           "5;a=\"b\"c\r\nhello\r\n0\r\n\r\n",
                           "5; a\r\nhello\r\n0\r\n\r\n",
                           "0\r\nx\r\n\r\n",
                           "0\r\n folded\r\n\r\n",
                           "0\r\nX: a\n\r\n",
                           "0\r\nX: \x01\r\n\r\n",
                           "0\r\n: a\r\n\r\n",
                           "0\r\nHost: evil\r\n\r\n",
                           "0\r\nContent-Length: 5\r\n\r\nhello",
                           "0\r\nTransfer-Encoding: chunked\r\n\r\n",
                           "g\r\n"}) {
    INFO(body);
    CHECK(chunked(body) == 400);
  }
  CHECK(chunked("1;" + std::string(250, 'e') + "\r\nx\r\n0\r\n\r\n") == 0);
  CHECK(chunked("1;" + std::string(300, 'e') + "\r\nx\r\n0\r\n\r\n") == 400);
  std::string drip;
  for (int i = 0; i < 100; ++i) drip += "1;eee\r\nx\r\n";
  CHECK(chunked(drip + "0\r\n\r\n") == 400);
  std::string tiny;
  for (int i = 0; i < 200'000; ++i) tiny += "1\r\nx\r\n";
  Outcome outcome;
  const std::string flood = Head("Transfer-Encoding: chunked\r\n") + tiny;
  Read(flood, 4096, outcome);
  CHECK(outcome.status == 413);
  std::string trailers;
  for (int i = 0; i < 100; ++i) trailers += "X: a\r\n";
  CHECK(chunked("0\r\n" + trailers + "\r\n") == 431);
  CHECK(chunked("0\r\nX: " + std::string(9000, 'a') + "\r\n\r\n") == 431);
  CHECK(chunked("0\r\n" + std::string(40'000, 'a')) == 431);
}

TEST_CASE("a body is bounded, announced or not", "[agent][http]") {
  const HttpLimits limits{.body = 10};
  CHECK(StatusOf(Head("Content-Length: 10\r\n") + "0123456789", limits) == 0);
  CHECK(StatusOf(Head("Content-Length: 11\r\n"), limits) == 413);
  CHECK(StatusOf(Head("Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n",
                 limits) == 0);
  CHECK(StatusOf(Head("Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n6\r\nh", limits) == 413);
  HttpRequest request;
  RequestReader reader(request, {});
  const std::string head = Head("Content-Length: 11\r\n");
  CHECK(reader.Feed(head) == head.size());
  CHECK_FALSE(reader.error());
  reader.LimitBody(10);
  CHECK(reader.error().status == 413);
}

TEST_CASE("expectations and encodings are judged before the body", "[agent][http]") {
  CHECK(StatusOf(Head("Expect: 200-ok\r\n")) == 417);
  Outcome outcome;
  const std::string bytes = Head("Expect: 100-Continue\r\nContent-Length: 1\r\n") + "x";
  Read(bytes, bytes.size(), outcome);
  CHECK(outcome.request.expects_continue);
  CHECK(StatusOf(Head("Content-Encoding: gzip\r\nContent-Length: 1\r\n") + "x") == 415);
  CHECK(StatusOf(Head("Content-Encoding: identity\r\nContent-Length: 1\r\n") + "x") == 0);
}

TEST_CASE("an upgrade is not taken up, and close is heard", "[agent][http]") {
  CHECK(StatusOf(Head("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n")) == 0);
  Outcome outcome;
  const std::string bytes = Head("Connection: Authorization, CLOSE\r\n");
  Read(bytes, bytes.size(), outcome);
  CHECK(outcome.is_done);
  CHECK_FALSE(outcome.request.keep_alive);
  CHECK(StatusOf(Head("Connection: \xe9 close\r\n")) == 400);
  CHECK(StatusOf(Head("Connection: a b, close\r\n")) == 400);
}

// One connection's requests, one after the other; the reader is told each whole.
struct Connection {
  // The status of the error, 0 when it is read to its end.
  int Read(const std::string& bytes) {
    reader.Next();
    std::string_view rest = bytes;
    while (!rest.empty() && !reader.error() && !reader.is_done()) {
      rest.remove_prefix(reader.Feed(rest));
    }
    return reader.error() || !reader.is_done() ? reader.error().status : 0;
  }
  HttpRequest request;
  RequestReader reader{request, HttpLimits{}};
};

TEST_CASE("a head that is said again is read as it was the first time", "[agent][http]") {
  Connection connection;
  const auto post = [](const std::string& token, const std::string& body) {
    return Head("Authorization: Bearer " + token +
                "\r\nCONTENT-Length: " + std::to_string(body.size()) + "\r\nX-Last: 1\r\n") +
           body;
  };
  REQUIRE(connection.Read(post("aaa", "0123456789")) == 0);
  CHECK_FALSE(connection.reader.is_head_said_again());
  const auto check = [&](const std::string& bytes, const std::string& token,
                         const std::string& body, bool is_again) {
    INFO(bytes);
    REQUIRE(connection.Read(bytes) == 0);
    CHECK(connection.reader.is_head_said_again() == is_again);
    CHECK(connection.request.method == HttpMethod::kPost);
    CHECK(connection.request.target == "/a/mcp");
    CHECK(connection.request.host == "h");
    CHECK(connection.request.fields.size() == 4);
    CHECK(connection.request.fields.Find("authorization") == "Bearer " + token);
    CHECK(connection.request.fields.Find("content-length") == std::to_string(body.size()));
    CHECK(connection.request.fields.Find("x-last") == "1");
    CHECK(connection.request.body == body);
    CHECK(connection.request.keep_alive);
    CHECK(connection.request.has_body);
  };
  check(post("aaa", "0123456789"), "aaa", "0123456789", true);
  check(post("aaa", "01234567890123"), "aaa", "01234567890123", true);  // but for its length
  check(post("aaa", "0123"), "aaa", "0123", false);                     // of another size
  check(post("aab", "0123"), "aab", "0123", false);
  check(post("aab", "0124"), "aab", "0124", true);
}

TEST_CASE("what was refused, or says another length than a number, is judged anew",
          "[agent][http]") {
  Connection connection;
  REQUIRE(connection.Read(Head("Content-Length: 10\r\n") + "0123456789") == 0);
  CHECK(connection.Read(Head("Content-Length: 1x\r\n") + "0123456789") == 400);
  CHECK(connection.Read(Head("Content-Length: 01\r\n") + "0") == 400);
  CHECK(connection.Read(Head("Content-Length: +1\r\n") + "0") == 400);
  for (int i = 0; i < 2; ++i) {
    CHECK(connection.Read(Head("Content-Length: 10\r\nContent-Length: 10\r\n")) == 400);
    CHECK(connection.Read(Head("Content-Length: 3\r\nContent-Encoding: gzip\r\n")) == 415);
    CHECK(connection.Read(Head("Expect: tea\r\n")) == 417);
    CHECK(connection.Read("POST /a/mcp HTTP/1.2\r\nHost: h\r\n\r\n") == 505);
    CHECK(connection.Read(
              "POST /a/mcp HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n") == 400);
    CHECK(connection.Read("POST /a/mcp HTTP/1.1\r\nHost: h h\r\n\r\n") == 400);
  }
  // Too long, with as many digits.
  REQUIRE(connection.Read(Head("Content-Length: 10000000\r\n") + std::string(10'000'000, 'x')) ==
          0);
  CHECK(connection.Read(Head("Content-Length: 99999999\r\n")) == 413);
}

TEST_CASE("a framing and an expectation are those of each request", "[agent][http]") {
  Connection connection;
  const std::string chunked = Head("Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n\r\n";
  for (int i = 0; i < 3; ++i) {
    REQUIRE(connection.Read(chunked) == 0);
    CHECK(connection.reader.is_head_said_again() == (i > 0));
    CHECK(connection.request.body == "abc");
  }
  for (int i = 0; i < 2; ++i) {
    REQUIRE(connection.Read(
                Head("Content-Length: 1\r\nExpect: 100-continue\r\nConnection: close\r\n") + "x") ==
            0);
    CHECK(connection.request.expects_continue);
    connection.request.expects_continue = false;  // it was told
    CHECK_FALSE(connection.request.keep_alive);
  }
  for (int i = 0; i < 2; ++i) {
    REQUIRE(connection.Read(Head("Content-Length: 1\r\n", "POST /a/mcp HTTP/1.0") + "x") == 0);
    CHECK_FALSE(connection.request.keep_alive);
    CHECK_FALSE(connection.request.takes_chunks);
  }
  REQUIRE(connection.Read("GET /a/mcp HTTP/1.1\r\nHost: h\r\n\r\n") == 0);
  CHECK(connection.request.takes_chunks);
  CHECK(connection.request.method == HttpMethod::kGet);
  CHECK_FALSE(connection.request.has_body);
  CHECK_FALSE(connection.request.expects_continue);
  CHECK(connection.request.keep_alive);
}

}  // namespace
}  // namespace sallyport::agent
