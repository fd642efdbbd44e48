// The fastest MCP server there is for measuring what stands in front of it: one thread, epoll,
// keep-alive, a fixed result of a given size under the id of the request. Speaks just enough
// streamable HTTP: POST is answered, GET gets 405, DELETE 200.
//   fast_upstream PORT RESULT_BYTES
// The tool `stream`, with {"events": N, "period_ms": P}, is answered by an event stream: N progress
// notifications, the first at once, each with the microsecond it was written at (MicrosNow modulo
// 1e9, in nine digits: `sent=012345678`), and then the result.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/bench/latencies.h"

namespace {

using sallyport::bench::MicrosNow;

std::string g_result;

// An event stream that has events to come.
struct Stream {
  std::int64_t due = 0;
  int fd = -1;
  // Which of the connections that had this descriptor.
  std::uint64_t connection = 0;
  std::int64_t period = 0;
  long left = 0;
  long sent = 0;
  std::string id;
  std::string token;
  bool operator>(const Stream& other) const { return due > other.due; }
};
using Streams = std::priority_queue<Stream, std::vector<Stream>, std::greater<>>;

std::string Chunk(std::string_view event) {
  char length[32];
  std::snprintf(length, sizeof length, "%zx\r\n", event.size() + 23);
  return std::string(length).append("event: message\ndata: ").append(event).append("\n\n\r\n");
}

// The stream's next event, or its result and end.
std::string NextPart(Stream& stream) {
  if (stream.left-- > 0) {
    char event[256];
    std::snprintf(
        event, sizeof event,
        R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,)"
        R"("progress":%ld,"message":"sent=%09lld"}})",
        stream.token.c_str(), ++stream.sent, static_cast<long long>(MicrosNow() % 1'000'000'000));
    return Chunk(event);
  }
  return Chunk(R"({"jsonrpc":"2.0","id":)" + stream.id + R"(,"result":)" + g_result + "}") +
         "0\r\n\r\n";
}

std::string Response(std::string_view status, std::string_view extra, std::string_view body) {
  std::string out("HTTP/1.1 ");
  out.append(status).append("\r\nContent-Type: application/json\r\n").append(extra);
  out.append("Content-Length: ")
      .append(std::to_string(body.size()))
      .append("\r\n\r\n")
      .append(body);
  return out;
}

std::string_view Literal(std::string_view body, std::string_view key) {
  std::size_t at = body.find(key);
  if (at == body.npos) return {};
  at += key.size();
  while (at < body.size() && body[at] == ' ') ++at;
  std::size_t end = body.find_first_of(",}", at);
  return body.substr(at, end - at);
}

std::string Answer(std::string_view head, std::string_view body) {
  if (head.substr(0, 4) == "GET ") return Response("405 Method Not Allowed", "Allow: POST\r\n", "");
  if (head.substr(0, 7) == "DELETE ") return Response("200 OK", "", "");
  std::string_view id = Literal(body, "\"id\":");
  if (id.empty()) return "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
  std::string out("{\"jsonrpc\":\"2.0\",\"id\":");
  out.append(id).append(",\"result\":");
  if (body.find("\"initialize\"") != body.npos) {
    out.append(
        "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},\"serverInfo\":"
        "{\"name\":\"fast\",\"version\":\"1\"}}}");
    return Response("200 OK", "Mcp-Session-Id: s\r\n", out);
  }
  out.append(g_result).append("}");
  return Response("200 OK", "", out);
}

// The stream that a call of the tool `stream` asks for; `out` gets its head.
Stream BeginStream(std::string_view body, std::string& out) {
  const auto number = [&](std::string_view key) {
    return std::strtol(std::string(Literal(body, key)).c_str(), nullptr, 10);
  };
  out += "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  return {.due = MicrosNow(),
          .period = number("\"period_ms\":") * 1000,
          .left = number("\"events\":"),
          .id = std::string(Literal(body, "\"id\":")),
          .token = std::string(Literal(body, "\"progressToken\":"))};
}

// Answers every whole request in `in`; streams that they ask for are added to `begun`. False: the
// peer does not speak plain HTTP/1.1 with Content-Length.
bool Drain(std::string& in, std::string& out, std::vector<Stream>& begun) {
  for (;;) {
    std::size_t end = in.find("\r\n\r\n");
    if (end == in.npos) return true;
    std::string_view head(in.data(), end + 2);
    std::size_t length = 0;
    for (std::size_t at = 0; at < head.size(); at = head.find("\r\n", at) + 2) {
      if (strncasecmp(head.data() + at, "content-length:", 15) == 0) {
        length = std::strtoul(head.data() + at + 15, nullptr, 10);
      } else if (strncasecmp(head.data() + at, "transfer-encoding:", 18) == 0) {
        return false;
      }
    }
    if (in.size() < end + 4 + length) return true;
    const std::string_view body = std::string_view(in).substr(end + 4, length);
    if (body.find("\"stream\"") != body.npos) {
      begun.push_back(BeginStream(body, out));
    } else {
      out += Answer(head, body);
    }
    in.erase(0, end + 4 + length);
  }
}

class Server {
 public:
  explicit Server(std::uint16_t port) : listener_(Listen(port)) { Add(listener_); }

