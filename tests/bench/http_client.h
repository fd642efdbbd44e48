#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::bench {

// The requests of a file, whole HTTP messages with a NUL after each. Ends the program when there is
// none.
inline std::vector<std::string> ReadRequests(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> requests;
  for (std::size_t at = 0, end = 0; at < bytes.size(); at = end + 1) {
    end = bytes.find('\0', at);
    if (end == bytes.npos) break;
    requests.push_back(bytes.substr(at, end - at));
  }
  if (!requests.empty()) return requests;
  std::fprintf(stderr, "%s: no requests\n", path);
  std::exit(1);
}

// A connected socket that does not block. Ends the program when it cannot be had.
inline int Connect(const char* port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int one = 1;
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    std::perror("connect");
    std::exit(1);
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

// Reads one response, as far as a benchmark must understand it: a status, and a body with a length
// or in chunks.
class ResponseReader {
 public:
  // Takes what has arrived and appends what it holds of the body to `body`. False: no HTTP.
  bool Take(std::string_view bytes, std::string& body) {
    input_.append(bytes);
    if (!has_head_ && !ReadHead()) return status_ >= 0;
    if (is_chunked_) return ReadChunks(body);
    const std::size_t part = std::min(left_, input_.size());
    body.append(input_, 0, part);
    input_.erase(0, part);
    left_ -= part;
    is_done_ = left_ == 0;
    return true;
  }
  bool is_done() const { return is_done_; }
  int status() const { return status_; }
  void Next() { *this = ResponseReader(); }

 private:
  bool ReadHead() {
    const std::size_t end = input_.find("\r\n\r\n");
    if (end == input_.npos) return false;
    if (input_.size() < 12 || input_.compare(0, 7, "HTTP/1.") != 0) {
      status_ = -1;
      return false;
    }
    status_ = std::atoi(input_.c_str() + 9);
    for (std::size_t at = input_.find("\r\n"); at < end; at = input_.find("\r\n", at + 2)) {
      const char* line = input_.c_str() + at + 2;
      if (strncasecmp(line, "content-length:", 15) == 0)
        left_ = std::strtoul(line + 15, nullptr, 10);
      if (strncasecmp(line, "transfer-encoding:", 18) == 0) is_chunked_ = true;
    }
    input_.erase(0, end + 4);
    has_head_ = true;
    return true;
  }

  bool ReadChunks(std::string& body) {
    for (;;) {
      const std::size_t line = input_.find("\r\n");
      if (line == input_.npos) return true;
      const std::size_t length = std::strtoul(input_.c_str(), nullptr, 16);
      if (input_.size() < line + 2 + length + 2) return true;
      body.append(input_, line + 2, length);
      input_.erase(0, line + 2 + length + 2);
      if (length == 0) {
        is_done_ = true;
        return true;
      }
    }
  }

  std::string input_;
  std::size_t left_ = 0;
  int status_ = 0;
  bool has_head_ = false;
  bool is_chunked_ = false;
  bool is_done_ = false;
};

}  // namespace sallyport::bench
