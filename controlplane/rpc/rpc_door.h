#pragma once

#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/server_context.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controlplane/model/caller.h"
#include "controlplane/rpc/identify_caller.h"
#include "controlplane/rpc/method_table.h"
#include "controlplane/rpc/metrics.h"

namespace sallyport::controlplane {

// What every call passes, whichever method it is for: who is it, does the method table let him,
// does no lock shut him out, and one line in the log. A service method is: pass the door, then one
// use case.
//
// On the TLS doors the same is asked once before (Guard), when only the headers of the call are
// there, so that nobody gets a message of his read, or a thread, before he is known. Locks are
// asked at the head of the method: the message may have taken its time, and only there is it known
// from where it came. What has no head of ours, gRPC's own methods, the guard refuses.
class RpcDoor {
 public:
  // Both outlive it. `local_uid` is that of the admin socket's callers, and of no meaning
  // elsewhere: there is a door for each.
  RpcDoor(DoorKind kind, const IdentifyCaller& identify, Metrics& metrics, uid_t local_uid = 0)
      : kind_(kind), identify_(identify), metrics_(metrics), local_uid_(local_uid) {}
  RpcDoor(const RpcDoor&) = delete;
  RpcDoor& operator=(const RpcDoor&) = delete;

  DoorKind kind() const { return kind_; }

  // For the server's credentials; lives no longer than the door. gRPC passes no status details from
  // here, so the reason's word stands before the message.
  std::shared_ptr<grpc::AuthMetadataProcessor> Guard() const;

  // One call of the method that takes `request`: `use_case` runs if the caller may, and its result
  // or its error is the reply.
  template <class Request, class Response>
  grpc::Status Answer(
      grpc::ServerContext& context, const Request& request, Response* response,
      absl::FunctionRef<absl::StatusOr<Response>(const Caller&, const Request&)> use_case) const {
    return Pass(context, *Request::descriptor(), [&](const Caller& caller) -> absl::Status {
      absl::StatusOr<Response> result = use_case(caller, request);
      if (result.ok()) *response = *std::move(result);
      return result.status();
    });
  }

  // The same for a stream, which `serve` runs to its end.
  grpc::Status Pass(grpc::ServerContext& context, const google::protobuf::Descriptor& request,
                    absl::FunctionRef<absl::Status(const Caller&)> serve) const;

  // Whether the caller would be let in now: for streams, which outlive their head.
  absl::Status CheckStillIn(const Caller& caller) const { return identify_.CheckStillIn(caller); }

 private:
  class GuardProcessor;

  absl::StatusOr<Caller> Admit(const MethodRow* row, std::string_view authorization,
                               const grpc::AuthContext* connection, std::string address) const;
  void Note(std::string_view method, std::string_view actor, std::string_view address,
            const absl::Status& status, absl::Duration took) const;

  const DoorKind kind_;
  const IdentifyCaller& identify_;
  Metrics& metrics_;
  const uid_t local_uid_;
};

// As a log line or a message names a status: `unauthenticated`, `ok`.
std::string CodeWord(absl::StatusCode code);

}  // namespace sallyport::controlplane
