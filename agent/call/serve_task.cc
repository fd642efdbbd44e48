#include "agent/call/serve_task.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/call/answer_own.h"
#include "agent/call/answer_request.h"
#include "agent/call/deliver_message.h"
#include "agent/call/error_reply.h"
#include "agent/call/held_task.h"
#include "agent/mcp/client_capabilities.h"
#include "agent/mcp/dialect.h"
#include "agent/mcp/json_rpc.h"
#include "agent/mcp/modern_result.h"
#include "agent/mcp/task_extension.h"
#include "common/denial.h"

namespace sallyport::agent {
namespace {

bool IsTaskMethod(std::string_view method) {
  return method == "tasks/get" || method == "tasks/update" || method == "tasks/cancel";
}

Task<void> Refuse(Gateway& gateway, GrantedCall call, std::shared_ptr<const ClientMessage> request,
                  absl::Status why) {
  RefusalDetails details;
  details.rpc_code = rpc_code::kInvalidParams;
  co_await AnswerRefused(gateway, RefusedCall{std::move(call), std::move(request), std::move(why),
                                              std::move(details)});
}

// What the task asks for, who asks for the task must have declared, as its call had to.
absl::Status CheckAskable(const TaskState& task, const ClientMessage& request) {
  if (task.status != TaskStatus::kInputRequired) return absl::OkStatus();
  return CheckDeclaredForInputs(task.body, DeclaredBy(request));
}

// What the request asks of the task is done before its answer goes out.
Task<void> ServeOne(Gateway& gateway, GrantedCall call,
                    std::shared_ptr<const ClientMessage> request) {
  HeldTasks& tasks = call.session->tasks;
  HeldTask& task = *tasks.Find(request->task_id);
  UpstreamMessage answer = TaskAcknowledged(request->id);
  bool is_last = false;
  if (request->method == "tasks/get") {
    task.Nudge();
    const absl::Status askable = CheckAskable(task.state(), *request);
    answer = askable.ok() ? TaskGot(request->id, task.state()) : RefuseRequest(*request, askable);
    is_last = task.state().is_over();
  } else if (request->method == "tasks/cancel") {
    task.Cancel();
    is_last = true;
  } else {
    auto responses = ReadInputResponses(*request);
    if (!responses.ok()) {
      co_await Refuse(gateway, std::move(call), std::move(request), responses.status());
      co_return;
    }
    task.Supply(*responses);
  }
  const std::string id = request->task_id;
  const bool is_told = co_await AnswerOwn(gateway, call, std::move(request), {}, std::move(answer));
  if (!is_told || !is_last) co_return;
  if (HeldTask* told = tasks.Find(id)) told->set_settled();
}

// Tells of each change of the tasks until the client goes or the session ends.
class Listening {
 public:
  Listening(Gateway& gateway, GrantedCall call, std::shared_ptr<const ClientMessage> listen)
      : gateway_(gateway),
        call_(std::move(call)),
        listen_(std::move(listen)),
        changed_(gateway.loop),
        listener_(call_.session->tasks, changed_) {}

  Task<void> Run() {
    Reply& reply = *call_.reply;
    OpenRequest request{.id = listen_->id, .waiting = &changed_};
    const RegisteredRequest registered(*call_.session, *call_.connection, request);
    if (!registered.status().ok()) {
      co_await AnswerRefused(gateway_, RefusedCall{call_, listen_, registered.status(), {}});
      co_return;
    }
    const LiveSession::Stream stream(call_.session->live());
    co_await reply.Begin({});
    reply.TellWhenGone([this] { changed_.Set(); });
    const std::vector<std::string> tasks = TasksListenedTo(*listen_);
    co_await DeliverNotice(gateway_, call_, {}, TasksAcknowledged(listen_->id, tasks));
    while (!reply.is_gone() && !call_.connection->is_over()) {
      for (const std::string& id : tasks) co_await TellOf(id);
      const absl::Duration left = call_.session->token_expires_at() - gateway_.clock.Now();
      if (left <= absl::ZeroDuration()) break;
      if (co_await changed_.Wait(left)) changed_.Reset();
    }
    reply.TellWhenGone(nullptr);
    if (reply.is_gone()) {
      co_await reply.End();
    } else {
      (void)co_await AnswerOwn(gateway_, call_, listen_, {}, ListenEnded(listen_->id));
    }
  }

 private:
  Task<void> TellOf(const std::string& id) {
    const HeldTask* task = call_.session->tasks.Find(id);
    if (task == nullptr || task->state().updated_at == told_[id]) co_return;
    const bool is_new = told_[id] == absl::Time() && task->state().status == TaskStatus::kWorking;
    told_[id] = task->state().updated_at;
    // How it began the client knows already.
    if (is_new || !CheckAskable(task->state(), *listen_).ok()) co_return;
    co_await DeliverNotice(gateway_, call_, {}, TaskNews(listen_->id, task->state()));
  }

  Gateway& gateway_;
  const GrantedCall call_;
  const std::shared_ptr<const ClientMessage> listen_;
  Signal changed_;
  const HeldTasks::Listener listener_;
  // When the state that was told last had begun.
  std::map<std::string, absl::Time> told_;
};

}  // namespace

bool IsForHeldTasks(const GrantedCall& call, const ClientMessage& request) {
  if (request.era != Era::kModern) return false;
  const HeldTasks& tasks = call.session->tasks;
  const auto is_ours = [&](std::string_view id) { return tasks.Find(id) != nullptr; };
  if (IsTaskMethod(request.method)) return is_ours(request.task_id);
  if (!IsListening(request)) return false;
  const std::vector<std::string> listened = TasksListenedTo(request);
  return !listened.empty() && std::ranges::all_of(listened, is_ours);
}

Task<void> ServeTask(Gateway& gateway, GrantedCall call,
                     std::shared_ptr<const ClientMessage> request) {
  if (!request->modern.takes_tasks) {
    UpstreamMessage undeclared = TasksNotDeclared(request->id);
    (void)co_await AnswerOwn(gateway, call, std::move(request), {}, std::move(undeclared));
    co_return;
  }
  if (IsListening(*request)) {
    Listening listening(gateway, std::move(call), std::move(request));
    co_await listening.Run();
    co_return;
  }
  co_await ServeOne(gateway, std::move(call), std::move(request));
}

}  // namespace sallyport::agent
