#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sallyport {

// An HTTP server that says exactly the bytes it is told to, however awkward, and keeps what it was
// sent. Blocking, in threads of its own; with an SSL_CTX it speaks TLS.
class RawHttpServer {
 public:
  struct Reply {
    std::string bytes;
    bool closes = false;
    // Said after `bytes` and a read that sees the client's next byte or its end: keeps a stream
    // open until then.
    bool waits = false;
    // Called before anything more is read of the connection.
    std::function<void()> pause = {};
  };
  // Called with one whole request: head and body.
  using Script = std::function<Reply(const std::string& request)>;

  explicit RawHttpServer(Script script, SSL_CTX* tls = nullptr)
      : script_(std::move(script)), tls_(tls) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd_, 64) != 0)
      std::abort();
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { Accept(); });
  }
  ~RawHttpServer() {
    shutdown(fd_, SHUT_RDWR);
    acceptor_.join();
    {
      std::lock_guard lock(mutex_);
      for (int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
    close(fd_);
  }

  std::string port() const { return std::to_string(port_); }
  std::vector<std::string> requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  int connections() const {
    std::lock_guard lock(mutex_);
    return connections_;
  }
  // Those that are open now.
  std::size_t open_connections() const {
    std::lock_guard lock(mutex_);
    return open_.size();
  }
  // Says more on the connection whose reply waits, the latest one, once there is one. Not over TLS.
  void Say(const std::string& bytes) {
    std::unique_lock lock(mutex_);
    waits_.wait(lock, [this] { return waiting_ >= 0; });
    Write(waiting_, nullptr, bytes);
  }
  // Takes no more connections: whoever comes is refused.
  void StopListening() { shutdown(fd_, SHUT_RDWR); }
  // Closes every connection; returns when the kernel has told the client's side of each.
  void DropConnections() {
    std::lock_guard lock(mutex_);
    for (int fd : open_) {
      shutdown(fd, SHUT_RDWR);
      while (StateOf(fd) == TCP_FIN_WAIT1) std::this_thread::yield();
    }
  }

 private:
  static int StateOf(int fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_state : TCP_CLOSE;
  }
  void Accept() {
    for (;;) {
      int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      std::lock_guard lock(mutex_);
      ++connections_;
      open_.push_back(fd);
      threads_.emplace_back([this, fd] { Serve(fd); });
    }
  }
  void Serve(int fd) {
    SSL* ssl = nullptr;
    bool usable = true;
    if (tls_ != nullptr) {
      ssl = SSL_new(tls_);
      SSL_set_fd(ssl, fd);
      usable = SSL_accept(ssl) == 1;
    }
    std::string input;
    while (usable) {
      std::string request = ReadRequest(fd, ssl, input);
      if (request.empty()) break;
      {
        std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      Reply reply = script_(request);
      if (reply.waits) {
        BeginWaiting(fd, ssl, reply.bytes);
        Read(fd, ssl, input);
        EndWaiting(fd);
      } else {
        Write(fd, ssl, reply.bytes);
      }
      if (reply.pause) reply.pause();
      if (reply.closes) break;
    }
    if (ssl != nullptr) {
      if (usable) SSL_shutdown(ssl);
      SSL_free(ssl);
    }
    std::lock_guard lock(mutex_);
    std::erase(open_, fd);
    close(fd);
  }
  // Who has read the bytes finds this connection waiting, and none that waited before.
  void BeginWaiting(int fd, SSL* ssl, const std::string& bytes) {
    std::lock_guard lock(mutex_);
    Write(fd, ssl, bytes);
    waiting_ = fd;
    waits_.notify_all();
  }
  void EndWaiting(int fd) {
    std::lock_guard lock(mutex_);
    if (waiting_ == fd) waiting_ = -1;
  }
  static bool Read(int fd, SSL* ssl, std::string& input) {
    char buffer[4096];
    auto n =
        ssl != nullptr ? SSL_read(ssl, buffer, sizeof buffer) : recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    input.append(buffer, static_cast<std::size_t>(n));
    return true;
  }
  static void Write(int fd, SSL* ssl, const std::string& bytes) {
    if (bytes.empty()) return;
    if (ssl != nullptr) {
      SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size()));
    } else if (send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) {
      return;
    }
  }
  static std::string ReadRequest(int fd, SSL* ssl, std::string& input) {
    for (;;) {
      std::size_t head = input.find("\r\n\r\n");
      if (head != std::string::npos) {
        std::size_t length = 0;
        if (auto at = input.find("Content-Length: "); at < head)
          length = std::stoul(input.substr(at + 16));
        std::size_t whole = head + 4 + length;
        if (input.size() >= whole) {
          std::string request = input.substr(0, whole);
          input.erase(0, whole);
          return request;
        }
      }
      if (!Read(fd, ssl, input)) return {};
    }
  }

  Script script_;
  SSL_CTX* tls_;
  int fd_ = -1;
  unsigned short port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::vector<int> open_;
  int connections_ = 0;
  int waiting_ = -1;
  std::condition_variable waits_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

// A whole response.
inline std::string HttpReply(int status, const std::string& type, const std::string& body,
                             const std::string& fields = "") {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: " + type + "\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline std::string JsonReply(const std::string& body, const std::string& fields = "") {
  return HttpReply(200, "application/json", body, fields);
}
inline std::string HttpChunk(const std::string& data) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + data + "\r\n";
}

}  // namespace sallyport
