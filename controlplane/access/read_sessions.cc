#include "controlplane/access/read_sessions.h"

#include <utility>
#include <vector>

#include "common/denial.h"
#include "common/status_macros.h"
#include "controlplane/access/page.h"
#include "controlplane/model/named_principal.h"
#include "controlplane/store/calls.h"
#include "controlplane/store/known_names.h"
#include "controlplane/store/records.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

absl::Status RequireReader(const Caller& caller) {
  const PersonCaller* person = caller.person();
  if (caller.is_admin() || (person != nullptr && person->may_manage && person->is_auditor))
    return absl::OkStatus();
  return Denied(types::v1::DENIAL_REASON_ROLE_MISSING, "sessions are for admins and auditors");
}

absl::Status NotFound(std::string_view id) {
  return absl::NotFoundError("there is no session " + std::string(id));
}

}  // namespace

absl::StatusOr<admin::v1::ListSessionsResponse> ReadSessions::Run(
    const Caller& caller, const admin::v1::ListSessionsRequest& request) {
  RETURN_IF_ERROR(RequireReader(caller));
  ASSIGN_OR_RETURN(const int limit, PageLimit(request.page_size()));
  ASSIGN_OR_RETURN(const PageStart start, ReadPageToken(request.page_token()));
  sessions::Filter filter{
      .state = request.state(), .server = request.server(), .unreviewed = request.unreviewed()};
  if (!request.principal().empty()) {
    ASSIGN_OR_RETURN(NamedPrincipal named, ParseNamedPrincipal(request.principal()));
    filter.realm = std::move(named.realm);
    filter.name = std::move(named.name);
  }
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(std::vector<Session> found,
                   sessions::List(*t, filter, start.before, start.before_id, limit + 1));
  if (found.empty() && request.page_token().empty())
    RETURN_IF_ERROR(known_names::Check(*t, filter.server, filter.realm, filter.name));
  admin::v1::ListSessionsResponse response;
  if (found.size() > static_cast<size_t>(limit)) {
    found.pop_back();
    response.set_next_page_token(
        MakePageToken(found.back().proto().created_at(), found.back().id()));
  }
  ASSIGN_OR_RETURN(const auto recorded, recordings_.Read());
  for (const Session& session : found) {
    ASSIGN_OR_RETURN(*response.add_items(), records::WithCalls(*recorded, session));
  }
  return response;
}

absl::StatusOr<admin::v1::GetSessionResponse> ReadSessions::Run(
    const Caller& caller, const admin::v1::GetSessionRequest& request) {
  RETURN_IF_ERROR(RequireReader(caller));
  ASSIGN_OR_RETURN(const auto t, control_.Read());
  ASSIGN_OR_RETURN(const std::optional<Session> session, sessions::Find(*t, request.id()));
  if (!session.has_value()) return NotFound(request.id());
  admin::v1::GetSessionResponse response;
  ASSIGN_OR_RETURN(*response.mutable_session(), Shown(*session));
  ASSIGN_OR_RETURN(const std::vector<ReservedCall> in_doubt,
                   calls::InDoubtOfSession(*t, session->id(), clock_.Now()));
  for (const ReservedCall& call : in_doubt)
    *response.mutable_session()->add_unsettled_calls() = call.proto();
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

bool ReadSessions::IsOwn(const Caller& caller, const Session& session) {
  if (caller.agent() != nullptr) return session.proto().agent() == caller.agent()->name;
  const PersonCaller* person = caller.person();
  return person != nullptr && person->may_access &&
         IsSameClient(person->principal, session.proto().principal());
}

}  // namespace sallyport::controlplane
