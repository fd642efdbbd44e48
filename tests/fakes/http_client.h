#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "agent/http/message.h"
#include "agent/http/strict_framing.h"

namespace sallyport {

// A blocking HTTP/1.1 client of one connection that sends exactly what it is given. A read waits 20
// s at most.
class HttpClient {
 public:
  explicit HttpClient(int port) : reader_(response_, agent::HttpLimits{}) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    timeval limit{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Close();
  }
  ~HttpClient() { Close(); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  struct Answer {
    int status = 0;  // 0: none came
    std::string body;
    std::string content_type;
    std::string session_id;
    std::string challenge;
    std::string allow;
    std::string connection;
    bool is_stream() const { return content_type == "text/event-stream"; }
  };
  // The whole of the next answer, a stream to its end.
  Answer Read() {
    reader_.Next();
    while (!reader_.is_done() && !reader_.error()) {
      if (input_.empty() && !Fill()) break;
      input_.erase(0, reader_.Feed(input_));
    }
    return Taken();
  }
  // Only until the head of the answer and, of a stream, `mark` has come.
  Answer ReadUntil(std::string_view mark) {
    reader_.Next();
    return ReadOn(mark);
  }
  // The same for more of the answer that ReadUntil began.
  Answer ReadOn(std::string_view mark) {
    while (!reader_.is_done() && !reader_.error()) {
      if (reader_.is_head_done() && response_.body.find(mark) != std::string::npos) break;
      if (input_.empty() && !Fill()) break;
      input_.erase(0, reader_.Feed(input_));
    }
    return Taken();
  }
  // The rest of the answer that ReadUntil began.
  Answer ReadRest() {
    while (!reader_.is_done() && !reader_.error()) {
      if (input_.empty() && !Fill()) break;
      input_.erase(0, reader_.Feed(input_));
    }
    return Taken();
  }
  // All that comes until the peer closes, as it comes.
  std::string ReadBytes() {
    while (Fill()) {
    }
    return std::exchange(input_, {});
  }
  // The peer has closed.
  bool AwaitClose() {
    while (Fill()) {
    }
    return is_closed_;
  }

 private:
  bool Fill() {
    char bytes[65536];
    const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    is_closed_ = n == 0;
    if (n <= 0) return false;
    input_.append(bytes, static_cast<std::size_t>(n));
    return true;
  }
  Answer Taken() {
    Answer answer;
    if (!reader_.is_head_done()) return answer;
    const auto field = [&](std::string_view name) {
      return std::string(response_.fields.Find(name).value_or(""));
    };
    answer.status = response_.status;
    answer.body = response_.body;
    answer.content_type = field("content-type");
    answer.session_id = field("mcp-session-id");
    answer.challenge = field("www-authenticate");
    answer.allow = field("allow");
    answer.connection = field("connection");
    return answer;
  }

  int fd_ = -1;
  bool is_closed_ = false;
  std::string input_;
  agent::HttpResponse response_;
  agent::ResponseReader reader_;
};

}  // namespace sallyport
