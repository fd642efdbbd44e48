#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/statusor.h"
#include "controlplane/rpc/metrics.h"
#include "controlplane/rpc/socket.h"

namespace sallyport::controlplane {

// The second, local listener: GET /healthz (the program runs), /readyz (it can serve; 503 with the
// reason otherwise) and /metrics. One connection at a time, each for one request and two seconds at
// most: it is for the machine's own probes.
class LocalListener {
 public:
  // `readiness` is called on the listener's thread; it and `metrics` outlive the listener.
  static absl::StatusOr<std::unique_ptr<LocalListener>> Open(
      const std::string& listen, std::function<absl::Status()> readiness, const Metrics& metrics);
  ~LocalListener();
  LocalListener(const LocalListener&) = delete;
  LocalListener& operator=(const LocalListener&) = delete;

  // As bound.
  const std::string& address() const { return address_; }

 private:
  LocalListener(TcpListener listener, Descriptor stop, std::function<absl::Status()> readiness,
                const Metrics& metrics);
  void Run();
  void Serve(const Descriptor& connection);
  std::string Answer(std::string_view request_line) const;

  Descriptor listener_;
  const std::string address_;
  Descriptor stop_;
  const std::function<absl::Status()> readiness_;
  const Metrics& metrics_;
  Accepter accepter_;
  std::thread thread_;
};

}  // namespace sallyport::controlplane
