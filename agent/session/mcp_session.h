#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"

namespace sallyport::agent {

// A fresh Mcp-Session-Id: base64url of 32 random bytes, all of it visible ASCII.
std::string NewMcpSessionId();

// `uri` is `whole`, or what a URI calls a part of it: its path, query or fragment goes on.
bool IsPartOf(std::string_view uri, std::string_view whole);

// The bookkeeping of one legacy MCP session: which request ids are in flight, which requests of
// the server the client has been given and may answer, each once, and what of the server is its
// own: the resources it subscribed to and the tasks it asked for. Ids are the literals of the
// messages, so `7` and `"7"` are two.
class McpSession {
 public:
  explicit McpSession(std::string id) : id_(std::move(id)) {}

  const std::string& id() const { return id_; }
  // Of the initialize response. Empty until then.
  const std::string& protocol_version() const { return protocol_version_; }
  void set_protocol_version(std::string version) { protocol_version_ = std::move(version); }
  // The Accept of its initialize would rather have a stream than JSON.
  bool prefers_streams() const { return prefers_streams_; }
  void set_prefers_streams(bool prefers) { prefers_streams_ = prefers; }

  // False: the id is in flight already, or 128 others are.
  bool BeginRequest(std::string_view id);
  void FinishRequest(std::string_view id) { Take(in_flight_, id); }
  std::size_t in_flight() const { return in_flight_.size(); }

  // The client was given the server's request `id`. False: it has one of that id, or more than 128
  // unanswered.
  bool DeliverServerRequest(std::string_view id);
  // The client answers it, or the server took it back. False: nothing of that id waits for an
  // answer.
  bool TakeServerRequest(std::string_view id) { return Take(server_requests_, id); }

  // Whether there is room for one more subscription.
  bool MaySubscribe(std::string_view uri) const;
  // False: it was subscribed to that URI already.
  bool Subscribe(std::string_view uri);
  void Unsubscribe(std::string_view uri);
  // To the resource, or to one that it is a part of: servers may tell of parts.
  bool IsSubscribedTo(std::string_view uri) const;

  // A task of the server that the client asked for. Of more than 1024 the oldest is forgotten.
  // `on_over` is called once when the server is done with it; where nobody will know when that is,
  // it is dropped.
  void AddTask(std::string id, absl::AnyInvocable<void()> on_over = nullptr);
  bool HasTask(std::string_view id) const;
  // The client was given what the task asks for under these keys. Of more than 128 in all the
  // oldest are forgotten, and may not be answered; what it is given again is new.
  void AskInTask(std::string_view id, const std::vector<std::string>& keys);
  bool HasAskedInTask(std::string_view id, std::string_view key) const;
  // The server says that it is done with it.
  void EndTask(std::string_view id);
  // The client wants nothing of it any more. The server may still be at it.
  void LeaveTask(std::string_view id);
  // The client has got its result: the server is done with it, too.
  void FinishTask(std::string_view id);
  bool has_unfinished_tasks() const;

 private:
  struct Task {
    std::string id;
    absl::AnyInvocable<void()> on_over;
    bool is_finished = false;
    // 64 bits of a hash of each key that it has asked under, the newest last.
    std::deque<std::size_t> asked = {};
  };

  using Ids = absl::flat_hash_set<std::string>;  // at most 128

  static bool Add(Ids& ids, std::string_view id);
  static bool Take(Ids& ids, std::string_view id);

  std::string id_;
  bool prefers_streams_ = false;
  std::string protocol_version_;
  Ids in_flight_;
  Ids server_requests_;
  std::vector<std::string> subscriptions_;
  std::deque<Task> tasks_;
  // Of all of them, for a message may name many.
  absl::flat_hash_set<std::string> task_ids_;
};

}  // namespace sallyport::agent
