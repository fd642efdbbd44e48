#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/denial.h"
#include "common/file.h"
#include "common/json_printer.h"
#include "common/value.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/end_sessions.h"
#include "controlplane/cli/follow_stream.h"
#include "controlplane/cli/option_values.h"
#include "controlplane/cli/principal_text.h"
#include "controlplane/cli/replay.h"
#include "controlplane/cli/resolve_call.h"
#include "controlplane/cli/show_approval.h"
#include "controlplane/cli/word_or_file.h"
#include "sallyport/admin/v1/session_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::SessionService;
using types::v1::Session;
using Calls = google::protobuf::RepeatedPtrField<types::v1::Call>;

constexpr std::size_t kMaxReplayBytes = std::size_t{4} << 30;

struct Flags {
  std::string id;
  std::string note;
  bool unreviewed = false;
  std::string server;
  std::string principal;
  std::string state;
};

constexpr std::array kStates = {types::v1::SESSION_STATE_PENDING, types::v1::SESSION_STATE_ACTIVE,
                                types::v1::SESSION_STATE_ENDED, types::v1::SESSION_STATE_DENIED};

// The words of the states, for the flag.
std::vector<std::string> StateWords() {
  std::vector<std::string> words;
  for (const types::v1::SessionState state : kStates) words.push_back(EnumWord(state));
  return words;
}

// Empty: glass was not broken.
std::string Glass(const Session& session) {
  if (!session.has_break_glass()) return "";
  if (session.break_glass().has_review()) return "reviewed";
  return session.break_glass().notice_alarm().empty() ? "unreviewed"
                                                      : "unreviewed, and not all have been told";
}

std::vector<std::string> Row(const Session& session) {
  return {session.id(),
          EnumWord(session.state()),
          Why(session),
          session.server(),
          session.agent(),
          PrincipalText(session.principal()),
          TimeCell(session.opened_at(), session.has_opened_at()),
          TimeCell(session.expires_at(), session.has_expires_at()),
          absl::StrCat(session.calls()),
          Glass(session)};
}

int List(const ClientOptions& options, const Flags& flags) {
  admin::v1::ListSessionsRequest request;
  request.set_server(flags.server);
  request.set_unreviewed(flags.unreviewed);
  request.set_principal(flags.principal);
  for (const types::v1::SessionState state : kStates) {
    if (EnumWord(state) == flags.state) request.set_state(state);
  }
  return AskAll<SessionService, admin::v1::ListSessionsRequest, admin::v1::ListSessionsResponse>(
      options, &SessionService::Stub::ListSessions, request, [&](const auto& pages) {
        return ShowList(pages, options.format, "sessions",
                        Table({"ID", "STATE", "WHY", "SERVER", "AGENT", "PRINCIPAL", "OPENED",
                               "EXPIRES", "CALLS", "BREAK-GLASS"}),
                        Row);
      });
}

// What somebody said of a session's calls stands beside it, in the same object.
void PrintWith(const Session& session, const Calls& resolved, std::string_view format) {
  Value value = ToValue(session, {});
  if (!resolved.empty()) {
    Value calls = Value::List();
    for (const types::v1::Call& call : resolved) calls.items.push_back(ToValue(call, {}));
    value.members.push_back({"resolvedCalls", std::move(calls)});
  }
  PrintValue(value, format);
}

