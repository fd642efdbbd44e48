#include "controlplane/cli/end_sessions.h"

#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/denial.h"
#include "common/json_printer.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/duration_flag.h"
#include "controlplane/cli/option_values.h"
#include "sallyport/admin/v1/session_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::SessionService;
using types::v1::Session;

struct Flags {
  std::string id;
  std::string principal;
  std::string reason;
  bool no_lock = false;
  std::string lock_for;
};

// `expires`: when it opens by itself; empty: it does not.
void ShowLock(std::string_view lock, const std::string& expires) {
  std::printf("locked until %s`sallyport delete lock %s`\n",
              expires.empty() ? "" : absl::StrCat(expires, ", or until ").c_str(),
              Printable(lock).c_str());
}

void ShowEnd(const admin::v1::EndSessionResponse& response, const Flags& flags,
             std::string_view format) {
  if (format != "table") {
    PrintMessage(response, format);
    return;
  }
  const Session& session = response.session();
  if (response.had_ended()) {
    std::printf("%s was over already: %s (%s) at %s%s\n", session.id().c_str(),
                EnumWord(session.state()).c_str(), Why(session).c_str(),
                TimeCell(session.ended_at(), session.has_ended_at()).c_str(),
                session.detail().empty() ? "" : (": " + Printable(session.detail())).c_str());
  } else {
    std::printf("%s %s\n", session.id().c_str(), EnumWord(session.state()).c_str());
  }
  if (!response.lock().empty()) {
    ShowLock(response.lock(), TimeCell(response.lock_expires_at(), response.has_lock_expires_at()));
    if (response.had_ended() && !flags.lock_for.empty()) {
      std::printf(
          "--for changes nothing of a lock that was there already: `sallyport get lock %s`\n",
          Printable(response.lock()).c_str());
    }
  } else if (response.had_ended()) {
    std::printf(
        "nothing was locked; a Lock document shuts its principal out (`sallyport apply`)\n");
  }
}

// `--for` and `--reason` are of a lock that is set now.
void ShowKeptLock(std::string_view lock) {
  std::printf(
      "it was locked already, for no shorter time: nothing of that lock has changed, nor its "
      "reason: `sallyport get lock %s`\n",
      Printable(lock).c_str());
}

// Whoever has the name wrong must hear of it, whatever reads the output: nobody was cut.
void WarnOfUnknown(const Flags& flags) {
  std::fprintf(stderr,
               "sallyport: nobody called %s has ever had a session or done anything here: is the "
               "name right (`sallyport sessions list`)?%s\n",
               Printable(flags.principal).c_str(),
               flags.no_lock ? "" : " It is locked out all the same.");
}

void ShowCovered(const admin::v1::RevokePrincipalResponse& response) {
  for (const admin::v1::CoveredPrincipal& principal : response.principals()) {
    std::printf("covers %s %s (sessions: %u)\n", EnumWord(principal.kind()).c_str(),
                Printable(principal.subject()).c_str(), principal.sessions());
  }
  if (response.has_more_principals()) std::printf("covers others, too\n");
}

void ShowRevoked(const admin::v1::RevokePrincipalResponse& response, const Flags& flags,
                 std::string_view format) {
  if (format != "table") {
    PrintMessage(response, format);
    return;
  }
  ShowCovered(response);
  for (const Session& session : response.sessions()) {
    std::printf("%s %s on %s\n", session.id().c_str(), EnumWord(session.state()).c_str(),
                session.server().c_str());
  }
  const std::string who = Printable(flags.principal);
  if (response.sessions().empty()) std::printf("no session of %s was open\n", who.c_str());
  if (!response.lock().empty()) {
    ShowLock(response.lock(), TimeCell(response.lock_expires_at(), response.has_lock_expires_at()));
    if (response.had_lock()) ShowKeptLock(response.lock());
  }
}

// Whatever reads the output: who ends a session takes it for cut.
void WarnOfEach(const google::protobuf::RepeatedPtrField<admin::v1::AwayAgent>& away) {
  for (const admin::v1::AwayAgent& agent : away) WarnOfAway(agent);
}

