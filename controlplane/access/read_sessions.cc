#include "controlplane/access/read_sessions.h"

#include <utility>
#include <vector>

#include "common/denial.h"
#include "common/policy/approvers.h"
#include "common/status_macros.h"
#include "controlplane/access/page.h"
#include "controlplane/model/named_principal.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/store/calls.h"
#include "controlplane/store/known_names.h"
#include "controlplane/store/records.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

bool MayReadAll(const Caller& caller) {
  const PersonCaller* person = caller.person();
  return caller.is_admin() || (person != nullptr && person->may_manage && person->is_auditor);
}

// Or is one of those whom a broken glass has passed by, who reviews it.
bool MayRead(const Caller& caller, const Session& session) {
  if (MayReadAll(caller)) return true;
  const PersonCaller* person = caller.person();
  const auto& skipped = session.proto().break_glass().skipped_approvers();
  return person != nullptr && person->may_manage &&
         IsAmong(person->principal, std::vector<std::string>(skipped.begin(), skipped.end()));
}

absl::Status RoleMissing() {
  return Denied(types::v1::DENIAL_REASON_ROLE_MISSING,
                "sessions are for admins and auditors; those whom a broken glass has passed by see "
                "what waits for their review: sallyport sessions list --unreviewed");
}

absl::Status NotFound(std::string_view id) {
  return absl::NotFoundError("there is no session " + std::string(id));
}

}  // namespace

absl::StatusOr<admin::v1::ListSessionsResponse> ReadSessions::Run(
    const Caller& caller, const admin::v1::ListSessionsRequest& request) {
  const PersonCaller* person = caller.person();
  const bool may_review = request.unreviewed() && person != nullptr && person->may_manage;
  if (!MayReadAll(caller) && !may_review) return RoleMissing();
  ASSIGN_OR_RETURN(const int limit, PageLimit(request.page_size()));
  ASSIGN_OR_RETURN(PageStart start, ReadPageToken(request.page_token()));
  sessions::Filter filter{
      .state = request.state(), .server = request.server(), .unreviewed = request.unreviewed()};
  if (!request.principal().empty()) {
    ASSIGN_OR_RETURN(NamedPrincipal named, ParseNamedPrincipal(request.principal()));
    filter.realm = std::move(named.realm);
    filter.name = std::move(named.name);
  }
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(const auto recorded, recordings_.Read());
  admin::v1::ListSessionsResponse response;
  // Pages are filled with what the caller may see, however much lies between.
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<Session> found,
                     sessions::List(*t, filter, start.before, start.before_id, limit + 1));
    for (const Session& session : found) {
      start = {FromProto(session.proto().created_at()), session.id()};
      if (!MayRead(caller, session)) continue;
      if (response.items_size() == limit) {
        const types::v1::Session& last = response.items(limit - 1);
        response.set_next_page_token(MakePageToken(last.created_at(), last.id()));
        return response;
      }
      ASSIGN_OR_RETURN(*response.add_items(), ShownWithDoubts(*t, *recorded, session));
    }
    if (found.size() <= static_cast<size_t>(limit)) break;
  }
  const bool is_empty = response.items().empty() && request.page_token().empty();
  if (is_empty && MayReadAll(caller))
    RETURN_IF_ERROR(known_names::Check(*t, filter.server, filter.realm, filter.name));
  return response;
}

absl::StatusOr<admin::v1::GetSessionResponse> ReadSessions::Run(
    const Caller& caller, const admin::v1::GetSessionRequest& request) {
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(const std::optional<Session> session, sessions::Find(*t, request.id()));
  // What he may not see, and what there is not, are the same to whoever lacks the role.
  if (session.has_value() ? !MayRead(caller, *session) : !MayReadAll(caller)) return RoleMissing();
  if (!session.has_value()) return NotFound(request.id());
  ASSIGN_OR_RETURN(const auto recorded, recordings_.Read());
  admin::v1::GetSessionResponse response;
  ASSIGN_OR_RETURN(*response.mutable_session(), ShownWithDoubts(*t, *recorded, *session));
  ASSIGN_OR_RETURN(const std::vector<ReservedCall> resolved,
                   calls::ResolvedOfSession(*t, session->id(), clock_.Now()));
  for (const ReservedCall& call : resolved) *response.add_resolved_calls() = call.proto();
  return response;
}

absl::StatusOr<types::v1::Session> ReadSessions::Own(const Caller& caller,
                                                     std::string_view session_id) {
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(const std::optional<Session> session, sessions::Find(*t, session_id));
  if (!session.has_value() || !IsOwn(caller, *session)) return NotFound(session_id);
  return Shown(*session);
}

absl::StatusOr<types::v1::Session> ReadSessions::Shown(const Session& session) {
  ASSIGN_OR_RETURN(const auto t, recordings_.Read());
  return records::WithCalls(*t, session);
}

absl::StatusOr<types::v1::Session> ReadSessions::ShownWithDoubts(Transaction& t,
                                                                 Transaction& recorded,
                                                                 const Session& session) {
  ASSIGN_OR_RETURN(types::v1::Session shown, records::WithCalls(recorded, session));
  ASSIGN_OR_RETURN(const std::vector<ReservedCall> in_doubt,
                   calls::InDoubtOfSession(t, session.id(), clock_.Now()));
  for (const ReservedCall& call : in_doubt) *shown.add_unsettled_calls() = call.proto();
  return shown;
}

bool ReadSessions::IsOwn(const Caller& caller, const Session& session) {
  if (caller.agent() != nullptr) return session.proto().agent() == caller.agent()->name;
  const PersonCaller* person = caller.person();
  return person != nullptr && person->may_access &&
         IsSameClient(person->principal, session.proto().principal());
}

}  // namespace sallyport::controlplane
