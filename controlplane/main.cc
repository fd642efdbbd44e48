#include "controlplane/cli/cli.h"
#include "controlplane/cli/serve.h"

int main(int argc, char** argv) {
  sallyport::controlplane::CommandLine line;
  sallyport::controlplane::AddServeCommands(line);
  sallyport::controlplane::AddClientCommands(line);
  return line.Run(argc, argv);
}
