#include "controlplane/cli/resolve_call.h"

#include <cstdio>
#include <memory>

#include "controlplane/cli/client_call.h"
#include "controlplane/cli/option_values.h"
#include "sallyport/admin/v1/call_service.grpc.pb.h"

namespace sallyport::controlplane {

using admin::v1::CallService;

void AddResolveCommand(CommandLine& line, CLI::App& sessions) {
  const ClientOptions& options = line.options();
  struct Flags {
    std::string session;
    std::string call;
    std::string outcome;
    std::string reason;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App* resolve =
      sessions.add_subcommand("resolve", "Says what became of a call that nobody knows of.");
  resolve->add_option("ID", flags->session, "the session, which `show` lists its calls in doubt of")
      ->required();
  resolve->add_option("CALL", flags->call)->required();
  resolve->add_option("--outcome", flags->outcome, "whether the server has done it")
      ->required()
      ->check(OneOf({"done", "not_done"}));
  resolve->add_option("--reason", flags->reason, "how that is known");
  line.OnRun(resolve, [&options, flags] {
    admin::v1::ResolveCallRequest request;
    request.set_session_id(flags->session);
    request.set_call_id(flags->call);
    request.set_was_done(flags->outcome == "done");
    request.set_reason(flags->reason);
    return Ask<CallService>(options, &CallService::Stub::ResolveCall, request,
                            [&](const admin::v1::ResolveCallResponse& response) {
                              if (options.format == "table") {
                                std::printf("%s is settled: %s\n", flags->call.c_str(),
                                            flags->outcome.c_str());
                              } else {
                                PrintMessage(response.call(), options.format);
                              }
                              return 0;
                            });
  });
}

}  // namespace sallyport::controlplane
