#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "controlplane/cli/applied.h"
#include "controlplane/cli/client_call.h"
#include "controlplane/cli/document_kind.h"
#include "controlplane/cli/option_values.h"
#include "controlplane/cli/policy_commands.h"
#include "sallyport/admin/v1/policy_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::PolicyService;

struct Flags {
  std::string kind = "policy";
  std::string name;
  uint64_t to = 0;
  uint64_t base = 0;
  bool dry_run = false;
};

int Rollback(const ClientOptions& options, const Flags& flags) {
  admin::v1::RollbackDocumentRequest request;
  request.set_kind(KindOf(flags.kind));
  request.set_name(flags.name);
  request.set_to_version(flags.to);
  request.set_base_version(flags.base);
  request.set_dry_run(flags.dry_run);
  return Ask<PolicyService>(options, &PolicyService::Stub::RollbackDocument, request,
                            [&](const admin::v1::RollbackDocumentResponse& response) {
                              WarnOf(response.document());
                              if (options.format != "table") {
                                PrintMessage(response, options.format);
                                return 0;
                              }
                              ShowApplied(response.document(), flags.dry_run);
                              std::printf("restored from version %s\n",
                                          absl::StrCat(response.restored_from()).c_str());
                              return 0;
                            });
}

}  // namespace

void AddRollbackCommand(CommandLine& line, CLI::App* policy) {
  CLI::App* rollback =
      policy->add_subcommand("rollback", "Puts an older version in force again, as a new one");
  auto flags = std::make_shared<Flags>();
  rollback->add_option("NAME", flags->name)->required();
  rollback
      ->add_option("--to", flags->to,
                   "the version; unset: the one before that in force, or before the one that an "
                   "earlier rollback put in force again")
      ->check(WholeNumber(1));
  rollback->add_option("--kind", flags->kind, "of the document: policy, mask-profile, server, lock")
      ->check(OneOf(KindWords()))
      ->capture_default_str();
  rollback
      ->add_option("--base-version", flags->base,
                   "the version that was seen: refuse if another is in force")
      ->check(WholeNumber(1));
  rollback->add_flag("--dry-run", flags->dry_run, "show the difference, change nothing");
  line.OnRun(rollback, [&options = line.options(), flags] { return Rollback(options, *flags); });
}

}  // namespace sallyport::controlplane
