#pragma once

#include "controlplane/cli/cli.h"

// What stands below `policy`, a file for each.
namespace sallyport::controlplane {

void AddPolicyTestCommand(CommandLine& line, CLI::App* policy);
void AddExplainPolicyCommand(CommandLine& line, CLI::App* policy);
void AddRollbackCommand(CommandLine& line, CLI::App* policy);
void AddSimulateCommand(CommandLine& line, CLI::App* policy);
void AddSuggestCommand(CommandLine& line, CLI::App* policy);

}  // namespace sallyport::controlplane
