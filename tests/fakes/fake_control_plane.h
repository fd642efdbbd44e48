#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/grant/claims.h"
#include "common/grpc_status.h"
#include "common/ids.h"
#include "common/jose/key_set.h"
#include "common/json_printer.h"
#include "common/policy/documents.h"
#include "common/refused_recording.h"
#include "common/tls.h"
#include "sallyport/access/v1/access_service.grpc.pb.h"
#include "sallyport/agent/v1/call_approval_service.grpc.pb.h"
#include "sallyport/agent/v1/enrollment_service.grpc.pb.h"
#include "sallyport/agent/v1/recording_service.grpc.pb.h"
#include "sallyport/agent/v1/snapshot_service.grpc.pb.h"
#include "sallyport/agent/v1/tool_service.grpc.pb.h"
#include "tests/fakes/runs.h"
#include "tests/fakes/snapshot_signer.h"
#include "tests/fakes/test_ca.h"
#include "tests/fakes/test_key.h"

namespace sallyport {

// A control plane as an agent sees it, in this process: both doors on one port with real TLS, real
// signatures, and answers that a test decides. Thread-safe.
class FakeControlPlane {
 public:
  static constexpr char kIssuer[] = "https://issuer.example";
  static constexpr char kAudience[] = "api://sallyport";

  FakeControlPlane() : signer_(ca_), issuer_key_("ES256", "k1"), grant_key_("ES256", "g1") {
    snapshot_.set_epoch(1);
    snapshot_.set_version(0);
    snapshot_.set_agent("agent-t");
    snapshot_.set_deployment_id("d1");
    auto* issuer = snapshot_.add_issuers();
    issuer->mutable_issuer()->set_id("okta");
    issuer->mutable_issuer()->set_issuer(kIssuer);
    issuer->mutable_issuer()->add_audiences(kAudience);
    issuer->mutable_issuer()->add_algs("ES256");
    auto* claims = issuer->mutable_issuer()->mutable_claims();
    claims->add_client_id()->add_members("client_id");
    claims->add_scopes()->add_members("scope");
    issuer->set_jwks(JwksOf({issuer_key_.Jwk()}));
    issuer->mutable_fetched_at()->set_seconds(absl::ToUnixSeconds(absl::Now()));
    snapshot_.set_grant_keys(JwksOf({grant_key_.Jwk()}));
    Start();
  }
  ~FakeControlPlane() { Stop(); }

  // ---- what the agent is told

  // Policies, mask profiles and locks, in place of those there were; and the servers it fronts.
  // The version of the snapshot that says so.
  std::uint64_t Apply(const std::string& yaml, const std::vector<std::string>& servers) {
    auto documents = ParseDocuments(yaml, "test.yaml");
    if (!documents.ok()) {
      std::fprintf(stderr, "%s\n", std::string(documents.status().message()).c_str());
      std::abort();
    }
    std::lock_guard lock(mutex_);
    snapshot_.clear_policies();
    snapshot_.clear_mask_profiles();
    snapshot_.clear_locks();
    snapshot_.clear_server_documents();
    snapshot_.clear_servers();
    for (const std::string& server : servers) {
      snapshot_.add_servers(server);
      agent::v1::EffectKey& key = *snapshot_.add_effect_keys();
      key.set_server(server);
      key.set_key(std::string(32, 'k'));
    }
    for (const types::v1::Document& document : *documents) {
      auto* list = document.has_policy()   ? snapshot_.mutable_policies()
                   : document.has_lock()   ? snapshot_.mutable_locks()
                   : document.has_server() ? snapshot_.mutable_server_documents()
                                           : snapshot_.mutable_mask_profiles();
      *list->Add() = document;
    }
    PushSnapshotLocked();
    return snapshot_.version();
  }
  // Changes anything of the snapshot. Its version then.
  std::uint64_t Edit(const std::function<void(agent::v1::Snapshot&)>& edit) {
    std::lock_guard lock(mutex_);
    edit(snapshot_);
    PushSnapshotLocked();
    return snapshot_.version();
  }
  void Push(agent::v1::AgentUpdate update) {
    std::lock_guard lock(mutex_);
    updates_.push_back(std::move(update));
    changed_.notify_all();
  }
  void PushSession(const types::v1::Session& session, bool with_grant) {
    agent::v1::AgentUpdate update;
    *update.mutable_session()->mutable_session() = session;
    if (with_grant) *update.mutable_session()->mutable_grant() = GrantFor(session);
    Push(std::move(update));
  }
  void PushApproval(const types::v1::Approval& approval) {
    agent::v1::AgentUpdate update;
    *update.mutable_approval() = approval;
    Push(std::move(update));
  }
  // Decided while the agent does not hear: its stream begins anew without a word of it.
  void ResyncWithout(const types::v1::Approval& approval) {
    {
      std::lock_guard lock(mutex_);
      untold_[approval.id()] = approval;
    }
    agent::v1::AgentUpdate update;
    update.mutable_resynced();
    Push(std::move(update));
  }
  // The stream that there is ends; the agent asks for another.
  void BreakStream() {
    std::lock_guard lock(mutex_);
    ++broken_streams_;
    changed_.notify_all();
  }
  // Before the agent starts: it hears nothing.
  bool withholds_snapshot = false;