void Show(const Session& session, const Calls& resolved, std::string_view format) {
  if (format != "table") {
    PrintWith(session, resolved, format);
    return;
  }
  auto line = [](std::string_view name, std::string_view value) {
    if (!value.empty())
      std::printf("%-12s %s\n", std::string(name).c_str(), Printable(value).c_str());
  };
  line("session", session.id());
  line("state", EnumWord(session.state()));
  line("why", Why(session));
  line("detail", session.detail());
  line("server", session.server());
  line("agent", session.agent());
  line("principal", PrincipalText(session.principal()));
  line("subject", session.principal().subject());
  line("address", session.client_address());
  line("reason", session.reason());
  line("approval", session.approval_id());
  line("approved by", absl::StrJoin(session.approved_by(), ", "));
  line("created", TimeCell(session.created_at(), session.has_created_at()));
  line("opened", TimeCell(session.opened_at(), session.has_opened_at()));
  line("expires", TimeCell(session.expires_at(), session.has_expires_at()));
  line("ended", TimeCell(session.ended_at(), session.has_ended_at()));
  line("calls", absl::StrCat(session.calls()));
  for (const types::v1::Call& call : session.unsettled_calls()) line("in doubt", CallText(call));
  for (const types::v1::Call& call : resolved) line("settled", SettledText(call));
  if (session.has_observed()) {
    line("observed", absl::StrCat(EnumWord(session.observed().reason()), " by policy ",
                                  session.observed().policy(), ", which lets it through"));
  }
  if (!session.has_break_glass()) return;
  const types::v1::BreakGlass& glass = session.break_glass();
  line("break-glass", Glass(session));
  line("skipped", absl::StrJoin(glass.skipped_approvers(), ", "));
  line("alarm", glass.notice_alarm());
  if (!glass.has_review()) return;
  line("reviewed by",
       absl::StrCat(glass.review().by().realm(), ":", glass.review().by().subject()));
  line("reviewed", TimeCell(glass.review().at(), true));
  line("note", glass.review().note());
}

int Review(const ClientOptions& options, const Flags& flags) {
  admin::v1::ReviewSessionRequest request;
  request.set_id(flags.id);
  request.set_note(flags.note);
  return Ask<SessionService>(options, &SessionService::Stub::ReviewSession, request,
                             [&](const admin::v1::ReviewSessionResponse& response) {
                               Show(response.session(), {}, options.format);
                               return 0;
                             });
}

std::string WatchText(const Session& session, std::string_view format) {
  // One line each, so that a reader knows where one ends.
  if (format == "json") return absl::StrCat(ToJson(session), "\n");
  if (format == "yaml") return absl::StrCat("---\n", ToYaml(session));
  const std::string why = Why(session);
  return absl::StrCat(session.id(), " ", EnumWord(session.state()), why.empty() ? "" : ", ", why,
                      "  calls ", session.calls(), session.detail().empty() ? "" : ": ",
                      Printable(session.detail()), "\n");
}

// Each time it changes, until it is over.
int Watch(const ClientOptions& options, const std::string& id) {
  admin::v1::WatchSessionRequest request;
  request.set_id(id);
  std::string printed;
  const auto take = [&](const admin::v1::WatchSessionResponse& response) -> std::optional<int> {
    std::string text = WatchText(response.session(), options.format);
    if (text != printed) std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
    printed = std::move(text);
    return std::nullopt;
  };
  return Follow<SessionService, admin::v1::WatchSessionRequest, admin::v1::WatchSessionResponse>(
      options, &SessionService::Stub::WatchSession, request, {}, take);
}

// As text, or as one list in JSON or YAML, printed as it comes: a recording may be larger than
// memory.
int Replay(const ClientOptions& options, const std::string& id) {
  absl::StatusOr<ApiConnection> connection = ApiConnection::Open(options);
  if (!connection.ok()) return Fail(connection.status());
  admin::v1::ReplaySessionRequest request;
  request.set_id(id);
  auto context = connection->Context(absl::InfiniteDuration());
  auto stub = connection->Stub<SessionService>();
  auto reader = stub->ReplaySession(context.get(), request);
  const std::unique_ptr<ReplayPrinter> printer = ReplayPrinter::Of(options.format);
  admin::v1::ReplaySessionResponse response;
  while (reader->Read(&response)) printer->Print(response.record());
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return Fail(status, connection->address());
  printer->Finish();
  return 0;
}

