#pragma once

#include <string>

#include "common/clock.h"
#include "controlplane/access/agent_updates.h"
#include "controlplane/access/approval_notices.h"
#include "controlplane/access/ban_agent.h"
#include "controlplane/access/call_approvals.h"
#include "controlplane/access/current_policies.h"
#include "controlplane/access/decide_approval.h"
#include "controlplane/access/end_session.h"
#include "controlplane/access/enroll_agent.h"
#include "controlplane/access/manage_tools.h"
#include "controlplane/access/notices.h"
#include "controlplane/access/open_session.h"
#include "controlplane/access/pin_tools.h"
#include "controlplane/access/read_agents.h"
#include "controlplane/access/read_approvals.h"
#include "controlplane/access/read_sessions.h"
#include "controlplane/access/renew_session.h"
#include "controlplane/access/reserve_call.h"
#include "controlplane/access/review_session.h"
#include "controlplane/access/revoke_approval.h"
#include "controlplane/access/revoke_principal.h"
#include "controlplane/access/session_grants.h"
#include "controlplane/access/settle_call.h"
#include "controlplane/access/withdrawn_keys.h"
#include "controlplane/identity/issuers.h"
#include "controlplane/keys/deployment_keys.h"
#include "controlplane/policies/apply_policy.h"
#include "controlplane/policies/build_snapshot.h"
#include "controlplane/policies/delete_document.h"
#include "controlplane/policies/explain_policy.h"
#include "controlplane/policies/explain_token.h"
#include "controlplane/policies/read_documents.h"
#include "controlplane/policies/rollback_document.h"
#include "controlplane/policies/simulate_policy.h"
#include "controlplane/policies/suggest_policy.h"
#include "controlplane/recordings/ingest_records.h"
#include "controlplane/recordings/read_calls.h"
#include "controlplane/recordings/replay_recording.h"
#include "controlplane/recordings/verify_recording.h"
#include "controlplane/rpc/connected_agents.h"
#include "controlplane/store/database.h"
#include "controlplane/store/records.h"
#include "sallyport/config/v1/controlplane_config.pb.h"

namespace sallyport::controlplane {

// What the use cases stand on.
struct Foundations {
  Database& control;
  Database& recordings;
  const Clock& clock;
  Issuers& issuers;
  CurrentPolicies& policies;
  const DeploymentKeys& keys;
  std::string deployment_id;
};

// Everything that a method of the API can ask for, each thing once: the services of all doors share
// them. Thread-safe, as each of them is.
struct UseCases {
  // The foundations outlive it. `public_address` is what join strings name.
  UseCases(const Foundations& on, const config::v1::ControlPlaneConfig& config,
           const std::string& public_address);
  UseCases(const UseCases&) = delete;
  UseCases& operator=(const UseCases&) = delete;

  ConnectedAgents connected_agents;
  ConfirmedEnds confirmed_ends;

  SessionGrants grants;
  ApprovalNotices notices;
  OpenSession open_session;
  RenewSession renew_session;
  EndSession end_session;
  RevokePrincipal revoke_principal;
  ReviewSession review_session;
  WithdrawnKeys withdrawn_keys;
  ReadSessions read_sessions;
  DecideApproval decide_approval;
  RevokeApproval revoke_approval;
  ReadApprovals read_approvals;
  CallApprovals call_approvals;
  ReserveCall reserve_call;
  SettleCall settle_call;
  Notices outgoing_notices;
  EnrollAgent enroll_agent;
  CreateJoinToken create_join_token;
  ReadAgents read_agents;
  BanAgent ban_agent;
  PinTools pin_tools;
  ManageTools manage_tools;
  AgentUpdates agent_updates;

  ApplyPolicy apply_policy;
  DeleteDocument delete_document;
  RollbackDocument rollback_document;
  ReadDocuments read_documents;
  BuildSnapshot build_snapshot;
  ExplainPolicy explain_policy;
  ExplainToken explain_token;

  records::Appender appender;
  IngestRecords ingest_records;
  ReplayRecording replay_recording;
  VerifyRecording verify_recording;
  ReadCalls read_calls;
  SimulatePolicy simulate_policy;
  SuggestPolicy suggest_policy;
};

}  // namespace sallyport::controlplane
