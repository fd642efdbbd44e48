#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <memory>

namespace sallyport::controlplane {

// Answers a request that is no message of its method's, or has text in it that is not UTF-8, as
// INVALID_ARGUMENT and in words. gRPC's sync server reads it before any code of ours runs, and says
// INTERNAL and nothing: that one is the caller's fault, and ours never comes without a word.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> AnswerUnreadRequests();

}  // namespace sallyport::controlplane
