#include "agent/control/pinned_ca.h"

#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/tls.h"

namespace sallyport::agent {
namespace {

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status Unreachable(const std::string& address, std::string_view why) {
  return absl::UnavailableError(
      absl::StrCat("cannot reach the control plane at ", address, ": ", std::string(why)));
}

bool WaitFor(int fd, short events, absl::Time deadline) {
  pollfd wanted{fd, events, 0};
  while (true) {
    const std::int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
    if (left <= 0) return false;
    const int ready = poll(&wanted, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

// Connects to the first of the address's candidates that answers.
absl::StatusOr<Socket> Connect(const std::string& address, absl::Time deadline) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error =
          getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found);
      error != 0) {
    return Unreachable(address, gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> candidates(found, freeaddrinfo);
  std::string why = "no address";
  for (const addrinfo* candidate = found; candidate != nullptr; candidate = candidate->ai_next) {
    Socket socket(
        ::socket(candidate->ai_family, candidate->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0) continue;
    if (connect(socket.get(), candidate->ai_addr, candidate->ai_addrlen) != 0 &&
        errno != EINPROGRESS) {
      why = std::strerror(errno);
      continue;
    }
    int error = ETIMEDOUT;
    socklen_t size = sizeof error;
    if (WaitFor(socket.get(), POLLOUT, deadline))
      getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) return socket;
    why = std::strerror(error);
  }
  return Unreachable(address, why);
}

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Session = std::unique_ptr<SSL, decltype(&SSL_free)>;

absl::Status ShakeHands(SSL* ssl, const Socket& socket, const std::string& address,
                        absl::Time deadline) {
  while (true) {
    ERR_clear_error();
    const int done = SSL_connect(ssl);
    if (done == 1) return absl::OkStatus();
    const int error = SSL_get_error(ssl, done);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      return Unreachable(address, absl::StrCat("no TLS there (", OpenSslError(), ")"));
    }
    if (!WaitFor(socket.get(), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline)) {
      return Unreachable(address, "it does not answer");
    }
  }
}

// The chain as it was shown, the leaf first.
std::vector<Certificate> ShownChain(SSL* ssl) {
  std::vector<Certificate> chain;
  STACK_OF(X509)* shown = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; i < sk_X509_num(shown); ++i) {
    X509* certificate = sk_X509_value(shown, i);
    X509_up_ref(certificate);
    chain.emplace_back(certificate);
  }
  return chain;
}

}  // namespace

absl::StatusOr<std::string> FetchPinnedCa(const std::string& address,
                                          const std::string& server_name, const std::string& pin,
                                          absl::Time now, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  absl::StatusOr<Socket> socket = Connect(address, deadline);
  if (!socket.ok()) return socket.status();
  const Context context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (context == nullptr) return absl::InternalError(OpenSslError());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  // The chain is judged below, by its pin: no root is known yet.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  const Session ssl(SSL_new(context.get()), SSL_free);
  const unsigned char alpn[] = {2, 'h', '2'};
  if (ssl == nullptr || SSL_set_tlsext_host_name(ssl.get(), server_name.c_str()) != 1 ||
      SSL_set_alpn_protos(ssl.get(), alpn, sizeof alpn) != 0 ||
      SSL_set_fd(ssl.get(), socket->get()) != 1) {
    return absl::InternalError(OpenSslError());
  }
  if (const absl::Status status = ShakeHands(ssl.get(), *socket, address, deadline); !status.ok())
    return status;

  const std::vector<Certificate> chain = ShownChain(ssl.get());
  const auto ca = std::find_if(chain.begin(), chain.end(), [&](const Certificate& certificate) {
    return IsCa(*certificate) && SpkiSha256(*certificate) == pin;
  });
  if (ca == chain.end()) {
    return absl::UnauthenticatedError(absl::StrCat(
        "whoever answers at ", address,
        " does not show the certificate authority that the join string pins: nothing was sent"));
  }
  if (const absl::Status status = VerifyChain(*chain.front(), chain, **ca, now); !status.ok())
    return status;
  return CertificateToPem(**ca);
}

}  // namespace sallyport::agent
