#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/policy/decision.h"
#include "controlplane/access/approval_notices.h"
#include "controlplane/access/current_policies.h"
#include "controlplane/access/opening.h"
#include "controlplane/access/session_grants.h"
#include "controlplane/model/caller.h"
#include "controlplane/model/session.h"
#include "controlplane/store/database.h"
#include "sallyport/access/v1/access_service.pb.h"

namespace sallyport::controlplane {

// Opens a just-in-time session, or attaches to the one there is.
class OpenSession {
 public:
  // All of them outlive it.
  struct Needs {
    Database& control;
    Database& recordings;
    const Clock& clock;
    Issuers& issuers;
    CurrentPolicies& policies;
    const SessionGrants& grants;
    const ApprovalNotices& notices;
  };
  explicit OpenSession(Needs needs) : needs_(needs) {}

  // For an agent on behalf of the token's owner, or for a person or service on the people's door. A
  // refusal that concerns the caller is in the response; a status says that the request is no good
  // (kInvalidArgument), that the agent does not front the server
  // (SERVER_UNKNOWN), or that we cannot (kUnavailable, kResourceExhausted, ...).
  absl::StatusOr<access::v1::OpenSessionResponse> Run(
      const Caller& caller, const access::v1::OpenSessionRequest& request);

 private:
  using Response = access::v1::OpenSessionResponse;

  // By the agent that asks; on the people's door, by any.
  absl::StatusOr<bool> IsFronted(Transaction& t, const Opening& opening);
  // Whether the agent that a caller names fronts the server.
  absl::Status CheckAgent(Transaction& t, const Opening& opening);
  absl::StatusOr<Response> RefuseByPolicy(WriteTransaction& t, const Opening& opening,
                                          const OpenDecision& decision);
  // The session this request has made before, or one that it may attach to.
  absl::StatusOr<std::optional<Session>> FindExisting(Transaction& t, const Opening& opening,
                                                      const OpenDecision& decision,
                                                      const InForce& in_force);
  absl::StatusOr<Response> Attach(WriteTransaction& t, const Opening& opening, Session session);
  // What its own caller asks of a session that waits for its approval. Less time it gets at once.
  // Of more of it and of another reason its approvers are told anew, by another approval, unless
  // one of them has said yes to what they have been told: then it stays as it is.
  absl::StatusOr<Response> TakeWishes(WriteTransaction& t, const Opening& opening,
                                      const OpenDecision& decision, Session session);
  // To one that waits for its approval. Where the policies in force ask others by now, so does it;
  // where they ask nobody, it is active. What they can no longer make of it is denied, and the
  // caller gets what Start gives.
  absl::StatusOr<Response> AttachToPending(WriteTransaction& t, const Opening& opening,
                                           const OpenDecision& decision, const InForce& in_force,
                                           Session session);
  absl::StatusOr<Response> AskAnew(WriteTransaction& t, const Opening& opening,
                                   const OpenDecision& decision, Session session);
  absl::StatusOr<Response> Start(WriteTransaction& t, const Opening& opening,
                                 const OpenDecision& decision,
                                 const meta::SnapshotVersion& version);
  absl::StatusOr<Response> StartActive(WriteTransaction& t, const Opening& opening,
                                       Session::Request request);
  // `session` is new or waits for its approval, and `decision` says who would be asked.
  absl::StatusOr<Response> BreakGlass(WriteTransaction& t, const Opening& opening,
                                      const OpenDecision& decision, Session session);
  absl::StatusOr<Response> StartPending(WriteTransaction& t, const Opening& opening,
                                        Session::Request request);
  // Commits.
  absl::StatusOr<Response> Answer(WriteTransaction& t, const Opening& opening,
                                  const Session& session);

  Needs needs_;
};

}  // namespace sallyport::controlplane
