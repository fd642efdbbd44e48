#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "common/json_printer.h"
#include "common/strings.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/facts.h"
#include "controlplane/cli/indented_json.h"
#include "controlplane/policies/unified_diff.h"
#include "sallyport/admin/v1/tool_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::ToolService;

bool IsChanged(const types::v1::Tool& tool) {
  return tool.state() == types::v1::TOOL_STATE_CHANGED;
}

std::vector<std::string> ToolRow(const types::v1::Tool& tool) {
  return {tool.name(),
          EnumWord(tool.state()),
          tool.definition_hash().substr(0, 12),
          TimeCell(tool.accepted_at(), tool.has_accepted_at()),
          tool.accepted_by(),
          tool.changed_hash().substr(0, 12),
          TimeCell(tool.changed_at(), tool.has_changed_at()),
          TimeCell(tool.unlisted_at(), tool.has_unlisted_at())};
}

int ListTools(const ClientOptions& options, const std::string& server) {
  admin::v1::ListToolsRequest request;
  request.set_server(server);
  return AskAll<ToolService, admin::v1::ListToolsRequest, admin::v1::ListToolsResponse>(
      options, &ToolService::Stub::ListTools, request, [&](const auto& pages) {
        return ShowList(pages, options.format, "tools that an agent has seen",
                        Table({"NAME", "STATE", "DEFINITION", "ACCEPTED", "BY", "CHANGED TO",
                               "CHANGED", "NOT LISTED SINCE"}),
                        ToolRow);
      });
}

// What a definition that is longer than what is kept shows of itself.
std::string Shown(const std::string& definition, const std::string& hash) {
  return definition.empty()
             ? "(not kept: longer than 256 KiB, or not to be masked; SHA-256 " + hash + ")\n"
             : IndentedJson(definition);
}

std::string DifferenceOf(const types::v1::Tool& tool) {
  std::string difference =
      UnifiedDiff(Shown(tool.definition(), tool.definition_hash()),
                  Shown(tool.changed_definition(), tool.changed_hash()), "accepted", "changed");
  return difference.empty() ? "(only what is masked has changed)\n" : difference;
}

// A server chooses what is in it, so each line is made printable.
void PrintLines(std::string_view text) {
  for (const absl::string_view line : absl::StrSplit(ToAbsl(text), '\n', absl::SkipEmpty()))
    std::puts(Printable(ToStd(line)).c_str());
}

void PrintTool(const types::v1::Tool& tool) {
  Facts facts;
  facts.Add("server", tool.server());
  facts.Add("tool", tool.name());
  facts.Add("state", EnumWord(tool.state()));
  facts.Add("definition of", tool.definition_hash());
  facts.Add("accepted", TimeCell(tool.accepted_at(), tool.has_accepted_at()));
  facts.Add("by", tool.accepted_by());
  facts.Add("changed to", tool.changed_hash());
  facts.Add("changed", TimeCell(tool.changed_at(), tool.has_changed_at()));
  facts.Add("seen by", tool.changed_agent());
  facts.Add("not listed since", TimeCell(tool.unlisted_at(), tool.has_unlisted_at()));
  std::cout << std::move(facts).Text() << std::flush;
  PrintLines(IsChanged(tool) ? DifferenceOf(tool)
                             : Shown(tool.definition(), tool.definition_hash()));
}

int WithTool(const ClientOptions& options, const std::string& server, const std::string& name,
             const std::function<int(const types::v1::Tool&)>& show) {
  admin::v1::GetToolRequest request;
  request.set_server(server);
  request.set_name(name);
  return Ask<ToolService>(
      options, &ToolService::Stub::GetTool, request,
      [&](const admin::v1::GetToolResponse& response) { return show(response.tool()); });
}

int ShowTool(const ClientOptions& options, const std::string& server, const std::string& name) {
  return WithTool(options, server, name, [&](const types::v1::Tool& tool) {
    if (options.format == "table") {
      PrintTool(tool);
    } else {
      PrintMessage(tool, options.format);
    }
    return 0;
  });
}