  // ---- callers and sessions

  std::string Token(const std::string& client, absl::Duration lifetime = absl::Minutes(10),
                    const nlohmann::json& more = nlohmann::json::object()) const {
    const std::int64_t now = absl::ToUnixSeconds(absl::Now());
    const std::int64_t exp = now + absl::ToInt64Seconds(lifetime);
    nlohmann::json claims = {
        {"iss", kIssuer},      {"aud", kAudience},      {"sub", client},
        {"client_id", client}, {"jti", NewRequestId()}, {"iat", std::min(now, exp) - 60},
        {"exp", exp},          {"scope", "mcp.use"}};
    claims.update(more);
    return issuer_key_.Token(claims, {{"typ", "at+jwt"}});
  }
  const TestKey& issuer_key() const { return issuer_key_; }

  // An active session for whom a request's token names, which somebody of okta:approvers approved.
  types::v1::Session ActiveSession(const std::string& server, const std::string& client) const {
    types::v1::Session session;
    session.set_id(NewSessionId());
    session.set_server(server);
    session.set_agent("agent-t");
    session.set_state(types::v1::SESSION_STATE_ACTIVE);
    auto* principal = session.mutable_principal();
    principal->set_realm("okta");
    principal->set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
    principal->set_subject(client);
    principal->set_client_id(client);
    principal->add_scopes("mcp.use");
    const absl::Time now = absl::Now();
    session.mutable_opened_at()->set_seconds(absl::ToUnixSeconds(now));
    session.mutable_expires_at()->set_seconds(absl::ToUnixSeconds(now + absl::Minutes(10)));
    auto* terms = session.mutable_terms();
    terms->mutable_max_duration()->set_seconds(600);
    terms->mutable_idle_timeout()->set_seconds(600);
    terms->mutable_disconnect_grace()->set_seconds(30);
    terms->set_bind(types::v1::BIND_MODE_PRINCIPAL);
    terms->mutable_approval()->add_approvers("okta:approvers");
    terms->mutable_approval()->set_count(1);
    session.set_approval_id("apr_session");
    session.add_approved_by("okta:alice");
    return session;
  }
  types::v1::Grant GrantFor(const types::v1::Session& session) const {
    GrantClaims claims;
    claims.deployment_id = "d1";
    claims.session_id = session.id();
    claims.agent = session.agent();
    claims.server = session.server();
    claims.principal = session.principal();
    claims.issuer_id = "okta";
    claims.terms = session.terms();
    claims.client_address = session.client_address();
    claims.call_budget = session.terms().max_calls();
    claims.opened_at = absl::FromUnixSeconds(session.opened_at().seconds());
    claims.expires_at = absl::FromUnixSeconds(session.expires_at().seconds());
    claims.issued_at = absl::Now();
    claims.policy_epoch = 1;
    claims.policy_version = 1;
    nlohmann::json json = GrantClaimsToJson(claims);
    json["jti"] = NewRequestId();
    types::v1::Grant grant;
    grant.set_token(grant_key_.Token(json, {{"typ", kGrantType}}));
    grant.mutable_remaining()->set_seconds(absl::ToInt64Seconds(claims.expires_at - absl::Now()));
    return grant;
  }

