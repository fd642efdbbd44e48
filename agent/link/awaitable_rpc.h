#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "agent/link/channel.h"
#include "agent/loop/signal.h"
#include "agent/loop/task.h"
#include "common/backoff.h"
#include "common/grpc_status.h"

// gRPC calls as coroutines of the loop. gRPC's own threads run the calls; what they bring is posted
// to the loop, and no coroutine ever runs anywhere else. Errors are as grpc_status.h makes them,
// with the denial reason where the control plane gave one.
namespace sallyport::agent {

// A unary method of a service's callback interface:
// &access::v1::AccessService::StubInterface::async_interface::OpenSession
template <class Service, class Request, class Response>
using UnaryMethod = void (Service::StubInterface::async_interface::*)(
    grpc::ClientContext*, const Request*, Response*, std::function<void(grpc::Status)>);
template <class Service, class Request, class Response>
using ServerStreamMethod = void (Service::StubInterface::async_interface::*)(
    grpc::ClientContext*, const Request*, grpc::ClientReadReactor<Response>*);

namespace internal {

// Everything that gRPC points to while a call runs. Never destroyed on gRPC's thread: see
// ControlPlaneChannel::Ended.
template <class Service, class Request, class Response>
struct UnaryCall final : RunningCall,
                         std::enable_shared_from_this<UnaryCall<Service, Request, Response>> {
  UnaryCall(ControlPlaneChannel& to, Request message)
      : channel(to),
        stub(Service::NewStub(to.channel())),
        request(std::move(message)),
        done(to.loop()) {}
  void Cancel() override { context.TryCancel(); }

  // On gRPC's thread.
  void Finish(grpc::Status with) {
    status = std::move(with);
    channel.loop().Post([self = this->shared_from_this()] { self->done.Set(); });
    // Last: after it the channel, and then the loop, may go away.
    channel.Ended(this);
  }

  ControlPlaneChannel& channel;
  std::unique_ptr<typename Service::Stub> stub;
  grpc::ClientContext context;
  Request request;
  Response response;
  grpc::Status status;
  Signal done;
};

}  // namespace internal

// One attempt. Waits for a connection as long as `timeout` allows; kDeadlineExceeded then. The
// channel must not be destroyed while this runs (Shutdown ends it).
template <class Service, class Request, class Response>
Task<absl::StatusOr<Response>> CallOnce(ControlPlaneChannel& channel,
                                        UnaryMethod<Service, Request, Response> method,
                                        Request request, absl::Duration timeout) {
  using Call = internal::UnaryCall<Service, Request, Response>;
  auto call = std::make_shared<Call>(channel, std::move(request));
  call->context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout));
  call->context.set_wait_for_ready(true);
  channel.Began(call);
  (call->stub->async()->*method)(
      &call->context, &call->request, &call->response,
      [call = call.get()](grpc::Status status) { call->Finish(std::move(status)); });
  co_await call->done.Wait();
  if (!call->status.ok()) co_return FromGrpcStatus(call->status);
  co_return std::move(call->response);
}

// For idempotent methods: as CallOnce, and again on kUnavailable with a short jittered backoff
// until `timeout` has passed in all (a connection that just broke fails calls that another attempt
// would carry). The last error when none succeeded.
template <class Service, class Request, class Response>
Task<absl::StatusOr<Response>> CallIdempotent(ControlPlaneChannel& channel,
                                              UnaryMethod<Service, Request, Response> method,
                                              Request request, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  Backoff backoff(absl::Milliseconds(20), absl::Seconds(1));
  while (true) {
    absl::StatusOr<Response> response = co_await CallOnce<Service, Request, Response>(
        channel, method, request, deadline - absl::Now());
    if (response.status().code() != absl::StatusCode::kUnavailable) co_return response;
    const absl::Duration wait = backoff.Next();
    if (absl::Now() + wait >= deadline) co_return response;
    co_await Sleep(channel.loop(), wait);
  }
}

