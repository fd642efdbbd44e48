#include <cstdio>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/end_sessions.h"
#include "controlplane/cli/option_values.h"
#include "sallyport/admin/v1/agent_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::AgentService;

std::vector<std::string> AgentRow(const admin::v1::Agent& agent) {
  return {agent.name(),
          absl::StrJoin(agent.servers(), ","),
          agent.connected() ? "yes" : "no",
          TimeCell(agent.enrolled_at(), agent.has_enrolled_at()),
          TimeCell(agent.certificate_expires_at(), agent.has_certificate_expires_at()),
          TimeCell(agent.last_seen_at(), agent.has_last_seen_at()),
          TimeCell(agent.banned_at(), agent.has_banned_at()),
          TimeCell(agent.copy_seen_at(), agent.has_copy_seen_at()),
          agent.not_understood()};
}

int ListAgents(const ClientOptions& options) {
  return AskAll<AgentService, admin::v1::ListAgentsRequest, admin::v1::ListAgentsResponse>(
      options, &AgentService::Stub::ListAgents, {}, [&](const auto& pages) {
        return ShowList(pages, options.format, "agents",
                        Table({"NAME", "SERVERS", "CONNECTED", "ENROLLED", "CERTIFICATE UNTIL",
                               "LAST SEEN", "BANNED", "TWO OF IT SEEN", "DOES NOT UNDERSTAND"}),
                        AgentRow);
      });
}

std::vector<std::string> RecordingRow(const admin::v1::AgentRecording& recording) {
  return {recording.id(), TimeCell(recording.began_at(), recording.has_began_at()),
          TimeCell(recording.last_received_at(), recording.has_last_received_at()),
          absl::StrCat(recording.records())};
}

int ListRecordings(const ClientOptions& options, const std::string& name) {
  admin::v1::ListAgentRecordingsRequest request;
  request.set_name(name);
  return AskAll<AgentService, admin::v1::ListAgentRecordingsRequest,
                admin::v1::ListAgentRecordingsResponse>(
      options, &AgentService::Stub::ListAgentRecordings, request, [&](const auto& pages) {
        return ShowList(pages, options.format, "recordings of its own",
                        Table({"ID", "BEGAN", "LAST RECEIVED", "RECORDS"}), RecordingRow);
      });
}

int CreateJoinToken(const ClientOptions& options,
                    const admin::v1::CreateJoinTokenRequest& request) {
  return Ask<AgentService>(
      options, &AgentService::Stub::CreateJoinToken, request,
      [&](const admin::v1::CreateJoinTokenResponse& response) {
        if (options.format != "table") {
          PrintMessage(response, options.format);
          return 0;
        }
        std::puts(response.join_token().c_str());
        std::cerr
            << "For agent " << request.name() << ", once, until "
            << TimeCell(response.expires_at(), true)
            << ". Put it into the file that its control_plane.join_token_file names, mode 600.\n";
        return 0;
      });
}

int BanAgent(const ClientOptions& options, const admin::v1::BanAgentRequest& request) {
  return Ask<AgentService>(
      options, &AgentService::Stub::BanAgent, request,
      [&](const admin::v1::BanAgentResponse& response) {
        if (response.has_away_agent()) WarnOfAway(response.away_agent());
        if (options.format != "table") {
          PrintMessage(response, options.format);
          return 0;
        }
        std::printf("agent %s is banned since %s\n", response.agent().name().c_str(),
                    TimeCell(response.agent().banned_at(), true).c_str());
        for (const std::string& session : response.sessions())
          std::printf("%s ended\n", session.c_str());
        std::cerr << "It comes back by enrolling anew: a new join string (`sallyport agents token "
                     "create`) in its join file, no agent.pem in its data_dir, a restart.\n";
        return 0;
      });
}

}  // namespace

void AddAgentCommands(CommandLine& line) {
  const ClientOptions& options = line.options();
  CLI::App* agents = line.app().add_subcommand("agents", "The agents beside the servers.");
  agents->require_subcommand(0, 1);
  line.OnRun(agents->add_subcommand("list", "Lists them."),
             [&options] { return ListAgents(options); });

  CLI::App* recordings = agents->add_subcommand(
      "recordings",
      "Lists the recordings of what one refused before there was a session, newest first; "
      "`sessions replay` and `sessions verify` take their ids.");
  auto recorded = std::make_shared<std::string>();
  recordings->add_option("NAME", *recorded)->required();
  line.OnRun(recordings, [&options, recorded] { return ListRecordings(options, *recorded); });

  CLI::App* ban = agents->add_subcommand("ban", "Shuts one out, and ends its sessions.");
  auto banned = std::make_shared<admin::v1::BanAgentRequest>();
  ban->add_option_function<std::string>(
         "NAME", [banned](const std::string& name) { banned->set_name(name); })
      ->required();
  ban->add_option_function<std::string>(
      "--reason", [banned](const std::string& reason) { banned->set_reason(reason); },
      "for the audit log");
  line.OnRun(ban, [&options, banned] { return BanAgent(options, *banned); });

  CLI::App* token = agents->add_subcommand("token", "Join strings for new agents.");
  token->require_subcommand(0, 1);
  CLI::App* create = token->add_subcommand("create", "Makes one: ten minutes, once.");
  struct Flags {
    std::string name;
    std::vector<std::string> servers;
  };
  auto flags = std::make_shared<Flags>();
  create->add_option("--name", flags->name, "the agent's name")->required()->check(AnAgentName());
  create->add_option("--servers", flags->servers, "the servers it may front")
      ->required()
      ->delimiter(',')
      ->check(AServerName());
  line.OnRun(create, [&options, flags] {
    admin::v1::CreateJoinTokenRequest request;
    request.set_name(flags->name);
    request.mutable_servers()->Add(flags->servers.begin(), flags->servers.end());
    return CreateJoinToken(options, request);
  });
}

}  // namespace sallyport::controlplane