  // How a session is opened. Unset: active for 10 minutes, one for each (server, subject).
  using Opener =
      std::function<access::v1::OpenSessionResponse(const access::v1::OpenSessionRequest&)>;
  void set_opener(Opener opener) {
    std::lock_guard lock(mutex_);
    opener_ = std::move(opener);
  }
  static access::v1::OpenSessionResponse Denial(types::v1::DenialReason reason,
                                                const std::string& message) {
    access::v1::OpenSessionResponse response;
    response.set_denial_reason(reason);
    response.set_message(message);
    return response;
  }
  access::v1::OpenSessionResponse Active(const types::v1::Session& session) const {
    access::v1::OpenSessionResponse response;
    *response.mutable_session() = session;
    *response.mutable_grant() = GrantFor(session);
    return response;
  }
  // The caller that a token names; nothing of it is checked.
  static std::string ClientOf(const std::string& token) {
    const std::size_t first = token.find('.');
    const auto payload = jose::Base64UrlDecode(
        std::string_view(token).substr(first + 1, token.rfind('.') - first - 1));
    return nlohmann::json::parse(*payload)["client_id"];
  }

  // How a call approval is asked for, and a call let through. Unset: a new one is pending; the call
  // may go out.
  using Asker = std::function<agent::v1::RequestCallApprovalResponse(
      const agent::v1::RequestCallApprovalRequest&)>;
  using Reserver =
      std::function<agent::v1::ReserveCallResponse(const agent::v1::ReserveCallRequest&)>;
  void set_asker(Asker asker) {
    std::lock_guard lock(mutex_);
    asker_ = std::move(asker);
  }
  void set_reserver(Reserver reserver) {
    std::lock_guard lock(mutex_);
    reserver_ = std::move(reserver);
  }
  static agent::v1::ReserveCallResponse Reserved(types::v1::DenialReason reason) {
    agent::v1::ReserveCallResponse response;
    response.set_denial_reason(reason);
    return response;
  }
  static types::v1::Approval PendingApproval(const agent::v1::RequestCallApprovalRequest& request) {
    types::v1::Approval approval;
    approval.set_id(NewApprovalId());
    approval.set_session_id(request.session_id());
    approval.set_method(request.method());
    approval.set_tool(request.target());
    approval.set_arguments_digest(request.arguments_digest());
    approval.add_approvers("okta:approvers");
    approval.set_state(types::v1::APPROVAL_STATE_PENDING);
    approval.mutable_expires_at()->set_seconds(absl::ToUnixSeconds(absl::Now() + absl::Minutes(5)));
    return approval;
  }

  // ---- what the agent has said