// 0 where all that is here is proven. Whether more belongs to a recording that is open can be told
// of a session, which is known to go on, and not of a file.
int ShowVerdict(const admin::v1::VerifySessionResponse& verdict, bool may_be_open,
                std::string_view format) {
  if (format != "table") {
    PrintMessage(verdict, format);
  } else if (verdict.valid()) {
    std::printf("%s %s, %s records%s%s\n", verdict.session_id().c_str(),
                verdict.is_open() ? "OPEN, valid so far" : "valid",
                absl::StrCat(verdict.records()).c_str(), verdict.reason().empty() ? "" : ": ",
                verdict.reason().c_str());
  } else {
    std::printf("%s NOT valid, %s records, record %s: %s\n", verdict.session_id().c_str(),
                absl::StrCat(verdict.records()).c_str(),
                absl::StrCat(verdict.first_bad_record()).c_str(),
                Printable(verdict.reason()).c_str());
  }
  return verdict.valid() && (may_be_open || !verdict.is_open()) ? 0 : 1;
}

// A session's, or that of an agent's own chain; everything else is a file, or - for standard input.
bool IsRecordingId(std::string_view what) {
  return what.starts_with("ses_") || what.starts_with("agent:");
}

int Verify(const ClientOptions& options, const std::string& what) {
  if (!IsRecordingId(what)) {
    const bool is_input = what == "-";
    absl::StatusOr<std::string> text = is_input ? StandardInput() : ReadFile(what, kMaxReplayBytes);
    if (!text.ok()) return Fail(text.status());
    absl::StatusOr<admin::v1::VerifySessionResponse> verdict = VerifyReplay(*text);
    if (!verdict.ok()) {
      return Fail(absl::InvalidArgumentError(
          absl::StrCat(is_input ? "standard input" : what, ": ", verdict.status().message())));
    }
    return ShowVerdict(*verdict, /*may_be_open=*/false, options.format);
  }
  admin::v1::VerifySessionRequest request;
  request.set_id(what);
  return Ask<SessionService>(options, &SessionService::Stub::VerifySession, request,
                             [&](const admin::v1::VerifySessionResponse& response) {
                               return ShowVerdict(response, /*may_be_open=*/true, options.format);
                             });
}

}  // namespace

void AddSessionCommands(CommandLine& line) {
  const ClientOptions& options = line.options();
  CLI::App* sessions = line.app().add_subcommand("sessions", "Sessions and their recordings.");
  sessions->require_subcommand(0, 1);
  auto flags = std::make_shared<Flags>();
  auto command = [&](const char* name, const char* what) {
    CLI::App* added = sessions->add_subcommand(name, what);
    added->add_option("ID", flags->id)->required();
    return added;
  };

  CLI::App* list = sessions->add_subcommand("list", "Lists them, newest first.");
  list->add_option("--server", flags->server, "only this server's");
  list->add_option("--principal", flags->principal,
                   "only this one's: REALM:NAME, the name being a subject or a client id")
      ->check(APrincipal());
  list->add_option("--state", flags->state, "only these: pending, active, ended or denied")
      ->check(OneOf(StateWords()));
  list->add_flag("--unreviewed", flags->unreviewed,
                 "only those that broke glass and that nobody has reviewed");
  line.OnRun(list, [&options, flags] { return List(options, *flags); });

  line.OnRun(command("show", "Shows one."), [&options, flags] {
    admin::v1::GetSessionRequest request;
    request.set_id(flags->id);
    return Ask<SessionService>(options, &SessionService::Stub::GetSession, request,
                               [&](const admin::v1::GetSessionResponse& response) {
                                 Show(response.session(), response.resolved_calls(),
                                      options.format);
                                 return 0;
                               });
  });

  line.OnRun(command("watch", "Shows one each time it changes, until it is over."),
             [&options, flags] { return Watch(options, flags->id); });

  AddEndCommand(line, *sessions);
  AddResolveCommand(line, *sessions);
  CLI::App* review = command("review", "Says what has become of one that broke glass.");
  review->add_option("--note", flags->note, "what you have found")->required();
  line.OnRun(review, [&options, flags] { return Review(options, *flags); });

  line.OnRun(command("replay", "Prints its records."),
             [&options, flags] { return Replay(options, flags->id); });
  line.OnRun(
      command(
          "verify",
          "Proves its recording whole (0), or that of a file of `replay -o json`; - is standard "
          "input."),
      [&options, flags] { return Verify(options, flags->id); });
}

}  // namespace sallyport::controlplane
