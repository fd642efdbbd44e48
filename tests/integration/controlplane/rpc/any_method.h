#pragma once

#include <grpcpp/generic/generic_stub.h>

#include "tests/integration/controlplane/rpc/deployment.h"

namespace sallyport::controlplane {

// What any method, known or not, answers to a request of these bytes; an empty message where there
// are none.
inline grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel, std::string_view method,
                         const std::string& token = "", const std::string& bytes = "") {
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  const auto context = Deployment::Context(token);
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  auto call = stub.PrepareUnaryCall(context.get(), "/" + std::string(method), request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, &status);
  void* tag = nullptr;
  bool ok = false;
  REQUIRE(queue.Next(&tag, &ok));
  return status;
}

}  // namespace sallyport::controlplane
