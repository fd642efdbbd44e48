#include "controlplane/settings.h"

#include <filesystem>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config_file.h"
#include "common/file.h"
#include "common/principal/trusted_issuers.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "common/tls.h"
#include "controlplane/rpc/roles.h"
#include "controlplane/rpc/socket.h"

namespace sallyport::controlplane {
namespace {

constexpr char kDefaultListen[] = "127.0.0.1:7443";
constexpr char kDefaultLocalListen[] = "127.0.0.1:7480";
constexpr char kDefaultDataDir[] = "/var/lib/sallyport";

absl::Status Bad(std::string_view message) { return absl::InvalidArgumentError(ToAbsl(message)); }

absl::Status At(std::string_view key, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(ToAbsl(key), ": ", status.message()));
}

void FillDefaults(config::v1::ControlPlaneConfig& config) {
  if (config.listen().empty()) config.set_listen(kDefaultListen);
  if (config.local_listen().empty()) config.set_local_listen(kDefaultLocalListen);
  if (config.data_dir().empty()) config.set_data_dir(kDefaultDataDir);
  config.set_data_dir(std::filesystem::absolute(config.data_dir()).lexically_normal().string());
  if (config.admin_socket().empty()) config.set_admin_socket(config.data_dir() + "/admin.sock");
  config.set_admin_socket(
      std::filesystem::absolute(config.admin_socket()).lexically_normal().string());
}

absl::Status CheckUnsupported(const config::v1::ControlPlaneConfig& config) {
  if (!config.trusted_proxies().empty()) {
    return Bad(
        "trusted_proxies: the PROXY protocol is not supported by this version; leave it out and "
        "balance in TCP mode without it");
  }
  if (config.recordings().has_retention()) {
    return Bad("recordings.retention is not supported by this version: recordings are kept");
  }
  return absl::OkStatus();
}

bool IsUnspecified(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

absl::Status CheckAddresses(const config::v1::ControlPlaneConfig& config) {
  const auto listen = SplitHostPort(config.listen());
  RETURN_IF_ERROR(At("listen", listen.status()));
  RETURN_IF_ERROR(At("local_listen", SplitHostPort(config.local_listen()).status()));
  if (!config.public_address().empty()) {
    const auto address = SplitHostPort(config.public_address());
    RETURN_IF_ERROR(At("public_address", address.status()));
    if (IsUnspecified(address->host) || address->port == "0") {
      return Bad("public_address must be an address that agents can connect to");
    }
  } else if (IsUnspecified(listen->host)) {
    return Bad(absl::StrCat("public_address is required with listen: ", config.listen(),
                            ", for join strings must name an address that agents can connect to"));
  }
  return absl::OkStatus();
}

absl::Status CheckTls(const config::v1::TlsFiles& tls) {
  if (tls.cert_file().empty() || tls.key_file().empty()) {
    return Bad("tls: cert_file and key_file go together");
  }
  ASSIGN_OR_RETURN(const std::string chain, ReadFile(tls.cert_file()));
  const auto certificates = CertificatesFromPem(chain);
  RETURN_IF_ERROR(At(absl::StrCat("tls.cert_file ", tls.cert_file()), certificates.status()));
  const auto key = LoadKey(tls.key_file());
  RETURN_IF_ERROR(At("tls.key_file", key.status()));
  if (!Matches(*certificates->front(), **key)) {
    return Bad(absl::StrCat("tls: ", tls.key_file(), " is not the key of the first certificate in ",
                            tls.cert_file()));
  }
  return absl::OkStatus();
}

absl::Status CheckPeople(const config::v1::ControlPlaneConfig& config) {
  if (config.issuers().empty()) {
    return Bad("issuers: at least one is required, for nobody could be let in");
  }
  ASSIGN_OR_RETURN(
      const auto issuers,
      TrustedIssuers::Compile({config.issuers().begin(), config.issuers().end()},
                              {config.admin_audiences().begin(), config.admin_audiences().end()}));
  return Roles::Create(config.roles(), *issuers).status();
}

absl::Status CheckApprovers(const config::v1::Notifier& notifier) {
  for (const std::string& approver : notifier.approvers()) {
    const std::size_t colon = approver.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == approver.size()) {
      return Bad(absl::StrCat("notifier ", notifier.name(), ": approvers: \"", approver,
                              "\" is not of the form realm:group"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::unique_ptr<Webhook>>> MakeWebhooks(
    const config::v1::ControlPlaneConfig& config) {
  std::vector<std::unique_ptr<Webhook>> webhooks;
  std::set<std::string> names;
  for (const config::v1::Notifier& notifier : config.notify()) {
    if (!names.insert(notifier.name()).second) {
      return Bad(absl::StrCat("notify: two notifiers are called ", notifier.name()));
    }
    RETURN_IF_ERROR(CheckApprovers(notifier));
    ASSIGN_OR_RETURN(auto webhook, Webhook::Create(notifier));
    webhooks.push_back(std::move(webhook));
  }
  return webhooks;
}

absl::StatusOr<Settings> Check(config::v1::ControlPlaneConfig config) {
  FillDefaults(config);
  RETURN_IF_ERROR(CheckUnsupported(config));
  RETURN_IF_ERROR(CheckAddresses(config));
  if (config.has_tls()) RETURN_IF_ERROR(CheckTls(config.tls()));
  RETURN_IF_ERROR(CheckPeople(config));
  ASSIGN_OR_RETURN(auto webhooks, MakeWebhooks(config));
  return Settings{.config = std::move(config), .webhooks = std::move(webhooks)};
}

}  // namespace

absl::StatusOr<Settings> Settings::Load(const std::string& path) {
  config::v1::ControlPlaneConfig config;
  RETURN_IF_ERROR(LoadConfigFile(path, &config));
  absl::StatusOr<Settings> settings = Check(std::move(config));
  if (!settings.ok()) return At(path, settings.status());
  return settings;
}

}  // namespace sallyport::controlplane
