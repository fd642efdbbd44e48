#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/json_printer.h"
#include "controlplane/cli/cli.h"
#include "controlplane/cli/client_call.h"
#include "sallyport/admin/v1/notice_service.grpc.pb.h"

namespace sallyport::controlplane {
namespace {

using admin::v1::Notice;
using admin::v1::NoticeService;

std::vector<std::string> Row(const Notice& notice) {
  return {notice.id(),
          EnumWord(notice.state()),
          notice.notifier(),
          notice.type(),
          notice.session_id().empty() ? notice.approval_id() : notice.session_id(),
          TimeCell(notice.created_at(), notice.has_created_at()),
          absl::StrCat(notice.attempts()),
          TimeCell(notice.next_attempt_at(), notice.has_next_attempt_at()),
          notice.last_error()};
}

int List(const ClientOptions& options, bool is_dead) {
  admin::v1::ListNoticesRequest request;
  if (is_dead) request.set_state(admin::v1::NOTICE_STATE_DEAD);
  return AskAll<NoticeService, admin::v1::ListNoticesRequest, admin::v1::ListNoticesResponse>(
      options, &NoticeService::Stub::ListNotices, request, [&](const auto& pages) {
        return ShowList(pages, options.format, is_dead ? "dead notices" : "notices",
                        Table({"ID", "STATE", "NOTIFIER", "TYPE", "ABOUT", "CREATED", "ATTEMPTS",
                               "NEXT", "ERROR"}),
                        Row);
      });
}

int Retry(const ClientOptions& options, const std::string& id) {
  admin::v1::RetryNoticeRequest request;
  request.set_id(id);
  return Ask<NoticeService>(options, &NoticeService::Stub::RetryNotice, request,
                            [&](const admin::v1::RetryNoticeResponse& response) {
                              if (options.format == "table") {
                                std::printf("%s is tried again\n", response.notice().id().c_str());
                              } else {
                                PrintMessage(response.notice(), options.format);
                              }
                              return 0;
                            });
}

}  // namespace

void AddNoticeCommands(CommandLine& line) {
  const ClientOptions& options = line.options();
  CLI::App* notices = line.app().add_subcommand("notices", "What approvers are told, and how.");
  notices->require_subcommand(0, 1);
  struct Flags {
    bool is_dead = false;
    std::string id;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App* list = notices->add_subcommand("list", "Lists them, newest first.");
  list->add_flag("--dead", flags->is_dead, "only those that did not arrive");
  line.OnRun(list, [&options, flags] { return List(options, flags->is_dead); });
  CLI::App* retry = notices->add_subcommand("retry", "Tries a dead one again, for an hour.");
  retry->add_option("ID", flags->id)->required();
  line.OnRun(retry, [&options, flags] { return Retry(options, flags->id); });
}

}  // namespace sallyport::controlplane
