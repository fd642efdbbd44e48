// The fastest MCP server there is for measuring what stands in front of it: one thread, epoll, keep-alive, a fixed result of a given size
// under the id of the request. Speaks just enough streamable HTTP: POST is answered, GET gets 405, DELETE 200.
//   fast_upstream PORT RESULT_BYTES
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

std::string g_result;

std::string Response(std::string_view status, std::string_view extra, std::string_view body) {
  std::string out("HTTP/1.1 ");
  out.append(status).append("\r\nContent-Type: application/json\r\n").append(extra);
  out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  return out;
}

std::string_view Literal(std::string_view body, std::string_view key) {
  std::size_t at = body.find(key);
  if (at == body.npos) return {};
  at += key.size();
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
    out.append("{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},\"serverInfo\":"
               "{\"name\":\"fast\",\"version\":\"1\"}}}");
    return Response("200 OK", "Mcp-Session-Id: s\r\n", out);
  }
  out.append(g_result).append("}");
  return Response("200 OK", "", out);
}

// Answers every whole request in `in`. False: the peer does not speak plain HTTP/1.1 with Content-Length.
bool Drain(std::string& in, std::string& out) {
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
    out += Answer(head, std::string_view(in).substr(end + 4, length));
    in.erase(0, end + 4 + length);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: fast_upstream PORT RESULT_BYTES\n");
    return 2;
  }
  std::string text;
  const char* words = "the quick brown fox jumps over the lazy dog while nobody looks at build ";
  while (text.size() < std::strtoul(argv[2], nullptr, 10)) text += words;
  text.resize(std::strtoul(argv[2], nullptr, 10));
  g_result = "{\"content\":[{\"type\":\"text\",\"text\":\"" + text + "\"}]}";

  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, 1024) != 0) {
    std::perror("listen");
    return 1;
  }
  int poll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{EPOLLIN, {.fd = listener}};
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  std::unordered_map<int, std::string> inputs;
  std::string out;
  char buffer[65536];
  for (;;) {
    epoll_event ready[64];
    int count = epoll_wait(poll, ready, 64, -1);
    for (int i = 0; i < count; ++i) {
      int fd = ready[i].data.fd;
      if (fd == listener) {
        int peer = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (peer < 0) continue;
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_event add{EPOLLIN, {.fd = peer}};
        epoll_ctl(poll, EPOLL_CTL_ADD, peer, &add);
        inputs[peer];
        continue;
      }
      ssize_t got = recv(fd, buffer, sizeof buffer, 0);
      std::string& in = inputs[fd];
      out.clear();
      if (got > 0) in.append(buffer, static_cast<std::size_t>(got));
      // Sockets block, so a send takes all there is.
      if (got <= 0 || !Drain(in, out) || (!out.empty() && send(fd, out.data(), out.size(), MSG_NOSIGNAL) < 0)) {
        close(fd);
        inputs.erase(fd);
      }
    }
  }
}
