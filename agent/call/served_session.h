#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/call/caller.h"
#include "agent/call/event_store.h"
#include "agent/call/held_tasks.h"
#include "agent/call/session_rules.h"
#include "agent/loop/signal.h"
#include "agent/mask/json_masker.h"
#include "agent/mcp/client_capabilities.h"
#include "agent/mcp/list_page.h"
#include "agent/mcp/message.h"
#include "agent/mcp/tool_definition.h"
#include "agent/mcp/tool_headers.h"
#include "agent/record/count_table.h"
#include "agent/record/recording_chain.h"
#include "agent/session/held.h"
#include "agent/session/live_session.h"
#include "agent/session/mcp_session.h"
#include "agent/session/open_rounds.h"
#include "agent/session/start_limit.h"
#include "agent/upstream/credentials.h"
#include "agent/upstream/upstream.h"
#include "common/few_recorded.h"

namespace sallyport::agent {

// A client's request between its arrival and its answer. Lives in the coroutine that serves it.
struct OpenRequest {
  // What it is known by in its connection: the literal of its id in the legacy era.
  std::string id;
  // While the server has it.
  Exchange* exchange = nullptr;
  // While it waits for a person: set to make it look again.
  Signal* waiting = nullptr;
  // The client took it back; it gets no response.
  bool is_cancelled = false;
  // It only listens, and goes no further than the token that asked for it.
  bool is_listening = false;
  bool is_token_over = false;
};

// What a server has shown of its tools on a connection since it last said that they changed: of
// each what it said last, to the client or to us.
class ToolLook {
 public:
  static constexpr std::size_t kMaxTools = 8192;

  // 64 bits of a hash with a seed of the process.
  static std::size_t KeyOf(std::string_view tool) { return absl::HashOf(tool); }
  using Names = absl::flat_hash_set<std::size_t>;
  // What a look has found, at most kMaxTools of each.
  struct Found {
    Names seen;
    // The server lists them, and policy would not show them to whom the look was for.
    Names passed_over;
  };

  explicit ToolLook(Loop& loop) : asked(loop) {}

  // A list says this of the tool. Null: more than is kept of a server.
  void See(std::string_view tool, SeenDefinition definition);
  // Null: it is not shown.
  SeenDefinition Find(std::string_view tool) const;

  // A page of a client's list has come, and these are on it. Those of all its pages, at most
  // kMaxTools, where this is the last one and no page of another list came between.
  std::optional<Names> TakePage(const ListPage& page, const Names& listed);

  // We have looked at all of them, and these are there; or not got to the end.
  void Take(const Found& found, bool is_all, absl::Duration now);
  // We have looked, no longer than `age` ago.
  bool HasLooked(absl::Duration now, absl::Duration age = absl::InfiniteDuration()) const {
    return looked_at_ && now - *looked_at_ <= age;
  }
  // The server lists it, and what it says of it has not been seen, for we looked for somebody else.
  // Never of the tool without a name.
  bool HasPassedOver(std::string_view tool) const;
  void Forget() {
    shown_.clear();
    passed_over_.clear();
    looked_at_.reset();
    pages_ = {};
    ++changes_;
  }
  std::uint64_t changes() const { return changes_; }

  // Somebody asks for all of them; `asked` is set when that is over, and `unrecorded` says why it
  // could not be recorded. Ok: it was.
  bool is_asking = false;
  Signal asked;
  absl::Status unrecorded;

 private:
  absl::flat_hash_map<std::size_t, SeenDefinition> shown_;
  Names passed_over_;
  std::optional<absl::Duration> looked_at_;
  // Of a client's list, as far as it has come.
  struct Pages {
    Names listed;
    std::string next_cursor;
  } pages_;
  std::uint64_t changes_ = 0;
};

// One legacy MCP session of a client with its own connection to the server: the bookkeeping, what
// is in flight, what its streams have carried, and the messages that wait for the client's GET
// stream. Or the one of all modern calls of a session, whose ids may be the same and mean nothing
// to each other.
class McpConnection final : public Holdable {
 public:
  McpConnection(Loop& loop, std::string id, ClientCapabilities capabilities, Era era);

