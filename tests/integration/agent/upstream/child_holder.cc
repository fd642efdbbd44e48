// Starts one stdio child and holds it until it is killed: what an agent is to its children.
//   child_holder isolate|none ORPHAN_PORT PROGRAM ARGUMENT...
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "agent/upstream/child_supervisor.h"

int main(int argc, char** argv) {
  using sallyport::agent::RunAs;
  using sallyport::agent::SpawnChild;
  using sallyport::agent::SpawnPlan;
  if (argc < 4) return 2;
  SpawnPlan plan;
  plan.isolate = std::strcmp(argv[1], "isolate") == 0;
  if (geteuid() == 0) plan.run_as = RunAs{65534, 65534};
  plan.argv.assign(argv + 3, argv + argc);
  plan.env = {"PATH=/usr/bin:/bin"};
  auto child = SpawnChild(plan);
  if (!child.ok()) {
    std::fprintf(stderr, "%s\n", std::string(child.status().message()).c_str());
    return 1;
  }
  std::string request =
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"orphan\",\"params\":{\"port\":" +
      std::string(argv[2]) + "}}\n";
  if (write(child->in.get(), request.data(), request.size()) < 0) return 1;
  for (;;) pause();
}
