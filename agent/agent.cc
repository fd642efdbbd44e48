#include "agent/agent.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "agent/call/end_session.h"
#include "agent/call/gateway.h"
#include "agent/call/paced_masker.h"
#include "agent/call/session_updates.h"
#include "agent/call/sweep.h"
#include "agent/control/approval_client.h"
#include "agent/control/call_settlements.h"
#include "agent/control/certificate_renewal.h"
#include "agent/control/enrollment.h"
#include "agent/control/session_client.h"
#include "agent/control/snapshot_watch.h"
#include "agent/control/tool_client.h"
#include "agent/descriptors.h"
#include "agent/link/channel.h"
#include "agent/listen/http_listener.h"
#include "agent/listen/local_endpoint.h"
#include "agent/listen/mcp_endpoint.h"
#include "agent/loop/heap_rest.h"
#include "agent/loop/loop.h"
#include "agent/loop/loop_clock.h"
#include "agent/loop/stop_signals.h"
#include "agent/mask/mask_engine.h"
#include "agent/record/recorder.h"
#include "agent/record/uploader.h"
#include "agent/settings.h"
#include "agent/upstream/upstreams.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/random.h"
#include "common/service_manager.h"
#include "common/sparse_table.h"
#include "common/status_macros.h"

namespace sallyport::agent {
namespace {

using config::v1::AgentConfig;

constexpr absl::Duration kFirstSnapshot = absl::Seconds(10);
constexpr absl::Duration kSweepPeriod = absl::Milliseconds(250);
// A session that ends is over at the control plane once its END record is there, and its caller may
// come back at once. The END is written when what was in flight has gone, 5 s at most.
constexpr absl::Duration kEndsHurry = absl::Seconds(6);
// In all well under the ten seconds that supervisors wait before they kill.
constexpr absl::Duration kFinishCalls = absl::Seconds(2);
constexpr absl::Duration kEndSessions = absl::Seconds(3);
constexpr absl::Duration kDrainConnections = absl::Seconds(1);
constexpr absl::Duration kShipRecords = absl::Seconds(1);

// So long after the news of a session's end no answer to its opening is on its way any more.
constexpr absl::Duration kAnswersUnderWay = absl::Minutes(1);

// One agent for one data directory: two would write one spool.
class DirectoryLock {
 public:
  static absl::StatusOr<DirectoryLock> Take(const std::string& dir) {
    const std::string path = absl::StrCat(dir, "/lock");
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      ::close(fd);
      return error == EWOULDBLOCK
                 ? absl::FailedPreconditionError(absl::StrCat("another agent runs on ", dir))
                 : absl::ErrnoToStatus(error, absl::StrCat("cannot lock ", path));
    }
    return DirectoryLock(fd);
  }
  DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_;
};

absl::StatusOr<std::string> LoadSessionSecret(const std::string& data_dir) {
  const std::string path = SessionSecretFile(data_dir);
  auto secret = ReadSecretFile(path);
  if (secret.ok() && secret->size() == 32) return secret;
  if (!absl::IsNotFound(secret.status())) {
    return secret.ok() ? absl::FailedPreconditionError(absl::StrCat(path, " is damaged; remove it"))
                       : secret;
  }
  std::string fresh = RandomBytes(32);
  RETURN_IF_ERROR(WriteFileAtomically(path, fresh));
  return fresh;
}

std::uint64_t LargestMessage(const Upstreams& upstreams) {
  std::uint64_t largest = std::uint64_t{1} << 20;
  for (const std::string& name : upstreams.names()) {
    largest = std::max(largest, upstreams.message_bytes(name));
  }
  return largest;
}

CallLimits LimitsOf(const AgentConfig& config, const Upstreams& upstreams) {
  CallLimits limits;
  limits.message_bytes = LargestMessage(upstreams);
  if (config.limits().approval_hold_seconds() > 0) {
    limits.approval_hold = absl::Seconds(config.limits().approval_hold_seconds());
  }
  for (const config::v1::ServerEntry& server : config.servers()) {
    if (const auto hold = server.limits().approval_hold_seconds(); hold > 0) {
      limits.approval_hold_of[server.name()] = absl::Seconds(hold);
    }
  }
  return limits;
}

}  // namespace

struct Agent::Parts {
  explicit Parts(AgentConfig given) : config(std::move(given)) {}

