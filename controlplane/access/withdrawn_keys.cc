#include "controlplane/access/withdrawn_keys.h"

#include <string>
#include <vector>

#include "common/status_macros.h"
#include "controlplane/identity/issuers.h"
#include "controlplane/store/sessions.h"

namespace sallyport::controlplane {
namespace {

// Empty: the session's key is still its issuer's.
std::string WhyWithdrawn(const Issuers& issuers, const Session& session) {
  const std::string& issuer = session.stored().issuer_id;
  switch (issuers.StandingOf(issuer, session.stored().signing_key)) {
    case KeyStanding::kWithdrawn:
      return "issuer " + issuer + " has withdrawn the key that signed its token";
    case KeyStanding::kNoIssuer:
      return "issuer " + issuer + " is not trusted any more";
    case KeyStanding::kPublished:
    case KeyStanding::kUnknown:
      return {};
  }
}

absl::Status EndWithdrawn(WriteTransaction& t, const Issuers& issuers, absl::Time now) {
  ASSIGN_OR_RETURN(std::vector<Session> live, sessions::AllLive(t));
  for (Session& session : live) {
    const std::string why = WhyWithdrawn(issuers, session);
    if (why.empty()) continue;
    RETURN_IF_ERROR(
        sessions::EndLive(t, session, sessions::Revoked(why), Caller(SystemCaller{}, ""), now));
  }
  return t.Commit();
}

}  // namespace

absl::Status WithdrawnKeys::Run() {
  if (!is_due_.exchange(false)) return absl::OkStatus();
  // Not a look beforehand by a reader: a session that is being opened under the old keys commits
  // before this transaction or sees the new ones.
  const absl::Status done = control_.Write(WriteFor::kRevocation, [&](WriteTransaction& t) {
    return EndWithdrawn(t, issuers_, clock_.Now());
  });
  if (!done.ok()) is_due_ = true;
  return done;
}

}  // namespace sallyport::controlplane
