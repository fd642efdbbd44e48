#include <cstdio>
#include <iostream>

#include "controlplane/cli/cli.h"
#include "controlplane/cli/serve.h"

namespace {

// A recording that was cut short must not pass for a whole one.
bool IsOutputWhole() {
  std::cout.flush();
  return std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good();
}

}  // namespace

int main(int argc, char** argv) {
  sallyport::controlplane::CommandLine line;
  sallyport::controlplane::AddServeCommands(line);
  sallyport::controlplane::AddClientCommands(line);
  const int code = line.Run(argc, argv);
  if (IsOutputWhole()) return code;
  std::fputs("sallyport: the output could not be written whole: is the disk full?\n", stderr);
  return code == 0 ? 1 : code;
}