  Era era() const { return era_; }

  McpSession& mcp() { return mcp_; }
  // What its client said at initialize that it can be asked for, as far as policy let the server
  // know. In the modern era each request says it.
  const ClientCapabilities& capabilities() const { return capabilities_; }
  // What its server said at initialize that it has: tasks, those of the legacy era.
  bool has_tasks() const { return has_tasks_; }
  void set_has_tasks(bool has_tasks) { has_tasks_ = has_tasks; }
  // What records call it: the first 8 hex digits of SHA-256 of its id, for the id itself opens the
  // session.
  const std::string& record_tag() const { return record_tag_; }

  Upstream* upstream() const { return upstream_.get(); }
  void set_upstream(std::unique_ptr<Upstream> upstream) { upstream_ = std::move(upstream); }

  // False: the id is in flight, or too many are.
  bool Begin(OpenRequest& request);
  void Finish(OpenRequest& request);
  // The client takes the request of that id back: wakes who serves it. True: the server has it and
  // should hear of it.
  bool CancelRequest(std::string_view id);

  // A message for the GET stream. The oldest is given up when more than 256 messages or 4 MiB wait,
  // and one that is longer than that where nobody reads the stream; it is returned then.
  std::optional<UpstreamMessage> Queue(UpstreamMessage message);
  std::optional<UpstreamMessage> TakeQueued();

  ToolLook& tool_look() { return tool_look_; }

  // Messages of the server's that its client may not have, and our answers to what it asks and no
  // client will answer.
  FewRecorded& dropped() { return dropped_; }
  FewRecorded& answered() { return answered_; }

  EventStore& events() { return events_; }
  // What the GET stream carries. At most one connection reads it.
  StreamLog& get_stream() { return events_.Log(0); }
  bool has_get_stream();

  // No more requests, no more stream: it was deleted, its session ended or its server is lost.
  // Wakes the stream, and what waits for a person.
  void EndStream();
  bool is_over() const { return is_over_; }
  // It is over because its client said so.
  void set_deleted() { is_deleted_ = true; }
  bool is_deleted() const { return is_deleted_; }
  // The session's latest token has run out: what listens ends, the GET stream and the requests that
  // do nothing else, and the MCP session goes on.
  void CloseStreams();
  bool is_stream_closing() const { return is_over_ || is_stream_closing_; }
  void ResetStream() { is_stream_closing_ = false; }

 private:
  void WakeStream();

  McpSession mcp_;
  const ClientCapabilities capabilities_;
  bool has_tasks_ = false;
  const Era era_;
  // Of the requests of the modern era, in place of their ids.
  std::uint64_t last_key_ = 0;
  std::string record_tag_;
  std::unique_ptr<Upstream> upstream_;
  std::vector<OpenRequest*> open_requests_;
  std::deque<UpstreamMessage> queued_;
  std::size_t queued_bytes_ = 0;
  ToolLook tool_look_;
  FewRecorded dropped_;
  FewRecorded answered_;
  EventStore events_;
  bool is_over_ = false;
  bool is_deleted_ = false;
  bool is_stream_closing_ = false;
};

// An initialize that the server has not answered yet. It goes on when the client is told to come
// again, and the identical initialize attaches to it.
struct StartingConnection {
  explicit StartingConnection(Loop& loop) : done(loop) {}
  // The initialize as the client sent it.
  std::string request;
  std::unique_ptr<McpConnection> connection;
  // Of its record.
  std::uint64_t request_n = 0;
  std::optional<ShownRequest> shown;
  absl::Duration started_at;
  // Somebody answers with it.
  bool is_attended = false;
  Signal done;
  // When done: the server's response, or why there is none.
  absl::StatusOr<UpstreamMessage> response = absl::UnknownError("not answered");
};

// The connection that all modern calls of a session share.
struct SharedConnection {
  explicit SharedConnection(Loop& loop) : ready(loop) {}
  // Set when it is there, or will not be.
  Signal ready;
  // When ready: the connection, which the session owns. Null: `why` says why there is none.
  McpConnection* connection = nullptr;
  absl::Status why;
  // The server speaks the legacy era alone.
  bool is_legacy_only = false;
  // What is known of its tools.
  ToolHeaders tools;
};

// One active session, with all that hangs on it: its recording, its masks, its credentials, its MCP
// sessions. Owned by the SessionTable.
class ServedSession final : public Holdable {
 public:
  ServedSession(Loop& loop, const Clock& clock, SessionFacts facts, std::string key);

