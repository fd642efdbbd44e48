#include "agent/control/call_settlements.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/control/unavailable.h"
#include "agent/link/awaitable_rpc.h"
#include "common/backoff.h"
#include "common/file.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "sallyport/agent/v1/call_approval_service.grpc.pb.h"

namespace sallyport::agent {
namespace {

using Rpc = v1::CallApprovalService::StubInterface::async_interface;

constexpr absl::Duration kTellTimeout = absl::Seconds(10);
constexpr absl::Duration kLastWords = absl::Seconds(1);
// More are left to their files.
constexpr std::size_t kMaxPending = 10'000;

constexpr char kUnfinished[] = ".new";

}  // namespace

CallSettlements::CallSettlements(ControlPlaneChannel& channel, std::string dir)
    : channel_(channel),
      dir_(std::move(dir)),
      has_pending_(channel.loop()),
      stop_(channel.loop()),
      stopped_(channel.loop()) {}

absl::StatusOr<std::unique_ptr<CallSettlements>> CallSettlements::Open(ControlPlaneChannel& channel,
                                                                       std::string dir) {
  RETURN_IF_ERROR(EnsurePrivateDirectory(dir));
  std::unique_ptr<CallSettlements> opened(new CallSettlements(channel, std::move(dir)));
  RETURN_IF_ERROR(opened->TakeUp());
  return opened;
}

absl::Status CallSettlements::TakeUp() {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir_, error)) {
    const std::string path = entry.path();
    const std::string name = entry.path().filename();
    v1::SettleCallRequest request;
    absl::StatusOr<std::string> bytes = ReadSecretFile(path);
    if (bytes.ok() && request.ParseFromString(*bytes) && request.call_id() == name) {
      Push(std::move(request));
      continue;
    }
    if (!name.ends_with(kUnfinished)) LogError("settlement_unreadable", {{"file", path}});
    unlink(path.c_str());
  }
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot read ", dir_, ": ", error.message()));
}

void CallSettlements::Begin(const std::string& session_id, const std::string& call_id) {
  v1::SettleCallRequest unseen;
  unseen.set_session_id(session_id);
  unseen.set_call_id(call_id);
  unseen.set_outcome(v1::CALL_OUTCOME_UNKNOWN);
  Keep(unseen);
}

void CallSettlements::Settle(v1::SettleCallRequest request) {
  Keep(request);
  Push(std::move(request));
}

void CallSettlements::Forget(const std::string& call_id) { unlink(PathOf(call_id).c_str()); }

// Whole or not at all for who reads it after a kill. Not synced: a machine that goes down leaves
// its calls to the control plane, which counts them as unknown once their sessions are over.
void CallSettlements::Keep(const v1::SettleCallRequest& request) const {
  const std::string path = PathOf(request.call_id());
  const std::string unfinished = absl::StrCat(path, kUnfinished);
  std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
  file << request.SerializeAsString();
  file.close();
  if (file && chmod(unfinished.c_str(), 0600) == 0 &&
      std::rename(unfinished.c_str(), path.c_str()) == 0) {
    return;
  }
  LogError("settlement_not_kept", {{"file", path}, {"error", strerror(errno)}});
}

void CallSettlements::Push(v1::SettleCallRequest request) {
  if (pending_.size() == kMaxPending) {
    LogError("settlement_postponed",
             {{"session", request.session_id()}, {"call", request.call_id()}});
    return;
  }
  pending_.push_back(std::move(request));
  has_pending_.Set();
}

void CallSettlements::Start() {
  is_started_ = true;
  channel_.loop().Spawn(Tell());
}

Task<void> CallSettlements::Drain() {
  stop_.Set();
  has_pending_.Set();
  if (is_started_) co_await stopped_.Wait(kLastWords);
}

Task<void> CallSettlements::Tell() {
  Backoff backoff(absl::Milliseconds(200), absl::Seconds(15));
  for (;;) {
    if (pending_.empty()) {
      if (stop_.is_set()) break;
      has_pending_.Reset();
      co_await has_pending_.Wait();
      continue;
    }
    const v1::SettleCallRequest request = pending_.front();
    const auto response = co_await CallOnce<v1::CallApprovalService>(channel_, &Rpc::SettleCall,
                                                                     request, kTellTimeout);
    if (absl::IsCancelled(response.status())) break;
    if (!response.ok() && IsWorthRetrying(response.status())) {
      if (co_await stop_.Wait(backoff.Next())) break;
      continue;
    }
    backoff.Reset();
    pending_.pop_front();
    Forget(request.call_id());
    if (response.ok()) continue;
    LogWarning("call_not_settled", {{"session", request.session_id()},
                                    {"call", request.call_id()},
                                    {"error", response.status()}});
  }
  stopped_.Set();
}

std::string CallSettlements::PathOf(const std::string& call_id) const {
  return absl::StrCat(dir_, "/", call_id);
}

}  // namespace sallyport::agent