  template <class Probe>
  auto WaitFor(Probe probe) {
    std::unique_lock lock(mutex_);
    decltype(probe()) found{};
    changed_.wait_for(lock, std::chrono::seconds(20),
                      [&] { return static_cast<bool>(found = probe()); });
    return found;
  }
  // The first approval that was asked for and `matches`; waits for it.
  std::optional<types::v1::Approval> AwaitApproval() {
    return WaitFor([&]() -> std::optional<types::v1::Approval> {
      if (approvals_.empty()) return std::nullopt;
      types::v1::Approval first = approvals_.front();
      approvals_.erase(approvals_.begin());
      return first;
    });
  }
  // Until the agent has asked what became of an approval.
  bool AwaitAskedAfter(const std::string& approval_id) {
    return WaitFor([&] {
      return std::find(asked_after_.begin(), asked_after_.end(), approval_id) != asked_after_.end();
    });
  }
  // What the END record of a session says.
  struct SessionEnd {
    std::string session_id;
    types::v1::EndReason end_reason = types::v1::END_REASON_UNSPECIFIED;
    std::uint64_t calls = 0;
    std::string detail;
  };
  std::optional<SessionEnd> AwaitEnd() {
    return WaitFor([&]() -> std::optional<SessionEnd> {
      if (ends_.empty()) return std::nullopt;
      return ends_.front();
    });
  }
  // Whether a record of that type with that reason comes in; any chain.
  bool AwaitRecord(types::v1::RecordType type, types::v1::DenialReason reason,
                   const std::string& outcome = "") {
    return WaitFor([&] {
      return std::any_of(records_.begin(), records_.end(), [&](const types::v1::Record& record) {
        types::v1::RecordContent content;
        content.ParseFromString(record.payload());
        return record.type() == type && content.denial_reason() == reason &&
               (outcome.empty() || content.outcome() == outcome);
      });
    });
  }
  // Whether that many records of that type come in; all chains.
  bool AwaitRecords(types::v1::RecordType type, std::ptrdiff_t count) {
    return WaitFor(
        [&] { return std::ranges::count(records_, type, &types::v1::Record::type) >= count; });
  }
  // Whether the record of an answer to that method comes in.
  bool AwaitResult(const std::string& method) {
    return WaitFor([&] {
      return std::any_of(records_.begin(), records_.end(), [&](const types::v1::Record& record) {
        types::v1::RecordContent content;
        content.ParseFromString(record.payload());
        return record.type() == types::v1::RECORD_TYPE_RESULT && content.method() == method;
      });
    });
  }
  // What the first record of that type says whose content `matches`; any chain. Waits for it.
  std::optional<types::v1::RecordContent> AwaitContent(
      types::v1::RecordType type,
      const std::function<bool(const types::v1::RecordContent&)>& matches) {
    return WaitFor([&]() -> std::optional<types::v1::RecordContent> {
      for (const types::v1::Record& record : records_) {
        types::v1::RecordContent content;
        content.ParseFromString(record.payload());
        if (record.type() == type && matches(content)) return content;
      }
      return std::nullopt;
    });
  }
  // What became of a call, by its own id; waits for it.
  std::optional<agent::v1::SettleCallRequest> AwaitSettlement(const std::string& call_id) {
    return WaitFor([&] { return SettlementOf(call_id); });
  }
  // As far as it is known.
  std::optional<agent::v1::SettleCallRequest> Settlement(const std::string& call_id) {
    std::lock_guard lock(mutex_);
    return SettlementOf(call_id);
  }
  // All that have come, of all chains.
  std::vector<types::v1::Record> records() {
    std::lock_guard lock(mutex_);
    return records_;
  }
  // The newest report of that tool that `matches`; waits for it.
  std::optional<agent::v1::SeenTool> AwaitReport(
      const std::string& tool,
      const std::function<bool(const agent::v1::SeenTool&)>& matches = nullptr) {
    return WaitFor([&]() -> std::optional<agent::v1::SeenTool> {
      for (auto seen = reported_.rbegin(); seen != reported_.rend(); ++seen) {
        if (seen->name() == tool && (!matches || matches(*seen))) return *seen;
      }
      return std::nullopt;
    });
  }
  // Whether the agent has confirmed the session's end on its own; waits for it.
  bool AwaitConfirmed(const std::string& session_id) {
    return WaitFor([&] { return confirmed_.contains(session_id); });
  }
  // What the agent told last of tools that its server lists no more; waits until it is that.
  bool AwaitUnlisted(const std::vector<std::string>& names) {
    return WaitFor([&] { return unlisted_ == names; });
  }
  // How often it has told of them.
  int lists() {
    std::lock_guard lock(mutex_);
    return lists_;
  }
  // It is never pinned, as if the server had too many.
  void set_not_pinned(const std::string& tool) {
    std::lock_guard lock(mutex_);
    not_pinned_.insert(tool);
  }
  // Whether it hears what agents report of tools.
  void set_hears_reports(bool hears) {
    std::lock_guard lock(mutex_);
    hears_reports_ = hears;
  }
  bool has_report(const std::string& tool) {
    std::lock_guard lock(mutex_);
    return std::any_of(reported_.begin(), reported_.end(),
                       [&](const agent::v1::SeenTool& seen) { return seen.name() == tool; });
  }
  std::vector<std::string> withdrawn() {
    std::lock_guard lock(mutex_);
    return withdrawn_;
  }
  bool AwaitWithdrawal(const std::string& id) {
    return WaitFor(
        [&] { return std::find(withdrawn_.begin(), withdrawn_.end(), id) != withdrawn_.end(); });
  }
  int opens() {
    std::lock_guard lock(mutex_);
    return opens_;
  }
  bool acks_records = true;
  // From now on, for good.
  void RefuseRecording(const std::string& session_id) {
    std::lock_guard lock(mutex_);
    refused_recordings_.insert(session_id);
  }

  // ---- the doors