  absl::Status Wire();
  absl::Status WireControl();
  absl::Status WireRecorder();
  absl::StatusOr<std::unique_ptr<HttpListener>> Bind(const std::string& address,
                                                     bool is_for_clients);
  void Observe();
  void ForgetToldEnds();
  Task<void> Serve();
  Task<void> AwaitSignal();
  Task<void> Drain();

  AgentConfig config;
  SystemClock system_clock;
  Loop loop;
  LoopClock clock{loop, system_clock};
  StopSignals stop_signals{loop};
  std::optional<DirectoryLock> lock;
  std::unique_ptr<Upstreams> upstreams;
  Enrollment enrollment;
  std::unique_ptr<ControlPlaneChannel> channel;
  std::unique_ptr<CertificateRenewal> renewal;
  std::unique_ptr<SnapshotWatch> snapshots;
  std::unique_ptr<SessionClient> session_client;
  std::unique_ptr<ApprovalClient> approval_client;
  std::unique_ptr<CallSettlements> settlements;
  std::unique_ptr<ToolClient> tool_client;
  std::unique_ptr<ToolPins> tool_pins;
  std::unique_ptr<Recorder> recorder;
  std::unique_ptr<Uploader> uploader;
  std::shared_ptr<const MaskEngine> mask_engine;
  std::unique_ptr<PacedMasker> masker;
  std::unique_ptr<HttpListener> clients;
  std::unique_ptr<HttpListener> local;
  std::unique_ptr<Gateway> gateway;
  std::unique_ptr<McpEndpoint> mcp_endpoint;
  std::unique_ptr<LocalEndpoint> local_endpoint;
};

absl::Status Agent::Parts::WireControl() {
  ASSIGN_OR_RETURN(
      enrollment, LoadOrEnroll(config.data_dir(), config.control_plane().join_token_file(), clock));
  channel = std::make_unique<ControlPlaneChannel>(loop, enrollment.address, enrollment.identity);
  renewal = std::make_unique<CertificateRenewal>(*channel, clock, config.data_dir(), enrollment);
  snapshots = std::make_unique<SnapshotWatch>(*channel, clock, config.data_dir(), enrollment.name,
                                              enrollment.identity.ca);
  if (absl::Status kept = snapshots->LoadKept(); !kept.ok()) {
    LogWarning("kept_snapshot_unusable", {{"error", kept}});
  }
  session_client = std::make_unique<SessionClient>(*channel);
  approval_client = std::make_unique<ApprovalClient>(*channel);
  ASSIGN_OR_RETURN(settlements, CallSettlements::Open(
                                    *channel, absl::StrCat(config.data_dir(), "/settlements")));
  tool_client = std::make_unique<ToolClient>(*channel);
  tool_pins = std::make_unique<ToolPins>(loop, clock, *tool_client);
  return absl::OkStatus();
}