  LiveSession& live() { return live_; }
  const SessionFacts& facts() const { return live_.facts(); }
  const std::string& id() const { return live_.facts().id; }
  // SessionKey of its principal and server.
  const std::string& key() const { return key_; }
  const std::string& principal_key() const { return principal_key_; }

  std::unique_ptr<RecordingChain> chain;
  std::shared_ptr<const Credentials> credentials;
  SessionMask mask;
  // Of the HMAC over a call's arguments; the same after a restart of the agent.
  std::string digest_key;
  // Of the request states that its clients hold, and the rounds they are of.
  std::string state_key;
  OpenRounds rounds;

  // Whom the token named that it was opened with: no later one gives it more rights.
  std::shared_ptr<const types::v1::Principal> opened_as;
  // The rules for its principal, as the latest token that it took names it, under the snapshot in
  // force.
  std::shared_ptr<const SessionRules> rules;

  // Whom its tokens have named, each once, and the masks of them all under a snapshot: `mask` is
  // made of these, so that nothing comes out unmasked because another token was used meanwhile.
  std::vector<std::shared_ptr<const types::v1::Principal>> spoken_as;
  std::shared_ptr<const AgentSnapshot> masks_of;
  std::set<std::string> mask_names;

  // The caller whose token came last, and the one whose token holds longest. Null after a restart
  // of the agent.
  std::shared_ptr<const Caller> caller;
  std::shared_ptr<const Caller> lasting_caller;
  absl::Time token_expires_at() const {
    return lasting_caller ? lasting_caller->expires_at : absl::InfiniteFuture();
  }
  // Whose rights something has that `asker` began and that goes on by itself: the asker's, while
  // that token holds.
  std::shared_ptr<const Caller> CallerFor(std::shared_ptr<const Caller> asker,
                                          absl::Time now) const {
    return now < asker->expires_at || !lasting_caller ? std::move(asker) : lasting_caller;
  }

  // By MCP session id. An ended one is moved to `ended_connections` until nobody holds it.
  std::map<std::string, std::unique_ptr<McpConnection>, std::less<>> connections;
  std::vector<std::unique_ptr<McpConnection>> ended_connections;
  std::vector<std::shared_ptr<StartingConnection>> starting;
  // Null until a modern call needs it, and again once it has ended.
  std::shared_ptr<SharedConnection> shared;
  StartLimit starts;
  // Calls of it that wait as tasks of our own, and what became of them.
  HeldTasks tasks;
  // Null until a limit asks for them.
  std::shared_ptr<CountTable::Kept> call_counts;
  std::shared_ptr<CountTable::Kept> principal_counts;
  // Calls of it that wait until a person decides.
  int held_calls = 0;
  // How many RegisteredRequests there are, of all its MCP sessions.
  std::size_t open_requests = 0;
  // How many CountedOperations there are.
  int counted_in_flight = 0;
  // What was counted and not recorded of its connections that have ended.
  std::uint64_t unrecorded = 0;
  // The MCP session that ended last was deleted by its client: when no other is left, it is
  // completed.
  bool was_deleted = false;
  // Its END record is durable and its end has been told: it may be deleted.
  bool is_closed = false;

 private:
  std::string key_;
  std::string principal_key_;
  LiveSession live_;
};

}  // namespace sallyport::agent