  std::string JoinString() const {
    return "sallyport-join:1:127.0.0.1:" + std::to_string(port_) + ":" + ca_.pin() + ":secret";
  }
  void Stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_.reset();
  }
  void Start() {
    stopping_ = false;
    const PrivateKey key = GenerateKey();
    grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
    tls.pem_root_certs = ca_.pem();
    tls.pem_key_cert_pairs.push_back(
        {KeyToPem(*key),
         ca_.Issue(*key, {.dns = "agents.sallyport,DNS:enroll.sallyport"}) + ca_.pem()});
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port_), grpc::SslServerCredentials(tls),
                             &port_);
    builder.SetMaxReceiveMessageSize(64 << 20);
    for (grpc::Service* service : std::initializer_list<grpc::Service*>{
             &enrollment_, &snapshots_, &access_, &approval_service_, &tools_, &recordings_}) {
      builder.RegisterService(service);
    }
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) std::abort();
  }

 private:
  std::optional<agent::v1::SettleCallRequest> SettlementOf(const std::string& call_id) const {
    for (const auto& settled : settled_) {
      if (settled.call_id() == call_id) return settled;
    }
    return std::nullopt;
  }

  using Context = grpc::ServerContext;

  void PushSnapshotLocked() {
    snapshot_.set_version(snapshot_.version() + 1);
    agent::v1::AgentUpdate update;
    *update.mutable_snapshot() = signer_.Sign(snapshot_);
    updates_.push_back(std::move(update));
    changed_.notify_all();
  }

  struct Enrollment final : agent::v1::EnrollmentService::Service {
    explicit Enrollment(FakeControlPlane& owner) : self(owner) {}
    grpc::Status Enroll(Context*, const agent::v1::EnrollRequest* request,
                        agent::v1::EnrollResponse* response) override {
      response->set_name("agent-t");
      std::lock_guard lock(self.mutex_);
      for (const std::string& server : self.snapshot_.servers()) response->add_servers(server);
      self.Certify(request->certificate_request(), *response->mutable_certificate());
      return grpc::Status::OK;
    }
    grpc::Status RenewCertificate(Context*, const agent::v1::RenewCertificateRequest* request,
                                  agent::v1::RenewCertificateResponse* response) override {
      self.Certify(request->certificate_request(), *response->mutable_certificate());
      return grpc::Status::OK;
    }
    FakeControlPlane& self;
  };
  void Certify(const std::string& request, agent::v1::AgentCertificate& certificate) const {
    certificate.set_chain(
        ca_.IssueForRequest(request, {.uri = "spiffe://sallyport/agent/agent-t"}));
    certificate.set_ca(ca_.pem());
    certificate.mutable_not_after()->set_seconds(
        absl::ToUnixSeconds(absl::Now() + absl::Hours(23)));
  }

  struct Snapshots final : agent::v1::SnapshotService::Service {
    explicit Snapshots(FakeControlPlane& owner) : self(owner) {}
    grpc::Status WatchSnapshot(Context* context, const agent::v1::WatchSnapshotRequest*,
                               grpc::ServerWriter<agent::v1::AgentUpdate>* writer) override {
      std::unique_lock lock(self.mutex_);
      if (!self.withholds_snapshot) {
        agent::v1::AgentUpdate first;
        *first.mutable_snapshot() = self.signer_.Sign(self.snapshot_);
        writer->Write(first);
        for (const auto& [key, session] : self.sessions_) {
          agent::v1::AgentUpdate update;
          *update.mutable_session()->mutable_session() = session;
          *update.mutable_session()->mutable_grant() = self.GrantFor(session);
          writer->Write(update);
        }
        agent::v1::AgentUpdate resynced;
        resynced.mutable_resynced();
        writer->Write(resynced);
      }
      self.updates_.clear();
      const int broken = self.broken_streams_;
      while (!self.stopping_ && !context->IsCancelled() && broken == self.broken_streams_) {
        self.changed_.wait_for(lock, std::chrono::milliseconds(200));
        while (!self.updates_.empty() && !self.withholds_snapshot) {
          writer->Write(self.updates_.front());
          self.updates_.erase(self.updates_.begin());
        }
      }
      return grpc::Status::OK;
    }
    grpc::Status Beat(Context*, const agent::v1::BeatRequest* request,
                      agent::v1::BeatResponse*) override {
      agent::v1::AgentUpdate update;
      update.mutable_heartbeat()->set_beat(request->beat());
      self.Push(std::move(update));
      std::lock_guard lock(self.mutex_);
      self.confirmed_.insert(request->ended_sessions().begin(), request->ended_sessions().end());
      self.changed_.notify_all();
      return grpc::Status::OK;
    }
    grpc::Status RefreshKeys(Context*, const agent::v1::RefreshKeysRequest*,
                             agent::v1::RefreshKeysResponse*) override {
      return grpc::Status::OK;
    }
    FakeControlPlane& self;
  };

  struct Access final : access::v1::AccessService::Service {
    explicit Access(FakeControlPlane& owner) : self(owner) {}
    grpc::Status OpenSession(Context*, const access::v1::OpenSessionRequest* request,
                             access::v1::OpenSessionResponse* response) override {
      Opener opener;
      {
        std::lock_guard lock(self.mutex_);
        ++self.opens_;
        opener = self.opener_;
      }
      if (opener) {
        *response = opener(*request);
        return grpc::Status::OK;
      }
      const std::string client = ClientOf(request->token());
      std::lock_guard lock(self.mutex_);
      auto& session = self.sessions_[request->server() + "/" + client];
      if (session.id().empty()) session = self.ActiveSession(request->server(), client);
      *response = self.Active(session);
      return grpc::Status::OK;
    }
    grpc::Status RenewSession(Context*, const access::v1::RenewSessionRequest*,
                              access::v1::RenewSessionResponse*) override {
      return grpc::Status::OK;
    }
    FakeControlPlane& self;
  };

  struct Approvals final : agent::v1::CallApprovalService::Service {
    explicit Approvals(FakeControlPlane& owner) : self(owner) {}
    grpc::Status RequestCallApproval(Context*, const agent::v1::RequestCallApprovalRequest* request,
                                     agent::v1::RequestCallApprovalResponse* response) override {
      std::lock_guard lock(self.mutex_);
      if (self.asker_) {
        *response = self.asker_(*request);
      } else {
        *response->mutable_approval() = PendingApproval(*request);
      }
      if (response->has_approval()) self.approvals_.push_back(response->approval());
      self.changed_.notify_all();
      return grpc::Status::OK;
    }
    grpc::Status ReserveCall(Context*, const agent::v1::ReserveCallRequest* request,
                             agent::v1::ReserveCallResponse* response) override {
      std::lock_guard lock(self.mutex_);
      if (self.reserver_) *response = self.reserver_(*request);
      return grpc::Status::OK;
    }
    grpc::Status SettleCall(Context*, const agent::v1::SettleCallRequest* request,
                            agent::v1::SettleCallResponse*) override {
      std::lock_guard lock(self.mutex_);
      self.settled_.push_back(*request);
      self.changed_.notify_all();
      return grpc::Status::OK;
    }
    grpc::Status WithdrawCallApproval(Context*,
                                      const agent::v1::WithdrawCallApprovalRequest* request,
                                      agent::v1::WithdrawCallApprovalResponse*) override {
      std::lock_guard lock(self.mutex_);
      self.withdrawn_.push_back(request->approval_id());
      self.changed_.notify_all();
      return grpc::Status::OK;
    }
    grpc::Status GetCallApproval(Context*, const agent::v1::GetCallApprovalRequest* request,
                                 agent::v1::GetCallApprovalResponse* response) override {
      std::lock_guard lock(self.mutex_);
      self.asked_after_.push_back(request->approval_id());
      self.changed_.notify_all();
      const auto found = self.untold_.find(request->approval_id());
      if (found == self.untold_.end() || found->second.session_id() != request->session_id()) {
        return {grpc::StatusCode::NOT_FOUND, "no such approval"};
      }
      *response->mutable_approval() = found->second;
      return grpc::Status::OK;
    }
    FakeControlPlane& self;
  };

  // Pins what is seen first, but for what it does not take, and says of the rest that it has
  // changed.
  struct Tools final : agent::v1::ToolService::Service {
    explicit Tools(FakeControlPlane& owner) : self(owner) {}
    grpc::Status ReportTools(Context*, const agent::v1::ReportToolsRequest* request,
                             agent::v1::ReportToolsResponse* response) override {
      std::lock_guard lock(self.mutex_);
      if (!self.hears_reports_) return {grpc::StatusCode::INTERNAL, "not heard"};
      if (request->has_list()) {
        const auto& unlisted = request->list().unlisted();
        self.unlisted_ = std::vector<std::string>(unlisted.begin(), unlisted.end());
        ++self.lists_;
      }
      for (const agent::v1::SeenTool& seen : request->tools()) {
        self.reported_.push_back(seen);
        if (self.not_pinned_.contains(seen.name())) continue;
        types::v1::ToolPin* pin = nullptr;
        for (types::v1::ToolPin& known : *self.snapshot_.mutable_tool_pins()) {
          if (known.server() == request->server() && known.name() == seen.name()) pin = &known;
        }
        if (pin == nullptr) {
          pin = self.snapshot_.add_tool_pins();
          pin->set_server(request->server());
          pin->set_name(seen.name());
          pin->set_definition_hash(seen.definition_hash());
        }
        pin->set_is_changed(pin->definition_hash() != seen.definition_hash());
        *response->add_pins() = *pin;
      }
      self.PushSnapshotLocked();
      self.changed_.notify_all();
      return grpc::Status::OK;
    }
    FakeControlPlane& self;
  };

  struct Recordings final : agent::v1::RecordingService::Service {
    explicit Recordings(FakeControlPlane& owner) : self(owner) {}
    grpc::Status StreamRecords(
        Context*,
        grpc::ServerReaderWriter<agent::v1::StreamRecordsResponse, agent::v1::StreamRecordsRequest>*
            stream) override {
      agent::v1::StreamRecordsRequest block;
      while (stream->Read(&block)) {
        std::lock_guard lock(self.mutex_);
        for (const std::string& run : block.runs()) {
          const std::string session_id = RecordsOf(run)[0].session_id();
          if (self.refused_recordings_.contains(session_id)) {
            return ToGrpcStatus(
                sallyport::RefuseRecording(absl::DataLossError("it is another one"), session_id));
          }
        }
        for (const std::string& run : block.runs()) {
          for (const types::v1::Record& record : RecordsOf(run)) {
            self.records_.push_back(record);
            if (record.type() == types::v1::RECORD_TYPE_END) self.TakeEnd(record);
          }
        }
        self.changed_.notify_all();
        if (!self.acks_records) continue;
        agent::v1::StreamRecordsResponse ack;
        ack.set_block(block.block());
        stream->Write(ack);
      }
      return grpc::Status::OK;
    }
    FakeControlPlane& self;
  };

  // Under the lock.
  void TakeEnd(const types::v1::Record& record) {
    types::v1::RecordContent content;
    content.ParseFromString(record.payload());
    SessionEnd end{
        .session_id = record.session_id(), .calls = content.calls(), .detail = content.detail()};
    for (int i = 1; types::v1::EndReason_IsValid(i); ++i) {
      const auto reason = static_cast<types::v1::EndReason>(i);
      if (EnumWord(reason) == content.end_reason()) end.end_reason = reason;
    }
    ends_.push_back(std::move(end));
    std::erase_if(sessions_,
                  [&](const auto& entry) { return entry.second.id() == record.session_id(); });
  }

  TestCa ca_;
  FakeSnapshotSigner signer_;
  TestKey issuer_key_;
  TestKey grant_key_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int broken_streams_ = 0;
  bool stopping_ = false;
  agent::v1::Snapshot snapshot_;
  std::vector<agent::v1::AgentUpdate> updates_;
  std::map<std::string, types::v1::Session> sessions_;
  std::vector<types::v1::Approval> approvals_;
  std::vector<SessionEnd> ends_;
  std::vector<types::v1::Record> records_;
  std::set<std::string> refused_recordings_;
  std::vector<std::string> withdrawn_;
  std::map<std::string, types::v1::Approval> untold_;
  std::vector<std::string> asked_after_;
  std::vector<agent::v1::SeenTool> reported_;
  std::set<std::string> confirmed_;
  // nullopt: nothing was told.
  std::optional<std::vector<std::string>> unlisted_;
  int lists_ = 0;
  std::set<std::string> not_pinned_;
  bool hears_reports_ = true;
  int opens_ = 0;
  Opener opener_;
  Asker asker_;
  Reserver reserver_;
  std::vector<agent::v1::SettleCallRequest> settled_;
  Enrollment enrollment_{*this};
  Snapshots snapshots_{*this};
  Access access_{*this};
  Approvals approval_service_{*this};
  Tools tools_{*this};
  Recordings recordings_{*this};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace sallyport
