#include "agent/session/mcp_session.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "common/ids.h"
#include "common/strings.h"

namespace sallyport::agent {
namespace {

constexpr std::size_t kMaxOutstanding = 128;
constexpr std::size_t kMaxSubscriptions = 1024;
constexpr std::size_t kMaxUriBytes = std::size_t{4} << 10;
constexpr std::size_t kMaxTasks = 1024;

}  // namespace

bool IsPartOf(std::string_view uri, std::string_view whole) {
  if (!uri.starts_with(whole)) return false;
  return uri.size() == whole.size() || whole.ends_with('/') ||
         std::string_view("/?#").find(uri[whole.size()]) != std::string_view::npos;
}

std::string NewMcpSessionId() { return NewRandomToken(); }

bool McpSession::BeginRequest(std::string_view id) { return Add(in_flight_, id); }

bool McpSession::DeliverServerRequest(std::string_view id) { return Add(server_requests_, id); }

bool McpSession::Add(Ids& ids, std::string_view id) {
  return ids.size() < kMaxOutstanding && ids.emplace(id).second;
}

bool McpSession::Take(Ids& ids, std::string_view id) { return ids.erase(ToAbsl(id)) != 0; }

bool McpSession::MaySubscribe(std::string_view uri) const {
  return subscriptions_.size() < kMaxSubscriptions && uri.size() <= kMaxUriBytes;
}

bool McpSession::Subscribe(std::string_view uri) {
  if (std::find(subscriptions_.begin(), subscriptions_.end(), uri) != subscriptions_.end()) {
    return false;
  }
  subscriptions_.emplace_back(uri);
  return true;
}

void McpSession::Unsubscribe(std::string_view uri) {
  std::erase_if(subscriptions_, [&](const std::string& subscribed) { return subscribed == uri; });
}

bool McpSession::IsSubscribedTo(std::string_view uri) const {
  return std::any_of(subscriptions_.begin(), subscriptions_.end(),
                     [&](const std::string& whole) { return IsPartOf(uri, whole); });
}

void McpSession::AddTask(std::string id, absl::AnyInvocable<void()> on_over) {
  if (!task_ids_.insert(id).second) return;
  tasks_.push_back(Task{std::move(id), std::move(on_over)});
  if (tasks_.size() <= kMaxTasks) return;
  task_ids_.erase(tasks_.front().id);
  tasks_.pop_front();
}

bool McpSession::HasTask(std::string_view id) const { return task_ids_.contains(ToAbsl(id)); }

void McpSession::AskInTask(std::string_view id, const std::vector<std::string>& keys) {
  for (Task& task : tasks_) {
    if (task.id != id) continue;
    for (const std::string& key : keys) {
      const std::size_t hash = absl::HashOf(ToAbsl(key));
      std::erase(task.asked, hash);
      task.asked.push_back(hash);
      if (task.asked.size() > kMaxOutstanding) task.asked.pop_front();
    }
  }
}

bool McpSession::HasAskedInTask(std::string_view id, std::string_view key) const {
  return std::any_of(tasks_.begin(), tasks_.end(), [&](const Task& task) {
    return task.id == id &&
           std::ranges::find(task.asked, absl::HashOf(ToAbsl(key))) != task.asked.end();
  });
}

void McpSession::EndTask(std::string_view id) {
  for (Task& task : tasks_) {
    if (task.id != id || task.on_over == nullptr) continue;
    std::exchange(task.on_over, nullptr)();
  }
}

void McpSession::LeaveTask(std::string_view id) {
  for (Task& task : tasks_) {
    if (task.id == id) task.is_finished = true;
  }
}

void McpSession::FinishTask(std::string_view id) {
  EndTask(id);
  LeaveTask(id);
}

bool McpSession::has_unfinished_tasks() const {
  return std::any_of(tasks_.begin(), tasks_.end(),
                     [](const Task& task) { return !task.is_finished; });
}

}  // namespace sallyport::agent