// A server's stream, read at the reader's pace: the next message is asked for when the last one has
// been taken. On the loop's thread. Destroying it cancels the stream.
template <class Service, class Request, class Response>
class ServerStream {
 public:
  // Begins at once. The channel must not be destroyed while this lives; Shutdown ends the stream.
  ServerStream(ControlPlaneChannel& channel, ServerStreamMethod<Service, Request, Response> method,
               Request request)
      : reactor_(std::make_shared<Reactor>(channel, std::move(request))) {
    reactor_->Begin(method);
  }
  ~ServerStream() { Cancel(); }
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;

  // The next message. An error ends the stream: what the server said; kUnavailable where it closed
  // the stream without an error; kDeadlineExceeded when `timeout` passed without a message (the
  // stream is cancelled then). One caller at a time.
  Task<absl::StatusOr<Response>> Next(absl::Duration timeout = absl::InfiniteDuration()) {
    std::shared_ptr<Reactor> reactor = reactor_;
    std::optional<Response> message = co_await reactor->messages.Pop(timeout);
    if (message.has_value()) {
      reactor->ReadNext();
      co_return *std::move(message);
    }
    if (!reactor->messages.is_closed()) {
      reactor->Cancel();
      co_return absl::DeadlineExceededError("the control plane has been silent for too long");
    }
    if (reactor->status.ok())
      co_return absl::UnavailableError("the control plane closed the stream");
    co_return FromGrpcStatus(reactor->status);
  }

  // Wakes who waits in Next, in a later turn, with kCancelled. Idempotent.
  void Cancel() { reactor_->Cancel(); }

 private:
  // gRPC ends a stream only when nobody holds it. The loop holds it whenever no read is out,
  // because the next read comes from there; the hold is given up with the read that fails, or by
  // Cancel, so that a stream ends although nobody reads it.
  struct Reactor final : RunningCall,
                         grpc::ClientReadReactor<Response>,
                         std::enable_shared_from_this<Reactor> {
    Reactor(ControlPlaneChannel& to, Request message)
        : channel(to),
          stub(Service::NewStub(to.channel())),
          request(std::move(message)),
          messages(to.loop()) {}

    void Begin(ServerStreamMethod<Service, Request, Response> method) {
      (stub->async()->*method)(&context, &request, this);
      this->AddHold();
      this->StartRead(&incoming);
      channel.Began(this->shared_from_this());
      this->StartCall();
    }

    // On the loop.
    void ReadNext() {
      {
        absl::MutexLock lock(&mutex);
        if (!is_held || is_reading) return;
        is_reading = true;
      }
      this->StartRead(&incoming);
    }

    void Cancel() override {
      bool gives_up_hold = false;
      {
        absl::MutexLock lock(&mutex);
        is_cancelled = true;
        gives_up_hold = is_held && !is_reading;
        if (gives_up_hold) is_held = false;
      }
      context.TryCancel();
      if (gives_up_hold) this->RemoveHold();
    }

    void OnReadDone(bool ok) override {
      bool gives_up_hold = false;
      {
        absl::MutexLock lock(&mutex);
        is_reading = false;
        gives_up_hold = is_held && (!ok || is_cancelled);
        if (gives_up_hold) is_held = false;
      }
      if (ok) {
        channel.loop().Post(
            [keep = this->shared_from_this()] { keep->messages.Push(std::move(keep->incoming)); });
      }
      if (gives_up_hold) this->RemoveHold();
    }

    void OnDone(const grpc::Status& final_status) override {
      channel.loop().Post([keep = this->shared_from_this(), final_status] {
        keep->status = final_status;
        keep->messages.Close();
      });
      // Last: after it the channel, and then the loop, may go away.
      channel.Ended(this);
    }

    ControlPlaneChannel& channel;
    std::unique_ptr<typename Service::Stub> stub;
    grpc::ClientContext context;
    Request request;
    Response incoming;
    Queue<Response> messages;
    grpc::Status status;
    absl::Mutex mutex;
    bool is_held ABSL_GUARDED_BY(mutex) = true;
    bool is_reading ABSL_GUARDED_BY(mutex) = true;
    bool is_cancelled ABSL_GUARDED_BY(mutex) = false;
  };

  std::shared_ptr<Reactor> reactor_;
};

}  // namespace sallyport::agent
