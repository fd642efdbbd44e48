#pragma once

#include <grpcpp/channel.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "agent/loop/loop.h"

namespace sallyport::agent {

// What the agent shows at the agents' door, and the one CA it believes there. PEM.
struct LinkIdentity {
  std::string private_key;
  // The leaf first.
  std::string certificate_chain;
  std::string ca;
};

// The name that each door of the control plane answers to, whatever its address is.
inline constexpr char kAgentsDoor[] = "agents.sallyport";
inline constexpr char kEnrollmentDoor[] = "enroll.sallyport";

// One call or stream that is running, as Shutdown sees it. gRPC keeps plain pointers into it until
// it has ended.
class RunningCall {
 public:
  virtual ~RunningCall() = default;
  // From any thread.
  virtual void Cancel() = 0;
};

// The agent's way to the control plane: gRPC over mutual TLS, connected when first used and again
// whenever it breaks. What runs on it is counted, so that its owner can stop all of it.
class ControlPlaneChannel {
 public:
  // `address` is host:port. `loop` outlives the channel.
  ControlPlaneChannel(Loop& loop, std::string address, const LinkIdentity& identity);
  ~ControlPlaneChannel();  // Shutdown
  ControlPlaneChannel(const ControlPlaneChannel&) = delete;
  ControlPlaneChannel& operator=(const ControlPlaneChannel&) = delete;

  Loop& loop() { return loop_; }
  const std::string& address() const { return address_; }

  // For the next call or stream. Thread-safe; never null.
  std::shared_ptr<grpc::Channel> channel() const;

  // What begins from now on uses this identity and a connection of its own; what runs goes on with
  // the old one. Thread-safe.
  void Rotate(const LinkIdentity& identity);

  // Cancels all calls and streams of awaitable_rpc.h and returns when gRPC has let go of them; what
  // begins later is cancelled at once. Their coroutines get kCancelled on the loop. Not from a gRPC
  // thread. Idempotent.
  void Shutdown();

  // For awaitable_rpc.h: keeps `call` alive until it has ended, and cancels it when the channel is
  // shut (by now, or later). On the loop's thread.
  void Began(std::shared_ptr<RunningCall> call);
  // From gRPC's thread, as its last step. The call is not destroyed there: with it could go the
  // last reference to a gRPC channel, and a channel that is destroyed on gRPC's own callback thread
  // waits for itself.
  void Ended(const RunningCall* call);

 private:
  Loop& loop_;
  const std::string address_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<grpc::Channel> channel_ ABSL_GUARDED_BY(mutex_);
  std::map<const RunningCall*, std::shared_ptr<RunningCall>> running_ ABSL_GUARDED_BY(mutex_);
  // Until the next call begins, or Shutdown.
  std::vector<std::shared_ptr<RunningCall>> ended_ ABSL_GUARDED_BY(mutex_);
  bool is_shut_ ABSL_GUARDED_BY(mutex_) = false;
};

// A channel to one door: SNI and certificate are `door`'s, whatever the address; keepalive finds a
// dead peer within 20 s; metadata up to 24 KiB and messages up to 64 MiB pass. Without a private
// key no client certificate is shown.
std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address, const std::string& door,
                                           const LinkIdentity& identity);

}  // namespace sallyport::agent
