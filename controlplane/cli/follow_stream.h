#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>
#include <grpcpp/support/sync_stream.h>

#include <memory>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/backoff.h"
#include "controlplane/cli/connection.h"

// How a command goes on reading a stream when the control plane is started again, or the way to it
// is lost.
namespace sallyport::controlplane {

struct FollowTerms {
  // The control plane has been reached by this command before. Otherwise what cannot be reached at
  // all is an error at once, as it is for every command.
  bool was_reached = false;
  // Not after then: what is waited for cannot come any more.
  absl::Time until = absl::InfiniteFuture();
  // Between the attempts.
  Backoff waits = Backoff(absl::Milliseconds(500), absl::Seconds(10));
};

// One stream from its beginning. The exit code where the reader has what it wanted; else how the
// stream ended. `got_something` is set with the first message.
using ReadStream =
    absl::FunctionRef<std::optional<int>(const ApiConnection&, bool& got_something, grpc::Status&)>;

// Reads, and reads again after a pause where the stream has ended because the control plane is away
// (it stops, cannot be reached, or has no keys of an issuer yet): stderr says that it is away, and
// that it is back. Each time with the token that there is then. A stream that ends for any other
// reason is the end: 0 where it has ended well, else 1 and a line on stderr.
int FollowStreams(const ClientOptions& options, FollowTerms terms, ReadStream read);

// The same of one rpc: `take` gets each message, and returns the exit code to stop.
template <class Service, class Request, class Response>
int Follow(const ClientOptions& options,
           std::unique_ptr<grpc::ClientReader<Response>> (Service::Stub::*method)(
               grpc::ClientContext*, const Request&),
           const Request& request, FollowTerms terms,
           absl::FunctionRef<std::optional<int>(const Response&)> take) {
  return FollowStreams(options, terms,
                       [&](const ApiConnection& connection, bool& got_something,
                           grpc::Status& end) -> std::optional<int> {
                         const auto context = connection.Context(absl::InfiniteDuration());
                         const auto stub = connection.Stub<Service>();
                         const auto reader = (stub.get()->*method)(context.get(), request);
                         Response response;
                         while (reader->Read(&response)) {
                           got_something = true;
                           if (const std::optional<int> code = take(response); code.has_value()) {
                             context->TryCancel();
                             return code;
                           }
                         }
                         end = reader->Finish();
                         return std::nullopt;
                       });
}

}  // namespace sallyport::controlplane
