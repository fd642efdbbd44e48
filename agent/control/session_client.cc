#include "agent/control/session_client.h"

#include <algorithm>
#include <utility>

#include "agent/control/unavailable.h"
#include "agent/link/awaitable_rpc.h"
#include "common/backoff.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "sallyport/access/v1/access_service.grpc.pb.h"

namespace sallyport::agent {
namespace {

using Rpc = access::v1::AccessService::StubInterface::async_interface;

constexpr absl::Duration kEndTimeout = absl::Seconds(10);

}  // namespace

SessionClient::SessionClient(ControlPlaneChannel& channel)
    : channel_(channel),
      has_damaged_(channel.loop()),
      stop_(channel.loop()),
      stopped_(channel.loop()) {}

Task<absl::StatusOr<access::v1::OpenSessionResponse>> SessionClient::Open(
    access::v1::OpenSessionRequest request, absl::Duration timeout) {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  auto response = co_await CallIdempotent<access::v1::AccessService>(channel_, &Rpc::OpenSession,
                                                                     std::move(request), timeout);
  if (!response.ok()) co_return ControlPlaneError(response.status());
  co_return response;
}

Task<absl::StatusOr<types::v1::Session>> SessionClient::Renew(std::string session_id,
                                                              std::string token,
                                                              std::string resource,
                                                              absl::Duration timeout) {
  access::v1::RenewSessionRequest request;
  request.set_session_id(std::move(session_id));
  request.set_token(std::move(token));
  request.set_resource(std::move(resource));
  auto response = co_await CallIdempotent<access::v1::AccessService>(channel_, &Rpc::RenewSession,
                                                                     std::move(request), timeout);
  if (!response.ok()) co_return ControlPlaneError(response.status());
  co_return std::move(*response->mutable_session());
}

void SessionClient::EndDamaged(const std::string& session_id) {
  if (std::ranges::find(damaged_, session_id) != damaged_.end()) return;
  damaged_.push_back(session_id);
  has_damaged_.Set();
}

void SessionClient::Start() {
  is_started_ = true;
  channel_.loop().Spawn(TellDamaged());
}

Task<void> SessionClient::Drain() {
  stop_.Set();
  has_damaged_.Set();
  if (is_started_) co_await stopped_.Wait();
}

Task<void> SessionClient::TellDamaged() {
  Backoff backoff(absl::Milliseconds(200), absl::Seconds(15));
  while (!stop_.is_set()) {
    if (damaged_.empty()) {
      has_damaged_.Reset();
      co_await has_damaged_.Wait();
      continue;
    }
    access::v1::EndSessionRequest request;
    request.set_session_id(damaged_.front());
    request.set_detail(
        "its recording was damaged on the agent's disk, or does not fit what is here, and cannot "
        "go on");
    const auto response = co_await CallOnce<access::v1::AccessService>(channel_, &Rpc::EndSession,
                                                                       request, kEndTimeout);
    if (!response.ok() && IsWorthRetrying(response.status())) {
      co_await stop_.Wait(backoff.Next());
      continue;
    }
    backoff.Reset();
    damaged_.pop_front();
    if (response.ok() || absl::IsCancelled(response.status())) continue;
    LogWarning("session_end_refused",
               {{"session", request.session_id()}, {"error", response.status()}});
  }
  stopped_.Set();
}

}  // namespace sallyport::agent
