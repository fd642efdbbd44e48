#include "controlplane/controlplane.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "controlplane/access/expire_sessions.h"
#include "controlplane/access/forget_calls.h"
#include "controlplane/rpc/roles.h"
#include "controlplane/rpc/socket.h"
#include "controlplane/store/approvals.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/meta.h"
#include "controlplane/store/outbox.h"
#include "controlplane/store/sessions.h"
#include "migrations/migrations.h"

namespace sallyport::controlplane {
namespace {

// An agent's record stream is open until it is cut; what it has not had acknowledged it sends
// again.
constexpr absl::Duration kDrainGrace = absl::Seconds(2);

absl::StatusOr<KeyFingerprints> RememberedKeys(Database& control) {
  ASSIGN_OR_RETURN(const auto t, control.Read());
  KeyFingerprints remembered;
  ASSIGN_OR_RETURN(remembered.ca, meta::KeyFingerprint(*t, "ca"));
  ASSIGN_OR_RETURN(remembered.grant, meta::KeyFingerprint(*t, "grant"));
  ASSIGN_OR_RETURN(remembered.snapshot, meta::KeyFingerprint(*t, "snapshot"));
  ASSIGN_OR_RETURN(remembered.effect, meta::KeyFingerprint(*t, "effect"));
  return remembered;
}

absl::Status RememberKeys(Database& control, const KeyFingerprints& keys) {
  ASSIGN_OR_RETURN(const auto t, control.Write(WriteFor::kOperators));
  for (const auto& [name, fingerprint] : {std::pair{"ca", &keys.ca},
                                          {"grant", &keys.grant},
                                          {"snapshot", &keys.snapshot},
                                          {"effect", &keys.effect}}) {
    if (*fingerprint) RETURN_IF_ERROR(meta::SetKeyFingerprint(*t, name, **fingerprint));
  }
  return t->Commit();
}

absl::StatusOr<std::string> DeploymentId(Database& control) {
  ASSIGN_OR_RETURN(const auto t, control.Read());
  return meta::DeploymentId(*t);
}

// Dead ones are of use until somebody looks and tries them again; delivered ones for longer, for
// they say that somebody has been told when a dead one of the same fails once more.
absl::Status ForgetNotices(Database& control, absl::Time now) {
  constexpr absl::Duration kKeepDelivered = absl::Hours(24 * 32);
  constexpr absl::Duration kKeepDead = absl::Hours(24 * 30);
  {
    ASSIGN_OR_RETURN(const auto t, control.Read());
    ASSIGN_OR_RETURN(const bool has_old, outbox::HasOld(*t, now - kKeepDelivered, now - kKeepDead));
    if (!has_old) return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const auto t, control.Write(WriteFor::kOperators));
  RETURN_IF_ERROR(outbox::Forget(*t, now - kKeepDelivered, now - kKeepDead));
  return t->Commit();
}

// -1: it cannot be read.
double Counted(Database& control, absl::StatusOr<int64_t> (*count)(Transaction&)) {
  const auto t = control.Read();
  if (!t.ok()) return -1;
  const absl::StatusOr<int64_t> counted = count(**t);
  return counted.ok() ? static_cast<double>(*counted) : -1;
}

absl::Status BumpSnapshot(Database& control) {
  // Agents are to hear of a key that is no more.
  return control.Write(WriteFor::kRevocation, [](WriteTransaction& t) -> absl::Status {
    RETURN_IF_ERROR(meta::BumpSnapshot(t));
    return t.Commit();
  });
}

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// An empty one in its place would be policies, locks or recordings that are gone without a word.
absl::Status Lost(const std::string& path, const std::string& dir) {
  return absl::FailedPreconditionError(
      absl::StrCat(path, " is missing, and what else is in ", dir,
                   " is of a deployment that had it: restore all of ", dir,
                   " from one backup (or move it away, to begin a new deployment)"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ControlPlane>> ControlPlane::Start(Settings settings,
                                                                  const Clock& clock) {
  std::unique_ptr<ControlPlane> plane(new ControlPlane(std::move(settings), clock));
  RETURN_IF_ERROR(plane->OpenStores());
  RETURN_IF_ERROR(plane->OpenKeys());
  RETURN_IF_ERROR(plane->OpenIdentity());
  RETURN_IF_ERROR(plane->OpenDoors());
  plane->StartBackground();
  return plane;
}

ControlPlane::ControlPlane(Settings settings, const Clock& clock)
    : settings_(std::move(settings)), clock_(clock) {}

ControlPlane::~ControlPlane() { Drain(); }

absl::Status ControlPlane::OpenStores() {
  const std::string& dir = settings_.config.data_dir();
  RETURN_IF_ERROR(EnsurePrivateDirectory(dir));
  ASSIGN_OR_RETURN(reserve_, DiskReserve::Open(dir));
  const std::string control = dir + "/control.db", recordings = dir + "/recordings.db";
  if (!Exists(control) && (Exists(recordings) || Exists(dir + "/ca.pem"))) {
    return Lost(control, dir);
  }
  // The databases are locked by the process that has them: this is what refuses a second one.
  ASSIGN_OR_RETURN(control_, Database::Open(control, migrations::Control(), reserve_.get(),
                                            settings_.remembered_changes));
  ASSIGN_OR_RETURN(const KeyFingerprints remembered, RememberedKeys(*control_));
  // The keys are made when both are there.
  if (!Exists(recordings) && remembered.ca.has_value()) return Lost(recordings, dir);
  ASSIGN_OR_RETURN(recordings_,
                   Database::Open(recordings, migrations::Recordings(), reserve_.get()));
  return absl::OkStatus();
}

absl::Status ControlPlane::OpenKeys() {
  ASSIGN_OR_RETURN(const KeyFingerprints remembered, RememberedKeys(*control_));
  ASSIGN_OR_RETURN(keys_, DeploymentKeys::Open(settings_.config.data_dir(), clock_, remembered));
  return RememberKeys(*control_, keys_->fingerprints());
}

absl::Status ControlPlane::OpenIdentity() {
  const auto& config = settings_.config;
  ASSIGN_OR_RETURN(
      issuers_,
      Issuers::Create({config.issuers().begin(), config.issuers().end()},
                      {config.admin_audiences().begin(), config.admin_audiences().end()}, clock_));
  ASSIGN_OR_RETURN(Roles roles, Roles::Create(config.roles(), issuers_->trusted()));
  policies_ = std::make_unique<CurrentPolicies>();
  identify_ = std::make_unique<IdentifyCaller>(
      IdentifyCaller::Needs{
          .issuers = *issuers_, .control = *control_, .policies = *policies_, .clock = clock_},
      std::move(roles));
  return absl::OkStatus();
}

absl::Status ControlPlane::OpenDoors() {
  const auto& config = settings_.config;
  ASSIGN_OR_RETURN(TcpListener listener, ListenTcp(config.listen()));
  addresses_.api = listener.address;
  addresses_.admin = "unix://" + config.admin_socket();

  ASSIGN_OR_RETURN(std::string deployment_id, DeploymentId(*control_));
  foundations_ =
      std::make_unique<Foundations>(Foundations{.control = *control_,
                                                .recordings = *recordings_,
                                                .clock = clock_,
                                                .issuers = *issuers_,
                                                .policies = *policies_,
                                                .keys = *keys_,
                                                .deployment_id = std::move(deployment_id)});
  use_cases_ = std::make_unique<UseCases>(
      *foundations_, config,
      config.public_address().empty() ? listener.address : config.public_address());
  // Before a door is open: whoever knocks may make an issuer's keys be fetched.
  issuers_->OnKeysChanged([this] {
    use_cases_->withdrawn_keys.Changed();
    if (const absl::Status status = BumpSnapshot(*control_); !status.ok()) {
      LogError("snapshot_not_raised", {{"error", status}});
    }
  });
  metrics_.Gauge("sallyport_agents_connected", [use_cases = use_cases_.get()] {
    return static_cast<double>(use_cases->connected_agents.size());
  });
  metrics_.Gauge("sallyport_approvals_unnotified",
                 [this] { return Counted(*control_, approvals::CountUnnotified); });
  metrics_.Gauge("sallyport_sessions_unnotified",
                 [this] { return Counted(*control_, sessions::CountUnnotified); });
  metrics_.Gauge("sallyport_notices_dead",
                 [this] { return Counted(*control_, outbox::CountDead); });
  MeasureDisk();
  ASSIGN_OR_RETURN(certificates_,
                   ServerCertificates::Create(config, listener.address, keys_->ca(), clock_));

  Doors::Files files{.people = certificates_->files(),
                     .agents = certificates_->files(),
                     .ca_file = config.data_dir() + "/ca.pem",
                     .admin_socket = config.admin_socket()};
  if (config.has_tls()) {
    files.people = {.key_file = config.tls().key_file(), .chain_file = config.tls().cert_file()};
  }
  RpcServer::RegisterCommonServices();
  ASSIGN_OR_RETURN(doors_, Doors::Open({.on = *foundations_,
                                        .use_cases = *use_cases_,
                                        .identify = *identify_,
                                        .metrics = metrics_},
                                       files, std::move(listener)));
  ASSIGN_OR_RETURN(local_listener_,
                   LocalListener::Open(
                       config.local_listen(), [this] { return Readiness(); }, metrics_));
  addresses_.local = local_listener_->address();
  return absl::OkStatus();
}

void ControlPlane::MeasureDisk() {
  metrics_.Gauge("sallyport_disk_free_bytes", [this] { return reserve_->free_bytes(); });
  metrics_.Gauge("sallyport_disk_floor_bytes",
                 [this] { return static_cast<double>(reserve_->floor_bytes()); });
  metrics_.Gauge("sallyport_disk_low", [this] { return reserve_->CheckFloor().ok() ? 0.0 : 1.0; });
  metrics_.Gauge("sallyport_ballast_bytes",
                 [this] { return static_cast<double>(reserve_->ballast_bytes()); });
}

void ControlPlane::StartBackground() {
  issuers_->Start();
  deliver_notices_ =
      std::make_unique<DeliverNotices>(*control_, clock_, std::move(settings_.webhooks));
  housekeeping_ = std::make_unique<Housekeeping>(std::vector<Housekeeping::Chore>{
      {"expire_sessions",
       [expire = std::make_shared<ExpireSessions>(*control_, clock_)] { return expire->Run(); }},
      {"end_withdrawn_keys", [this] { return use_cases_->withdrawn_keys.Run(); }},
      {"forget_notices", [this] { return ForgetNotices(*control_, clock_.Now()); }},
      {"forget_calls", [this] { return ForgetCalls(*control_, clock_.Now()); }},
      {"summarize_refusals",
       [this] { return audit_log::SummarizeRefusals(*control_, clock_.Now()); }},
      {"tend_disk",
       [this] {
         reserve_->Tend();
         return recordings_->GiveBackSpace();
       }},
      {"retry_writes",
       [this] {
         control_->RetryWrites();
         recordings_->RetryWrites();
         return absl::OkStatus();
       }},
      {"renew_server_certificate", [this] { return certificates_->RenewIfDue(); }},
  });
}

absl::Status ControlPlane::Readiness() {
  if (draining_) return absl::UnavailableError("stopping");
  RETURN_IF_ERROR(reserve_->CheckFloor());
  for (const auto& database : {control_.get(), recordings_.get()})
    RETURN_IF_ERROR(database->CheckWrites());
  return control_->Read().status();
}

void ControlPlane::Drain() {
  if (draining_.exchange(true)) return;
  if (control_ != nullptr) control_->changes().Close();
  if (doors_ != nullptr) doors_->Drain(kDrainGrace);
  deliver_notices_.reset();
  housekeeping_.reset();
  if (control_ != nullptr) {
    const absl::Status told = audit_log::SummarizeRefusals(*control_, absl::InfiniteFuture());
    if (!told.ok()) LogError("refusals_not_told", {{"error", told}});
  }
  if (issuers_ != nullptr) issuers_->Stop();
  local_listener_.reset();
}

}  // namespace sallyport::controlplane