int Accept(const ClientOptions& options, const std::string& server, const std::string& name,
           const std::string& definition_hash, bool unread) {
  admin::v1::AcceptToolRequest request;
  request.set_server(server);
  request.set_name(name);
  request.set_definition_hash(definition_hash);
  request.set_unread(unread);
  return Ask<ToolService>(options, &ToolService::Stub::AcceptTool, request,
                          [&](const admin::v1::AcceptToolResponse& response) {
                            if (options.format != "table") {
                              PrintMessage(response.tool(), options.format);
                            } else {
                              std::cerr << "Accepted: " << Printable(name) << " of "
                                        << Printable(server) << "\n";
                            }
                            return 0;
                          });
}

int Forget(const ClientOptions& options, const std::string& server,
           const std::vector<std::string>& names) {
  admin::v1::ForgetToolsRequest request;
  request.set_server(server);
  *request.mutable_names() = {names.begin(), names.end()};
  return Ask<ToolService>(options, &ToolService::Stub::ForgetTools, request,
                          [&](const admin::v1::ForgetToolsResponse& response) {
                            if (options.format != "table") {
                              PrintMessage(response, options.format);
                              return 0;
                            }
                            for (const types::v1::Tool& tool : response.items()) {
                              std::cerr << "Forgotten: " << Printable(tool.name()) << " of "
                                        << Printable(server) << "\n";
                            }
                            std::cerr << "If the server still lists it, or lists it again, what an "
                                         "agent sees then is accepted unasked.\n";
                            return 0;
                          });
}

// As it is now, which is shown.
int ShowAndAccept(const ClientOptions& options, const std::string& server, const std::string& name,
                  bool unread) {
  return WithTool(options, server, name, [&](const types::v1::Tool& tool) {
    if (IsChanged(tool)) {
      if (options.format == "table") PrintLines(DifferenceOf(tool));
      if (tool.changed_definition().empty() && !unread) {
        std::cerr << "Not accepted: nobody can have read the definition here. Read it at its "
                     "server, and accept it with --unread.\n";
        return 1;
      }
      return Accept(options, server, name, tool.changed_hash(), unread);
    }
    std::cerr << "There is nothing to accept: " << Printable(name) << " is as it was accepted.\n";
    if (options.format != "table") PrintMessage(tool, options.format);
    return 0;
  });
}

}  // namespace

void AddToolCommands(CommandLine& line) {
  const ClientOptions& options = line.options();
  CLI::App* tools = line.app().add_subcommand(
      "tools", "The tools of servers and the definitions they are pinned to.");
  tools->require_subcommand(0, 1);
  struct Words {
    std::string server;
    std::string tool;
    std::vector<std::string> tools;
    std::string definition;
    bool unread = false;
  };
  auto words = std::make_shared<Words>();
  CLI::App* list = tools->add_subcommand("list", "Lists those of a server.");
  list->add_option("SERVER", words->server)->required();
  line.OnRun(list, [&options, words] { return ListTools(options, words->server); });
  CLI::App* show = tools->add_subcommand(
      "show", "Shows what a tool's definition was accepted as, and how it has changed since.");
  show->add_option("SERVER", words->server)->required();
  show->add_option("TOOL", words->tool)->required();
  line.OnRun(show, [&options, words] { return ShowTool(options, words->server, words->tool); });
  CLI::App* accept = tools->add_subcommand(
      "accept", "Shows how a tool's definition has changed, and accepts it as it is now.");
  accept->add_option("SERVER", words->server)->required();
  accept->add_option("TOOL", words->tool)->required();
  accept->add_option("--definition", words->definition,
                     "accept it only as `tools show` had it: its `changed to`");
  accept->add_flag("--unread", words->unread,
                   "accept a definition that is not kept here, so that nobody can have read it");
  line.OnRun(accept, [&options, words] {
    return words->definition.empty()
               ? ShowAndAccept(options, words->server, words->tool, words->unread)
               : Accept(options, words->server, words->tool, words->definition, words->unread);
  });
  CLI::App* forget = tools->add_subcommand("forget",
                                           "Takes away the pins of tools that their server does "
                                           "not list any more; of one that it lists, "
                                           "what an agent sees next is accepted.");
  forget->add_option("SERVER", words->server)->required();
  forget->add_option("TOOL", words->tools)->required();
  line.OnRun(forget, [&options, words] { return Forget(options, words->server, words->tools); });
}

}  // namespace sallyport::controlplane
