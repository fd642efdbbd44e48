#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/denial.h"
#include "common/ids.h"
#include "common/json_printer.h"
#include "common/time_text.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/duration_flag.h"
#include "controlplane/cli/follow_stream.h"
#include "sallyport/access/v1/access_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using access::v1::AccessService;
using access::v1::OpenSessionResponse;
using types::v1::Session;

constexpr char kAgentHelp[] = "where several front the server: the one whose client it is for";

struct Flags {
  std::string server;
  std::string duration;
  std::string reason;
  std::string agent;
  bool wait = false;
  bool break_glass = false;
};

bool IsOpen(const Session& session) {
  return session.state() == types::v1::SESSION_STATE_PENDING ||
         session.state() == types::v1::SESSION_STATE_ACTIVE;
}

void ShowSession(const Session& session, std::string_view format) {
  if (format != "table") {
    PrintMessage(session, format);
    return;
  }
  std::printf("%s %s", session.id().c_str(), EnumWord(session.state()).c_str());
  if (session.state() == types::v1::SESSION_STATE_ACTIVE) {
    std::printf(" until %s", TimeCell(session.expires_at(), session.has_expires_at()).c_str());
  }
  std::printf("\n");
}

// Until the session is active (0), or was denied or ended (1), also where the control plane is
// started again meanwhile; in vain after `until`.
int WaitFor(const ClientOptions& options, const std::string& session_id, absl::Time until) {
  access::v1::WatchSessionRequest request;
  request.set_session_id(session_id);
  const auto take = [&](const access::v1::WatchSessionResponse& response) -> std::optional<int> {
    const Session& session = response.session();
    if (session.state() == types::v1::SESSION_STATE_PENDING) return std::nullopt;
    ShowSession(session, options.format);
    if (session.state() == types::v1::SESSION_STATE_ACTIVE) return 0;
    const std::string why = session.detail().empty() ? "it was not opened" : session.detail();
    const auto reason = session.denial_reason();
    return Fail(reason == types::v1::DENIAL_REASON_UNSPECIFIED ? absl::FailedPreconditionError(why)
                                                               : Denied(reason, why));
  };
  return Follow<AccessService, access::v1::WatchSessionRequest, access::v1::WatchSessionResponse>(
      options, &AccessService::Stub::WatchSession, request, {.was_reached = true, .until = until},
      take);
}

// A session that waits for its approval gets no more than the policy gives, and no more than what
// somebody has approved already.
void TellClamped(const OpenSessionResponse& response) {
  const Session& session = response.session();
  const std::int64_t longest = session.terms().max_duration().seconds();
  const std::int64_t seconds = session.has_opened_at()
                                   ? session.expires_at().seconds() - session.opened_at().seconds()
                                   : response.duration().seconds();
  const bool is_approved = !session.has_opened_at() && seconds < longest;
  std::fprintf(stderr, "The duration was clamped to %s, %s.\n",
               DurationText(absl::Seconds(seconds)).c_str(),
               is_approved ? "which somebody has approved already" : "the policy's");
}

// What an older session does not take of this request.
void TellKept(const Session& session, const access::v1::OpenSessionRequest& request,
              bool is_clamped) {
  if (!request.reason().empty() && request.reason() != session.reason()) {
    std::fprintf(stderr, "It was asked for before: it keeps %s.\n",
                 session.reason().empty()
                     ? "having no reason"
                     : absl::StrCat("the reason \"", Printable(session.reason()), "\"").c_str());
  }
  if (is_clamped || !request.has_duration() || session.state() != types::v1::SESSION_STATE_ACTIVE) {
    return;
  }
  const std::int64_t seconds = session.expires_at().seconds() - session.opened_at().seconds();
  if (seconds == request.duration().seconds()) return;
  std::fprintf(stderr,
               "It lasts %s: it was open before, or shares the end of the sessions before it.\n",
               DurationText(absl::Seconds(seconds)).c_str());
}

// Glass that was broken before: who was skipped has been told of that, and hears no second reason.
void TellBroken(const Session& session, const std::string& reason) {
  std::fprintf(
      stderr,
      "Glass was broken before, and the session is open: it keeps the reason \"%s\". Nobody "
      "is told of \"%s\", which stands in the audit log alone: tell them yourself.\n",
      Printable(session.reason()).c_str(), Printable(reason).c_str());
}