// What both forms of `end` ask for. 2: the flags are no good.
template <class Request>
int FillEnd(const Flags& flags, Request& request) {
  request.set_no_lock(flags.no_lock);
  request.set_reason(flags.reason);
  if (flags.lock_for.empty()) return 0;
  auto duration = ReadDurationFlag("--for", flags.lock_for);
  if (!duration.ok()) {
    Fail(duration.status());
    return 2;
  }
  *request.mutable_lock_duration() = *std::move(duration);
  return 0;
}

int End(const ClientOptions& options, const Flags& flags) {
  if (flags.id.empty() == flags.principal.empty()) {
    Fail(absl::InvalidArgumentError("name one session, or --principal REALM:NAME"));
    return 2;
  }
  if (!flags.id.empty()) {
    admin::v1::EndSessionRequest request;
    request.set_id(flags.id);
    if (const int wrong = FillEnd(flags, request); wrong != 0) return wrong;
    return Ask<SessionService>(options, &SessionService::Stub::EndSession, request,
                               [&](const admin::v1::EndSessionResponse& response) {
                                 ShowEnd(response, flags, options.format);
                                 if (response.has_away_agent()) WarnOfAway(response.away_agent());
                                 return 0;
                               });
  }
  admin::v1::RevokePrincipalRequest request;
  request.set_principal(flags.principal);
  if (const int wrong = FillEnd(flags, request); wrong != 0) return wrong;
  return Ask<SessionService>(options, &SessionService::Stub::RevokePrincipal, request,
                             [&](const admin::v1::RevokePrincipalResponse& response) {
                               if (response.is_unknown()) WarnOfUnknown(flags);
                               ShowRevoked(response, flags, options.format);
                               WarnOfEach(response.away_agents());
                               return 0;
                             });
}

}  // namespace

std::string Why(const Session& session) {
  return session.state() == types::v1::SESSION_STATE_DENIED ? EnumWord(session.denial_reason())
                                                            : EnumWord(session.end_reason());
}

void WarnOfAway(const admin::v1::AwayAgent& agent) {
  const std::string seen = agent.has_last_seen_at()
                               ? absl::StrCat("last seen at ", TimeCell(agent.last_seen_at(), true))
                               : "never seen";
  const std::string until = TimeCell(agent.serves_until(), true);
  const std::string text =
      agent.connected()
          ? absl::StrCat(
                "agent ", agent.name(),
                " has not confirmed yet that it has cut what has ended: it cuts it as soon "
                "as it hears of it, and may go on serving it until ",
                until, " if it does not")
          : absl::StrCat(
                "agent ", agent.name(), " is away (", seen,
                "): it cuts what has ended as soon as it is back, and may go on serving it "
                "until ",
                until, " if it does not come back");
  std::fprintf(stderr, "sallyport: %s\n", Printable(text).c_str());
}

void AddEndCommand(CommandLine& line, CLI::App& sessions) {
  const ClientOptions& options = line.options();
  auto flags = std::make_shared<Flags>();
  CLI::App* end = sessions.add_subcommand(
      "end",
      "Cuts one, and locks its principal out of its server; or all of a principal, and locks it "
      "out of all servers.");
  end->add_option("ID", flags->id);
  end->add_option(
         "--principal", flags->principal,
         "REALM:NAME, a subject or a client id: every session of it, or of all who share it")
      ->check(APrincipal());
  end->add_option("--reason", flags->reason,
                  "for the audit log, the lock and whom it cuts: the client reads it");
  auto* no_lock =
      end->add_flag("--no-lock", flags->no_lock, "leave the door open for the next session");
  end->add_option("--for", flags->lock_for,
                  "how long the lock stands, such as 1h; unset: until it is deleted")
      ->excludes(no_lock);
  line.OnRun(end, [&options, flags] { return End(options, *flags); });
}

}  // namespace sallyport::controlplane
