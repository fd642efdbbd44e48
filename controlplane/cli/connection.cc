#include "controlplane/cli/connection.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/file.h"
#include "common/grpc_log.h"
#include "common/protobuf_log.h"
#include "common/status_macros.h"
#include "common/tls.h"
#include "controlplane/cli/token_file.h"

namespace sallyport::controlplane {
namespace {

constexpr char kDefaultAddress[] = "unix:///var/lib/sallyport/admin.sock";
constexpr char kSystemRoots[] = "/etc/ssl/certs/ca-certificates.crt";
constexpr int kMaxMessageBytes = 80 << 20;  // a record holds one message, 64 MiB at most

std::string FirstOf(const std::string& flag, const char* variable, const char* otherwise) {
  if (!flag.empty()) return flag;
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

}  // namespace

std::string TargetAddress(const ClientOptions& options) {
  return FirstOf(options.address, "SALLYPORT_ADDR", kDefaultAddress);
}

absl::StatusOr<ApiConnection> ApiConnection::Open(const ClientOptions& options) {
  SilenceGrpc();
  SilenceProtobuf();
  std::string address = TargetAddress(options);
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  // A stream that waits for people hears nothing for hours, also of a machine that has gone.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // gRPC's name for how long it waits for what it connects to, which may accept and say nothing.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);
  if (absl::StartsWith(address, "unix://")) {
    absl::string_view path = absl::StripPrefix(address, "unix://");
    auto channel = grpc::CreateCustomChannel(absl::StrCat("unix:", path),
                                             grpc::InsecureChannelCredentials(), arguments);
    return ApiConnection(std::move(address), "", std::move(channel));
  }
  if (address.find(':') == std::string::npos || absl::StrContains(address, "//")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "address ", address, " is neither unix:///path nor host:port (SALLYPORT_ADDR, --addr)"));
  }
  std::string token = options.token;
  if (token.empty()) {
    ASSIGN_OR_RETURN(token, BearerToken(address));
  }
  const std::string ca_file = FirstOf(options.ca_file, "SALLYPORT_CA_FILE", kSystemRoots);
  grpc::SslCredentialsOptions tls;
  ASSIGN_OR_RETURN(tls.pem_root_certs, ReadFile(ca_file));
  if (absl::StatusOr<std::vector<Certificate>> roots = CertificatesFromPem(tls.pem_root_certs);
      !roots.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(ca_file, " (SALLYPORT_CA_FILE, --ca-file): ", roots.status().message()));
  }
  auto channel = grpc::CreateCustomChannel(address, grpc::SslCredentials(tls), arguments);
  return ApiConnection(std::move(address), std::move(token), std::move(channel));
}

bool ApiConnection::Connect() const {
  for (;;) {
    const grpc_connectivity_state state = channel_->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return true;
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) return false;
    channel_->WaitForStateChange(state, std::chrono::system_clock::now() + std::chrono::seconds(1));
  }
}

std::unique_ptr<grpc::ClientContext> ApiConnection::Context(absl::Duration timeout) const {
  auto context = std::make_unique<grpc::ClientContext>();
  if (timeout != absl::InfiniteDuration()) {
    context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  }
  if (!token_.empty()) context->AddMetadata("authorization", "Bearer " + token_);
  return context;
}

}  // namespace sallyport::controlplane
