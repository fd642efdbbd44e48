#include "controlplane/cli/policy_commands.h"

namespace sallyport::controlplane {

void AddPolicyCommands(CommandLine& line) {
  CLI::App* policy =
      line.app().add_subcommand("policy", "Try policies before they are applied, and go back.");
  policy->require_subcommand(0, 1);
  AddPolicyTestCommand(line, policy);
  AddExplainPolicyCommand(line, policy);
  AddSimulateCommand(line, policy);
  AddSuggestCommand(line, policy);
  AddRollbackCommand(line, policy);
}

}  // namespace sallyport::controlplane
