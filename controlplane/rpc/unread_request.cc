#include "controlplane/rpc/unread_request.h"

#include <grpcpp/support/interceptor.h>
#include <grpcpp/support/status.h>

namespace sallyport::controlplane {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

// As gRPC 1.51 has it.
bool IsOfUnreadRequest(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::INTERNAL &&
         (status.error_message().empty() || status.error_message() == "No payload");
}

class Answerer final : public Interceptor {
 public:
  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS) &&
        IsOfUnreadRequest(methods->GetSendStatus())) {
      methods->ModifySendStatus(
          {grpc::StatusCode::INVALID_ARGUMENT,
           "the request is no message of this method, or has text in it that is not UTF-8"});
    }
    methods->Proceed();
  }
};

class Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo*) override {
    return new Answerer;
  }
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> AnswerUnreadRequests() {
  return std::make_unique<Factory>();
}

}  // namespace sallyport::controlplane