void ShowGlass(const Session& session, const std::string& reason) {
  if (!session.has_break_glass()) {
    std::fprintf(stderr,
                 "No glass was broken: the session needed no approval, or was open. Nobody is told "
                 "of \"%s\".\n",
                 Printable(reason).c_str());
    return;
  }
  if (session.reason() != reason) {
    TellBroken(session, reason);
    return;
  }
  const types::v1::BreakGlass& glass = session.break_glass();
  std::vector<std::string> told;
  for (const std::string& approver : glass.skipped_approvers()) {
    if (std::ranges::find(glass.unaddressed_approvers(), approver) ==
        glass.unaddressed_approvers().end()) {
      told.push_back(approver);
    }
  }
  if (!told.empty())
    std::fprintf(stderr, "Being told: %s.\n", Printable(absl::StrJoin(told, ", ")).c_str());
  if (!glass.unaddressed_approvers().empty()) {
    std::fprintf(stderr, "NOT told: %s. No notifier is configured for them: tell them yourself.\n",
                 Printable(absl::StrJoin(glass.unaddressed_approvers(), ", ")).c_str());
  }
  std::fprintf(stderr,
               "One of those who were skipped reviews it when it is over: sallyport sessions "
               "review %s\n",
               session.id().c_str());
}

int RequestSession(const ClientOptions& options, const Flags& flags) {
  access::v1::OpenSessionRequest request;
  request.set_request_id(NewRequestId());
  request.set_server(flags.server);
  request.set_reason(flags.reason);
  request.set_break_glass(flags.break_glass);
  request.set_agent(flags.agent);
  if (!flags.duration.empty()) {
    auto duration = ReadDurationFlag("--duration", flags.duration);
    if (!duration.ok()) {
      Fail(duration.status());
      return 2;
    }
    *request.mutable_duration() = *std::move(duration);
  }
  absl::StatusOr<ApiConnection> connection = ApiConnection::Open(options);
  if (!connection.ok()) return Fail(connection.status());
  auto context = connection->Context();
  OpenSessionResponse response;
  grpc::Status status =
      connection->Stub<AccessService>()->OpenSession(context.get(), request, &response);
  if (!status.ok()) return Fail(status, connection->address());
  if (!response.has_session() || !IsOpen(response.session())) {
    return Fail(Denied(response.denial_reason() == types::v1::DENIAL_REASON_UNSPECIFIED
                           ? types::v1::DENIAL_REASON_SESSION_DENIED
                           : response.denial_reason(),
                       response.message()));
  }
  const bool is_pending = response.session().state() == types::v1::SESSION_STATE_PENDING;
  // One object for a script: the session as it is when the command is done.
  if (!is_pending || !flags.wait || options.format == "table") {
    ShowSession(response.session(), options.format);
  }
  if (response.clamped()) TellClamped(response);
  if (flags.agent.empty() && !response.session().agent().empty()) {
    std::fprintf(stderr, "It is with agent %s; for a client of another one: --agent NAME.\n",
                 Printable(response.session().agent()).c_str());
  }
  if (!flags.break_glass) TellKept(response.session(), request, response.clamped());
  if (flags.break_glass) ShowGlass(response.session(), request.reason());
  if (!is_pending) return 0;
  std::fprintf(
      stderr, "Waiting for approval %s by %s until %s.\n", response.session().approval_id().c_str(),
      Printable(absl::StrJoin(response.approvers(), ", ")).c_str(),
      TimeCell(response.approval_expires_at(), response.has_approval_expires_at()).c_str());
  if (!flags.wait) return 0;
  // By then it is known what has become of it, whoever has to write it down.
  constexpr absl::Duration kWrittenDown = absl::Minutes(1);
  const absl::Time until =
      response.has_approval_expires_at()
          ? absl::FromUnixSeconds(response.approval_expires_at().seconds()) + kWrittenDown
          : absl::InfiniteFuture();
  return WaitFor(options, response.session().id(), until);
}

}  // namespace

void AddRequestCommand(CommandLine& line) {
  const ClientOptions& options = line.options();
  auto flags = std::make_shared<Flags>();
  CLI::App* request = line.app().add_subcommand("request", "Asks for a session before connecting.");
  request->add_option("SERVER", flags->server)->required();
  request->add_option("--duration", flags->duration, "such as 10m; the policy's is the most");
  request->add_option("--reason", flags->reason, "for who approves");
  request->add_option("--agent", flags->agent, kAgentHelp);
  request->add_flag("--wait", flags->wait, "until it is active (0), or denied or lapsed (1)");
  line.OnRun(request, [&options, flags] { return RequestSession(options, *flags); });

  auto emergency = std::make_shared<Flags>();
  emergency->break_glass = true;
  CLI::App* glass = line.app().add_subcommand(
      "break-glass",
      "Opens a session without its approval, in an emergency. All who would have been asked are "
      "told, and it is reviewed afterwards.");
  glass->add_option("SERVER", emergency->server)->required();
  glass->add_option("--reason", emergency->reason, "what the emergency is")->required();
  glass->add_option("--duration", emergency->duration, "such as 10m; the policy's is the most");
  glass->add_option("--agent", emergency->agent, kAgentHelp);
  line.OnRun(glass, [&options, emergency] { return RequestSession(options, *emergency); });
}

}  // namespace sallyport::controlplane