  [[noreturn]] void Run() {
    epoll_event ready[64];
    for (;;) {
      WriteDue();
      const timespec wait = UntilNext();
      const int count = epoll_pwait2(poll_, ready, 64, &wait, nullptr);
      for (int i = 0; i < count; ++i) {
        if (ready[i].data.fd == listener_) {
          Accept();
        } else {
          Read(ready[i].data.fd);
        }
      }
    }
  }

 private:
  struct Connection {
    std::uint64_t number = 0;
    std::string input;
  };

  static int Listen(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(fd, 4096) != 0) {
      std::perror("listen");
      std::exit(1);
    }
    return fd;
  }

  void Add(int fd) {
    epoll_event event{EPOLLIN, {.fd = fd}};
    epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &event);
  }

  void Accept() {
    const int peer = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) return;
    const int one = 1;
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Add(peer);
    connections_[peer] = {++accepted_, {}};
  }

  void Read(int fd) {
    const ssize_t got = recv(fd, buffer_, sizeof buffer_, 0);
    Connection& connection = connections_[fd];
    out_.clear();
    begun_.clear();
    if (got > 0) connection.input.append(buffer_, static_cast<std::size_t>(got));
    if (got <= 0 || !Drain(connection.input, out_, begun_) || !Send(fd, out_)) return Close(fd);
    for (Stream& stream : begun_) {
      stream.fd = fd;
      stream.connection = connection.number;
      streams_.push(std::move(stream));
    }
  }

  void WriteDue() {
    while (!streams_.empty() && streams_.top().due <= MicrosNow()) {
      Stream stream = streams_.top();
      streams_.pop();
      const auto connection = connections_.find(stream.fd);
      if (connection == connections_.end() || connection->second.number != stream.connection)
        continue;
      const bool is_last = stream.left <= 0;
      if (!Send(stream.fd, NextPart(stream))) {
        Close(stream.fd);
        continue;
      }
      stream.due += stream.period;
      if (!is_last) streams_.push(std::move(stream));
    }
  }

  timespec UntilNext() const {
    if (streams_.empty()) return {3600, 0};
    const std::int64_t micros = std::max<std::int64_t>(0, streams_.top().due - MicrosNow());
    return {micros / 1'000'000, micros % 1'000'000 * 1'000};
  }

  // Sockets block, so a send takes all there is.
  static bool Send(int fd, std::string_view bytes) {
    return bytes.empty() || send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0;
  }

  void Close(int fd) {
    close(fd);
    connections_.erase(fd);
  }

  const int poll_ = epoll_create1(EPOLL_CLOEXEC);
  const int listener_;
  std::unordered_map<int, Connection> connections_;
  std::uint64_t accepted_ = 0;
  Streams streams_;
  std::string out_;
  std::vector<Stream> begun_;
  char buffer_[65536];
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: fast_upstream PORT RESULT_BYTES\n");
    return 2;
  }
  const std::size_t bytes = std::strtoul(argv[2], nullptr, 10);
  std::string text;
  while (text.size() < bytes)
    text += "the quick brown fox jumps over the lazy dog while nobody looks at build ";
  text.resize(bytes);
  g_result = "{\"content\":[{\"type\":\"text\",\"text\":\"" + text + "\"}]}";
  prctl(PR_SET_TIMERSLACK, 1);
  Server(static_cast<std::uint16_t>(std::atoi(argv[1]))).Run();
}
