#include "controlplane/rpc/doors.h"

#include <unistd.h>

#include <set>
#include <utility>

#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "controlplane/model/request_limits.h"
#include "controlplane/rpc/access_service.h"
#include "controlplane/rpc/agent_service.h"
#include "controlplane/rpc/agent_tool_service.h"
#include "controlplane/rpc/approval_service.h"
#include "controlplane/rpc/call_approval_service.h"
#include "controlplane/rpc/call_service.h"
#include "controlplane/rpc/caller_service.h"
#include "controlplane/rpc/enrollment_service.h"
#include "controlplane/rpc/issuer_service.h"
#include "controlplane/rpc/notice_service.h"
#include "controlplane/rpc/policy_service.h"
#include "controlplane/rpc/recording_service.h"
#include "controlplane/rpc/session_service.h"
#include "controlplane/rpc/snapshot_service.h"
#include "controlplane/rpc/tool_service.h"

namespace sallyport::controlplane {
namespace {

// A block of records holds a message of the largest size an agent can be configured for.
constexpr int kMaxAgentMessageBytes = 80 << 20;
constexpr int kMaxEnrollmentMessageBytes = 64 << 10;

using Services = std::vector<std::unique_ptr<grpc::Service>>;

void AddAccess(Services& services, const RpcDoor& door, const Doors::Needs& needs) {
  UseCases& use = needs.use_cases;
  services.push_back(
      std::make_unique<AccessRpc>(door, AccessRpc::Needs{.clock = needs.on.clock,
                                                         .changes = needs.on.control.changes(),
                                                         .open = use.open_session,
                                                         .renew = use.renew_session,
                                                         .end = use.end_session,
                                                         .read = use.read_sessions}));
}

void AddAdmin(Services& services, const RpcDoor& door, const Doors::Needs& needs) {
  UseCases& use = needs.use_cases;
  services.push_back(
      std::make_unique<PolicyRpc>(door, PolicyRpc::Needs{.apply = use.apply_policy,
                                                         .read = use.read_documents,
                                                         .remove = use.delete_document,
                                                         .rollback = use.rollback_document,
                                                         .explain = use.explain_policy,
                                                         .simulate = use.simulate_policy,
                                                         .suggest = use.suggest_policy}));
  services.push_back(
      std::make_unique<ApprovalRpc>(door, ApprovalRpc::Needs{.clock = needs.on.clock,
                                                             .changes = needs.on.control.changes(),
                                                             .read = use.read_approvals,
                                                             .decide = use.decide_approval,
                                                             .revoke = use.revoke_approval}));
  services.push_back(
      std::make_unique<SessionRpc>(door, SessionRpc::Needs{.clock = needs.on.clock,
                                                           .changes = needs.on.control.changes(),
                                                           .read = use.read_sessions,
                                                           .end = use.end_session,
                                                           .revoke_principal = use.revoke_principal,
                                                           .review = use.review_session,
                                                           .replay = use.replay_recording,
                                                           .verify = use.verify_recording}));
  services.push_back(std::make_unique<CallRpc>(door, CallRpc::Needs{.settle = use.settle_call}));
  services.push_back(
      std::make_unique<NoticeRpc>(door, NoticeRpc::Needs{.notices = use.outgoing_notices}));
  services.push_back(std::make_unique<CallerRpc>(door));
  services.push_back(
      std::make_unique<IssuerRpc>(door, IssuerRpc::Needs{.issuers = needs.on.issuers,
                                                         .roles = needs.identify.roles(),
                                                         .explain = use.explain_token}));
  services.push_back(
      std::make_unique<AgentRpc>(door, AgentRpc::Needs{.read = use.read_agents,
                                                       .create_join_token = use.create_join_token,
                                                       .ban = use.ban_agent}));
  services.push_back(std::make_unique<ToolRpc>(door, use.manage_tools));
}

void AddEnrollment(Services& services, const RpcDoor& door, const Doors::Needs& needs) {
  services.push_back(std::make_unique<EnrollmentRpc>(
      door, EnrollmentRpc::Needs{.enroll = needs.use_cases.enroll_agent}));
}

void AddAgent(Services& services, const RpcDoor& door, const Doors::Needs& needs) {
  UseCases& use = needs.use_cases;
  services.push_back(std::make_unique<SnapshotRpc>(
      door, SnapshotRpc::Needs{.control = needs.on.control,
                               .clock = needs.on.clock,
                               .issuers = needs.on.issuers,
                               .grant_signer = needs.on.keys.grant_signer(),
                               .build = use.build_snapshot,
                               .updates = use.agent_updates,
                               .connected = use.connected_agents,
                               .confirmed_ends = use.confirmed_ends}));
  services.push_back(std::make_unique<CallApprovalRpc>(
      door, CallApprovalRpc::Needs{.approvals = use.call_approvals,
                                   .reserve = use.reserve_call,
                                   .settle = use.settle_call}));
  services.push_back(std::make_unique<AgentToolRpc>(door, use.pin_tools));
  services.push_back(std::make_unique<RecordingRpc>(door, use.ingest_records));
}

Services ServicesOf(const RpcDoor& door, const Doors::Needs& needs) {
  Services services;
  switch (door.kind()) {
    case DoorKind::kPeople:
      AddAccess(services, door, needs);
      AddAdmin(services, door, needs);
      break;
    case DoorKind::kAgents:
      AddAccess(services, door, needs);
      AddAgent(services, door, needs);
      AddEnrollment(services, door, needs);
      break;
    case DoorKind::kEnrollment:
      AddEnrollment(services, door, needs);
      break;
    case DoorKind::kAdminSocket:
      AddAdmin(services, door, needs);
      break;
  }
  return services;
}

}  // namespace

// One server with what it needs to live. Members die in reverse: the server, its services, the
// door.
struct Doors::Served {
  RpcDoor door;
  Services services;
  std::unique_ptr<RpcServer> server;
};

absl::StatusOr<std::unique_ptr<Doors::Served>> Doors::Serve(
    const Needs& needs, const RpcServer::Options& options,
    std::shared_ptr<grpc::ServerCredentials> credentials, uid_t local_uid) {
  std::unique_ptr<Served> served(
      new Served{.door = RpcDoor(options.door, needs.identify, needs.metrics, local_uid)});
  served->services = ServicesOf(served->door, needs);
  // Without TLS there is nothing that would ask a guard: the admin socket serves only what its
  // callers may call, and the door is passed again at the head of each method.
  if (options.door != DoorKind::kAdminSocket) {
    credentials->SetAuthMetadataProcessor(served->door.Guard());
  }
  std::vector<grpc::Service*> services;
  for (const auto& service : served->services) services.push_back(service.get());
  ASSIGN_OR_RETURN(served->server, RpcServer::Start(options, std::move(credentials), services));
  return served;
}

absl::StatusOr<std::unique_ptr<Doors>> Doors::Open(const Needs& needs, const Files& files,
                                                   TcpListener listener) {
  std::unique_ptr<Doors> doors(new Doors);
  ASSIGN_OR_RETURN(doors->people_, Serve(needs,
                                         {.door = DoorKind::kPeople,
                                          .max_message_bytes = kMaxPeopleMessageBytes,
                                          .max_threads = 512},
                                         ServerTls(files.people)));
  // An agent holds two streams for as long as it lives.
  ASSIGN_OR_RETURN(doors->agents_, Serve(needs,
                                         {.door = DoorKind::kAgents,
                                          .max_message_bytes = kMaxAgentMessageBytes,
                                          .max_threads = 4096,
                                          .max_connection_age = absl::Hours(1)},
                                         MutualTls(files.agents, files.ca_file)));
  ASSIGN_OR_RETURN(doors->enrollment_, Serve(needs,
                                             {.door = DoorKind::kEnrollment,
                                              .max_message_bytes = kMaxEnrollmentMessageBytes,
                                              .max_threads = 64,
                                              .max_connection_age = absl::Minutes(1)},
                                             ServerTls(files.agents)));
  std::map<uid_t, RpcServer*> by_uid;
  for (const uid_t uid : std::set<uid_t>{0, geteuid()}) {
    ASSIGN_OR_RETURN(
        auto served,
        Serve(needs, {.door = DoorKind::kAdminSocket, .max_message_bytes = kMaxPeopleMessageBytes},
              grpc::InsecureServerCredentials(), uid));
    by_uid[uid] = served->server.get();
    doors->local_.push_back(std::move(served));
  }

  ASSIGN_OR_RETURN(doors->admin_socket_,
                   AdminSocket::Open(
                       files.admin_socket,
                       [by_uid](int fd, uid_t uid) { by_uid.at(uid)->Take(fd); }, needs.metrics));
  ASSIGN_OR_RETURN(
      doors->front_door_,
      FrontDoor::Open(std::move(listener),
                      {.people = [&to = *doors->people_->server](int fd) { to.Take(fd); },
                       .agents = [&to = *doors->agents_->server](int fd) { to.Take(fd); },
                       .enrollment = [&to = *doors->enrollment_->server](int fd) { to.Take(fd); }},
                      {}, needs.metrics));
  return doors;
}

Doors::~Doors() { Drain(absl::ZeroDuration()); }

void Doors::Drain(absl::Duration grace) {
  front_door_.reset();
  admin_socket_.reset();
  std::vector<Served*> all = {enrollment_.get(), people_.get(), agents_.get()};
  for (const auto& served : local_) all.push_back(served.get());
  const absl::Time deadline = absl::Now() + grace;
  for (Served* served : all) {
    if (served != nullptr) served->server->Drain(deadline);
  }
}

}  // namespace sallyport::controlplane