absl::Status Agent::Parts::WireRecorder() {
  RecorderOptions options;
  options.dir = absl::StrCat(config.data_dir(), "/spool");
  options.agent_name = enrollment.name;
  ASSIGN_OR_RETURN(options.durability, ReadDurability(config));
  if (config.recording().spool_max_bytes() > 0)
    options.spool_max_bytes = config.recording().spool_max_bytes();
  options.message_bytes = LargestMessage(*upstreams);
  UploaderOptions shipping;
  shipping.set_aside = {.dir = absl::StrCat(config.data_dir(), "/set-aside"),
                        .max_bytes = options.spool_max_bytes};
  shipping.on_refused = [this](const std::string& recording) {
    loop.Post([this, recording] { TakeRefusedRecording(*gateway, recording); });
  };
  ASSIGN_OR_RETURN(recorder, Recorder::Create(loop, clock, std::move(options)));
  uploader = std::make_unique<Uploader>(
      recorder->spools(), [this] { return channel->channel(); }, std::move(shipping));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<HttpListener>> Agent::Parts::Bind(const std::string& address,
                                                                 bool is_for_clients) {
  ListenerOptions options;
  options.address = address;
  if (is_for_clients) {
    if (config.has_tls()) {
      ASSIGN_OR_RETURN(options.tls, ServerTls(config.tls().cert_file(), config.tls().key_file()));
    }
    ASSIGN_OR_RETURN(options.trusted_proxies, ReadProxies(config));
    // The endpoint sets it, for each request, once it knows whose that is.
    options.limits.body = std::numeric_limits<std::uint64_t>::max();
    options.max_connections = ConnectionsFor(TakeDescriptors());
  } else {
    options.limits.body = 0;
    options.max_connections = 64;
  }
  return HttpListener::Create(loop, clock, std::move(options));
}

absl::Status Agent::Parts::Wire() {
  FillDefaults(config);
  RETURN_IF_ERROR(CheckConfig(config));
  RETURN_IF_ERROR(EnsurePrivateDirectory(config.data_dir()));
  ASSIGN_OR_RETURN(DirectoryLock taken, DirectoryLock::Take(config.data_dir()));
  lock.emplace(std::move(taken));
  ASSIGN_OR_RETURN(upstreams, Upstreams::Create(loop, config));
  RETURN_IF_ERROR(WireControl());
  RETURN_IF_ERROR(WireRecorder());
  ASSIGN_OR_RETURN(mask_engine, MaskEngine::Create());
  ASSIGN_OR_RETURN(masker, PacedMasker::Create(loop, mask_engine));
  const std::string built_in[] = {"secrets", "pii"};
  ASSIGN_OR_RETURN(auto plan_without_session, MaskPlan::Compile(mask_engine, built_in, {}));
  ASSIGN_OR_RETURN(clients, Bind(config.listen(), true));
  ASSIGN_OR_RETURN(local, Bind(config.local_listen(), false));

  std::string public_url = config.public_url();
  if (public_url.empty())
    public_url = absl::StrCat(config.has_tls() ? "https://" : "http://", clients->address());
  ASSIGN_OR_RETURN(std::string session_secret, LoadSessionSecret(config.data_dir()));
  ASSIGN_OR_RETURN(CountTable call_counts,
                   CountTable::Open(absl::StrCat(config.data_dir(), "/call-counts"), clock));
  gateway.reset(new Gateway{.loop = loop,
                            .clock = clock,
                            .snapshots = *snapshots,
                            .session_client = *session_client,
                            .approval_client = *approval_client,
                            .settlements = *settlements,
                            .tool_pins = *tool_pins,
                            .recorder = *recorder,
                            .masker = *masker,
                            .upstreams = *upstreams,
                            .rule_maker = RuleMaker(mask_engine),
                            .plan_without_session = std::move(plan_without_session),
                            .agent = enrollment.name,
                            .public_url = public_url,
                            .session_secret = std::move(session_secret),
                            .limits = LimitsOf(config, *upstreams),
                            .call_counts = std::move(call_counts)});
  for (auto& chain : recorder->TakeOpenChains()) {
    std::string id = chain->session_id();
    gateway->openings.open_chains[std::move(id)] = std::move(chain);
  }
  mcp_endpoint = std::make_unique<McpEndpoint>(
      *gateway, McpEndpoint::Names{.public_url = public_url,
                                   .listen_address = clients->address(),
                                   .is_tls = config.has_tls(),
                                   .allowed_origins = {config.allowed_origins().begin(),
                                                       config.allowed_origins().end()}});
  local_endpoint = std::make_unique<LocalEndpoint>(*gateway, *clients, *uploader);
  Observe();
  return absl::OkStatus();
}

void Agent::Parts::Observe() {
  ControlObserver observer;
  observer.on_snapshot = [this](const std::shared_ptr<const AgentSnapshot>& snapshot) {
    TakeSnapshot(*gateway);
    tool_pins->TakeSnapshot(snapshot);
  };
  observer.on_session = [this](const v1::SessionUpdate& update) {
    TakeSessionUpdate(*gateway, update);
  };
  observer.on_approval = [this](const types::v1::Approval& approval) {
    gateway->approvals.Learn(approval, gateway->sessions);
  };
  observer.on_resynced = [this](const absl::flat_hash_set<std::string>& active) {
    TakeResync(*gateway, active);
    recorder->ForgetEnds([&](const std::string& id) {
      if (!active.contains(id)) gateway->openings.told_ends.try_emplace(id, clock.SinceBoot());
      return false;
    });
    for (const std::string& id : recorder->damaged_sessions()) {
      if (active.contains(id)) session_client->EndDamaged(id);
    }
  };
  observer.on_refused = [this](const absl::Status& why) { TakeRefusal(*gateway, why); };
  snapshots->Observe(std::move(observer));
}

void Agent::Parts::ForgetToldEnds() {
  const absl::Duration before = clock.SinceBoot() - kAnswersUnderWay;
  auto& told_ends = gateway->openings.told_ends;
  recorder->ForgetEnds([&](const std::string& id) {
    const auto told = told_ends.find(id);
    return told != told_ends.end() && told->second <= before;
  });
  EraseAndShrink(told_ends, [&](const auto& told) { return told.second <= before; });
}

Task<void> Agent::Parts::Serve() {
  clients->Start(*mcp_endpoint);
  local->Start(*local_endpoint);
  const auto listen = [this] {
    return LogField::Object("listen", {{"mcp", clients->address()}, {"local", local->address()}});
  };
  LogInfo("listening", {listen()});
  TellReady("listening");
  // Until there are policies every call is refused with no_snapshot: that is no readiness.
  while (!co_await snapshots->WaitForSnapshot(kFirstSnapshot)) LogWarning("no_snapshot");
  for (const auto& server : config.servers()) {
    if (snapshots->current()->Fronts(server.name())) continue;
    LogWarning("server_not_enrolled",
               {{"server", server.name()},
                {"agent", enrollment.name},
                {"hint",
                 "the agent's join token did not name it, so that nobody gets there: enroll "
                 "again with one that does"}});
  }
  LogInfo("ready", {listen()});
}

Task<void> Agent::Parts::AwaitSignal() {
  const IoResult signal = co_await stop_signals.Next();
  LogInfo("stopping", {{"signal", signal.n}});
  co_await Drain();
  loop.Stop();
}

Task<void> Agent::Parts::Drain() {
  gateway->is_draining = true;
  const absl::Duration until = clock.SinceBoot() + kFinishCalls;
  const auto in_flight = [this] {
    const auto sessions = gateway->sessions.all();
    return std::any_of(sessions.begin(), sessions.end(),
                       [](ServedSession* session) { return session->live().in_flight() > 0; });
  };
  while (in_flight() && clock.SinceBoot() < until) co_await Sleep(loop, absl::Milliseconds(20));
  co_await EndAllSessions(*gateway, {types::v1::END_REASON_DISCONNECTED, "the agent was stopped"},
                          kEndSessions);
  co_await clients->Drain(kDrainConnections);
  co_await local->Drain(absl::ZeroDuration());
  co_await session_client->Drain();
  co_await settlements->Drain();
  co_await renewal->Drain();
  co_await snapshots->Drain();
}

absl::StatusOr<std::unique_ptr<Agent>> Agent::Create(AgentConfig config) {
  auto parts = std::make_unique<Parts>(std::move(config));
  RETURN_IF_ERROR(parts->Wire());
  return std::unique_ptr<Agent>(new Agent(std::move(parts)));
}

Agent::Agent(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Agent::~Agent() = default;

void Agent::Run() {
  Parts& parts = *parts_;
  parts.renewal->Start();
  parts.snapshots->Start();
  parts.session_client->Start();
  parts.settlements->Start();
  parts.loop.Every(kSweepPeriod, [&parts] { Sweep(*parts.gateway); });
  parts.loop.Every(kAnswersUnderWay, [&parts] { parts.ForgetToldEnds(); });
  parts.loop.OnTurnEnd([&parts, seen = std::uint64_t{0}]() mutable {
    const std::uint64_t ended = parts.gateway->metrics.sessions_ended;
    if (ended == seen) return;
    seen = ended;
    parts.uploader->Hurry(kEndsHurry);
  });
  parts.loop.Every(HeapRest::kPeriod, [&parts, rest = HeapRest()]() mutable {
    rest.Tick(parts.gateway->metrics.calls_forwarded);
  });
  parts.loop.Spawn(parts.AwaitSignal());
  parts.loop.Spawn(parts.Serve());
  parts.loop.Run();
  if (absl::Status flushed = parts.recorder->Flush(); !flushed.ok()) {
    LogError("record_failed", {{"error", flushed}});
  }
  parts.uploader->Stop(kShipRecords);
  parts.channel->Shutdown();
  LogInfo("stopped");
}

}  // namespace sallyport::agent
