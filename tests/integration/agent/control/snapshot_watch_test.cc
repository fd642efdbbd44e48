#include "agent/control/snapshot_watch.h"

#include <grpcpp/server_context.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/file.h"
#include "sallyport/agent/v1/snapshot_service.grpc.pb.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_door.h"
#include "tests/fakes/snapshot_signer.h"
#include "tests/fakes/snapshots.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport::agent {
namespace {

// Sends each new stream what it was told to, then what comes, until it is cut or hangs up.
class Service final : public v1::SnapshotService::Service {
 public:
  void Greet(std::vector<v1::AgentUpdate> updates) {
    absl::MutexLock lock(&mutex_);
    greeting_ = std::move(updates);
  }
  void Send(v1::AgentUpdate update) {
    absl::MutexLock lock(&mutex_);
    queue_.push_back(std::move(update));
  }
  // Ends the stream that runs.
  void HangUp() {
    absl::MutexLock lock(&mutex_);
    hang_up_ = true;
  }
  std::vector<v1::WatchSnapshotRequest> requests() {
    absl::MutexLock lock(&mutex_);
    return requests_;
  }
  int refreshes() {
    absl::MutexLock lock(&mutex_);
    return refreshes_;
  }
  // What was beaten last. 0: nothing.
  std::uint64_t beat() {
    absl::MutexLock lock(&mutex_);
    return beat_;
  }
  // How many ends each beat has confirmed that confirmed any.
  std::vector<int> confirmed() {
    absl::MutexLock lock(&mutex_);
    return confirmed_;
  }
  // What the agent said last of what it does not understand.
  std::string not_understood() {
    absl::MutexLock lock(&mutex_);
    return not_understood_;
  }
  // What each stream ends with at once.
  void Refuse(grpc::Status status) {
    absl::MutexLock lock(&mutex_);
    refusal_ = std::move(status);
  }
  std::function<bool()> on_refresh = [] { return false; };

 private:
  grpc::Status WatchSnapshot(grpc::ServerContext* context, const v1::WatchSnapshotRequest* request,
                             grpc::ServerWriter<v1::AgentUpdate>* writer) override {
    absl::MutexLock lock(&mutex_);
    requests_.push_back(*request);
    if (!refusal_.ok()) return refusal_;
    queue_ = greeting_;
    while (!context->IsCancelled()) {
      for (const v1::AgentUpdate& update : std::exchange(queue_, {})) writer->Write(update);
      if (std::exchange(hang_up_, false))
        return grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting");
      mutex_.AwaitWithTimeout(
          absl::Condition(
              +[](Service* self) { return !self->queue_.empty() || self->hang_up_; }, this),
          absl::Milliseconds(5));
    }
    return grpc::Status::CANCELLED;
  }
  grpc::Status RefreshKeys(grpc::ServerContext*, const v1::RefreshKeysRequest*,
                           v1::RefreshKeysResponse* response) override {
    {
      absl::MutexLock lock(&mutex_);
      ++refreshes_;
    }
    response->set_found(on_refresh());
    return grpc::Status::OK;
  }

  grpc::Status Beat(grpc::ServerContext*, const v1::BeatRequest* request,
                    v1::BeatResponse*) override {
    absl::MutexLock lock(&mutex_);
    beat_ = request->beat();
    not_understood_ = request->not_understood();
    if (request->ended_sessions_size() > 0) confirmed_.push_back(request->ended_sessions_size());
    return grpc::Status::OK;
  }

  absl::Mutex mutex_;
  std::uint64_t beat_ = 0;
  std::string not_understood_;
  std::vector<int> confirmed_;
  grpc::Status refusal_;
  std::vector<v1::AgentUpdate> greeting_;
  std::vector<v1::AgentUpdate> queue_;
  bool hang_up_ = false;
  std::vector<v1::WatchSnapshotRequest> requests_;
  int refreshes_ = 0;
};

v1::AgentUpdate Resync() {
  v1::AgentUpdate update;
  update.mutable_resynced();
  return update;
}

v1::AgentUpdate Heartbeat(std::uint64_t beat) {
  v1::AgentUpdate update;
  update.mutable_heartbeat()->set_beat(beat);
  return update;
}

v1::AgentUpdate SessionIs(const std::string& id, types::v1::SessionState state) {
  v1::AgentUpdate update;
  update.mutable_session()->mutable_session()->set_id(id);
  update.mutable_session()->mutable_session()->set_state(state);
  return update;
}

Task<void> DrainThenStop(SnapshotWatch* watch, Loop* loop) {
  co_await watch->Drain();
  loop->Stop();
}

struct Fixture {
  Fixture() {
    const PrivateKey key = GenerateKey();
    identity = {.private_key = KeyToPem(*key),
                .certificate_chain = ca.Issue(*key, {.uri = "spiffe://sallyport/agent/a"}),
                .ca = ca.pem()};
    channel = std::make_unique<ControlPlaneChannel>(loop, door.address(), identity);
    watch = MakeWatch();
    loop.Every(absl::Milliseconds(1), [this] {
      if (until && until()) loop.Stop();
    });
  }
  ~Fixture() {
    until = nullptr;
    loop.Spawn(DrainThenStop(watch.get(), &loop));
    loop.Run();
  }

  std::unique_ptr<SnapshotWatch> MakeWatch() {
    return std::make_unique<SnapshotWatch>(*channel, clock, dir.path(), "a", ca.pem());
  }

  v1::AgentUpdate Signed(const v1::Snapshot& snapshot) const {
    v1::AgentUpdate update;
    *update.mutable_snapshot() = signer.Sign(snapshot);
    return update;
  }
  void RunUntil(std::function<bool()> condition) {
    until = std::move(condition);
    loop.Run();
  }

  TempDir dir;
  TestCa ca;
  FakeSnapshotSigner signer{ca};
  Service service;
  FakeDoor door{ca, {&service}, {}};
  FakeClock clock{absl::Now()};
  LinkIdentity identity;
  Loop loop;
  std::unique_ptr<ControlPlaneChannel> channel;
  std::unique_ptr<SnapshotWatch> watch;
  std::function<bool()> until;
};

TEST_CASE_METHOD(Fixture, "a watch tells what it is told, in order, and knows when it is complete",
                 "[agent][control]") {
  std::vector<std::string> told;
  watch->Observe(
      {.on_snapshot =
           [&](const auto& s) { told.push_back("snapshot " + std::to_string(s->version())); },
       .on_session = [&](const auto& u) { told.push_back("session " + u.session().id()); },
       .on_approval = [&](const auto& a) { told.push_back("approval " + a.id()); },
       .on_resynced =
           [&](const auto& active) {
             told.push_back("resynced " + std::to_string(active.size()));
           }});
  v1::AgentUpdate approval;
  approval.mutable_approval()->set_id("apr_1");
  service.Greet({Signed(SomeSnapshot(1, 5)), SessionIs("ses_1", types::v1::SESSION_STATE_ACTIVE),
                 SessionIs("ses_2", types::v1::SESSION_STATE_PENDING), approval, Resync()});
  CHECK(watch->current() == nullptr);
  CHECK_FALSE(watch->is_connected());
  CHECK(watch->SilentFor() == absl::InfiniteDuration());
  watch->Start();
  RunUntil([&] { return watch->is_connected(); });
  CHECK(told == std::vector<std::string>{"snapshot 5", "session ses_1", "session ses_2",
                                         "approval apr_1", "resynced 1"});
  CHECK(watch->current()->version() == 5);
  clock.Advance(absl::Seconds(7));
  CHECK(watch->SilentFor() == absl::Seconds(7));
  service.Send(SessionIs("ses_1", types::v1::SESSION_STATE_ENDED));
  RunUntil([&] { return told.back() == "session ses_1"; });
}

TEST_CASE_METHOD(Fixture, "silence counts from what the control plane's word answers",
                 "[agent][control]") {
  std::vector<std::string> sessions;
  watch->Observe({.on_session = [&](const auto& u) { sessions.push_back(u.session().id()); }});
  const auto told = [&](v1::AgentUpdate update) {
    const std::string id = "ses_" + std::to_string(sessions.size());
    service.Send(std::move(update));
    service.Send(SessionIs(id, types::v1::SESSION_STATE_ENDED));
    RunUntil([&] { return !sessions.empty() && sessions.back() == id; });
  };
  const auto nanos = [&](absl::Duration ago) {
    return static_cast<std::uint64_t>(absl::ToInt64Nanoseconds(clock.SinceBoot() - ago));
  };
  service.Greet({Signed(SomeSnapshot(1, 1)), Resync()});
  watch->Start();
  RunUntil([&] { return watch->is_connected(); });
  clock.Advance(absl::Seconds(9));
  // Whatever is pushed may have been held up for as long as one likes.
  told(SessionIs("ses_x", types::v1::SESSION_STATE_ACTIVE));
  told(Heartbeat(0));
  CHECK(watch->SilentFor() == absl::Seconds(9));
  told(Heartbeat(nanos(absl::Seconds(3))));
  CHECK(watch->SilentFor() == absl::Seconds(3));
  // An older beat takes nothing back, and none of the future is believed.
  told(Heartbeat(nanos(absl::Seconds(5))));
  told(Heartbeat(nanos(-absl::Seconds(5))));
  CHECK(watch->SilentFor() == absl::Seconds(3));
  // A new stream answers what asked for it.
  service.HangUp();
  RunUntil([&] { return !watch->is_connected(); });
  RunUntil([&] { return watch->is_connected(); });
  CHECK(watch->SilentFor() == absl::ZeroDuration());
}

TEST_CASE_METHOD(Fixture, "while its stream is there the agent beats, by its own clock",
                 "[agent][control]") {
  service.Greet({Signed(SomeSnapshot(1, 1)), Resync()});
  watch->Start();
  RunUntil([&] { return service.beat() != 0; });
  CHECK(absl::Nanoseconds(static_cast<std::int64_t>(service.beat())) == clock.SinceBoot());
}

TEST_CASE_METHOD(Fixture, "ends are confirmed by the next beats, 1,000 at most by each",
                 "[agent][control]") {
  service.Greet({Signed(SomeSnapshot(1, 1)), Resync()});
  watch->Start();
  // Those of before the stream wait for it.
  for (int i = 0; i < 1001; ++i) watch->ConfirmEnd("ses_" + std::to_string(i));
  RunUntil([&] { return service.confirmed().size() == 2; });
  CHECK(service.confirmed() == std::vector<int>{1000, 1});
}

TEST_CASE_METHOD(Fixture,
                 "a control plane that will not have the agent is heard, one that is gone is not",
                 "[agent][control]") {
  std::vector<absl::StatusCode> refusals;
  watch->Observe({.on_refused = [&](const auto& why) { refusals.push_back(why.code()); }});
  service.Refuse({grpc::StatusCode::UNAVAILABLE, "restarting"});
  watch->Start();
  RunUntil([&] { return service.requests().size() >= 2; });
  CHECK(refusals.empty());
  service.Refuse({grpc::StatusCode::PERMISSION_DENIED, "locked: agent a is banned"});
  RunUntil([&] { return refusals.size() == 1; });
  service.Refuse({grpc::StatusCode::UNAUTHENTICATED, "token_invalid: enrolled again"});
  RunUntil([&] { return refusals.size() >= 2 && refusals.back() != refusals.front(); });
  CHECK(refusals.front() == absl::StatusCode::kPermissionDenied);
  CHECK(refusals.back() == absl::StatusCode::kUnauthenticated);
  CHECK(absl::IsUnauthenticated(watch->refusal()));
  service.Greet({Signed(SomeSnapshot(1, 1)), Resync()});
  service.Refuse(grpc::Status::OK);
  RunUntil([&] { return watch->is_connected(); });
  CHECK(watch->refusal().ok());
}

TEST_CASE_METHOD(Fixture,
                 "a session that a call has just opened is among the active ones of a stream that "
                 "listed them before",
                 "[agent][control]") {
  std::vector<absl::flat_hash_set<std::string>> resyncs;
  watch->Observe({.on_resynced = [&](const auto& active) { resyncs.push_back(active); }});
  service.Greet({Signed(SomeSnapshot(1, 1)), SessionIs("ses_1", types::v1::SESSION_STATE_ACTIVE)});
  watch->Start();
  RunUntil([&] { return watch->current() != nullptr; });
  // The control plane made its list, then opened the session, and only now says that the list is
  // whole: who took it to the letter would revoke what has just begun.
  watch->NoteActive("ses_new");
  service.Send(Resync());
  RunUntil([&] { return resyncs.size() == 1; });
  CHECK(resyncs[0] == absl::flat_hash_set<std::string>{"ses_1", "ses_new"});

  // The next stream's list was made after it: what is not in it is over.
  service.Greet({SessionIs("ses_1", types::v1::SESSION_STATE_ACTIVE), Resync()});
  service.HangUp();
  RunUntil([&] { return resyncs.size() == 2; });
  CHECK(resyncs[1] == absl::flat_hash_set<std::string>{"ses_1"});
}

TEST_CASE_METHOD(Fixture, "a stream that breaks is begun again from what is known",
                 "[agent][control]") {
  int resyncs = 0;
  watch->Observe({.on_resynced = [&](const auto&) { ++resyncs; }});
  service.Greet({Signed(SomeSnapshot(2, 5)), Resync()});
  watch->Start();
  RunUntil([&] { return resyncs == 1; });
  service.HangUp();
  RunUntil([&] { return !watch->is_connected(); });
  CHECK(watch->current()->version() == 5);
  RunUntil([&] { return resyncs == 2; });
  REQUIRE(service.requests().size() == 2);
  CHECK(service.requests()[0].version() == 0);
  CHECK(service.requests()[1].epoch() == 2);
  CHECK(service.requests()[1].version() == 5);
}

TEST_CASE_METHOD(Fixture, "only what is newer, signed and ours is put in force",
                 "[agent][control]") {
  std::vector<std::uint64_t> in_force;
  watch->Observe({.on_snapshot = [&](const auto& s) { in_force.push_back(s->version()); }});
  v1::Snapshot elsewhere = SomeSnapshot(2, 9);
  elsewhere.set_agent("b");
  v1::AgentUpdate forged;
  *forged.mutable_snapshot() =
      FakeSnapshotSigner(ca, "spiffe://sallyport/agent/a").Sign(SomeSnapshot(2, 9));
  service.Greet({Signed(SomeSnapshot(2, 5)), Signed(SomeSnapshot(2, 4)),
                 Signed(SomeSnapshot(1, 99)), Signed(SomeSnapshot(2, 5)), Signed(elsewhere), forged,
                 Resync()});
  watch->Start();
  RunUntil([&] { return watch->is_connected(); });
  CHECK(in_force == std::vector<std::uint64_t>{5});
  service.Send(Signed(SomeSnapshot(3, 1)));
  RunUntil([&] { return in_force.size() == 2; });
  CHECK(watch->current()->epoch() == 3);
}

TEST_CASE_METHOD(Fixture, "of a snapshot that cannot be understood nothing is let through",
                 "[agent][control]") {
  v1::Snapshot broken = SomeSnapshot(2, 9);
  broken.set_grant_keys("{}");
  service.Greet({Signed(SomeSnapshot(2, 5)), Signed(broken), Resync()});
  watch->Start();
  RunUntil([&] { return watch->is_connected(); });
  // The control plane hears why.
  RunUntil([&] { return service.not_understood().find("grant keys") == 0; });
  service.Send(Signed(SomeSnapshot(2, 8)));
  RunUntil([&] { return !watch->not_taken().empty(); });
  const auto lock = [&] {
    return watch->current()->policies()->LockOn({}, "everything", "a", clock.Now());
  };
  CHECK(watch->current()->version() == 9);
  CHECK(watch->is_shut());
  CHECK(lock() == "policies-not-understood");
  // After a restart it is not the one before that counts.
  const auto after_restart = MakeWatch();
  CHECK_FALSE(after_restart->LoadKept().ok());
  CHECK(after_restart->current() == nullptr);

  service.Send(Signed(SomeSnapshot(2, 10)));
  RunUntil([&] { return watch->current()->version() == 10; });
  CHECK_FALSE(watch->is_shut());
  CHECK(lock().empty());
  RunUntil([&] { return service.not_understood().empty(); });
}

TEST_CASE_METHOD(Fixture,
                 "a control plane whose snapshots are refused counts as silent, and hears why",
                 "[agent][control]") {
  const auto heartbeat = [&] {
    return Heartbeat(static_cast<std::uint64_t>(absl::ToInt64Nanoseconds(clock.SinceBoot())));
  };
  service.Greet({Signed(SomeSnapshot(2, 5)), Resync()});
  watch->Start();
  RunUntil([&] { return watch->is_connected(); });
  clock.Advance(absl::Seconds(9));
  service.Send(Signed(SomeSnapshot(2, 4)));
  service.Send(heartbeat());
  RunUntil([&] { return service.not_understood().find("the snapshot goes back") == 0; });
  CHECK(watch->not_taken() == service.not_understood());
  CHECK(watch->current()->version() == 5);
  CHECK(watch->SilentFor() == absl::Seconds(9));
  service.Send(Signed(SomeSnapshot(2, 6)));
  service.Send(heartbeat());
  RunUntil([&] { return service.not_understood().empty(); });
  CHECK(watch->SilentFor() == absl::ZeroDuration());
  CHECK(watch->not_taken().empty());
}

TEST_CASE_METHOD(Fixture, "that a snapshot cannot be delivered is no secret", "[agent][control]") {
  service.Refuse({grpc::StatusCode::RESOURCE_EXHAUSTED, "Received message larger than max"});
  watch->Start();
  RunUntil([&] { return service.requests().size() >= 2; });
  CHECK_THAT(watch->not_taken(), Catch::Contains("larger than max"));
  service.Greet({Signed(SomeSnapshot(1, 1)), Resync()});
  service.Refuse(grpc::Status::OK);
  RunUntil([&] { return watch->is_connected(); });
  CHECK(watch->not_taken().empty());
}

// Takes a good part of a second to compile.
v1::Snapshot SlowSnapshot(std::uint64_t version) {
  v1::Snapshot snapshot = SomeSnapshot(1, version);
  types::v1::RuleBody& allow =
      *snapshot.mutable_policies(0)->mutable_policy()->mutable_rules(0)->mutable_allow();
  for (int i = 0; i < 2000; ++i) {
    types::v1::Condition& condition = *allow.add_when();
    condition.set_path("/one/of/many");
    condition.set_matches("(a|b|c)*[a-z]{1,500}" + std::to_string(i));
  }
  return snapshot;
}

TEST_CASE_METHOD(Fixture, "what takes away waits for no snapshot, and all else is told in order",
                 "[agent][control]") {
  std::vector<std::string> told;
  watch->Observe(
      {.on_snapshot =
           [&](const auto& s) { told.push_back("snapshot " + std::to_string(s->version())); },
       .on_session =
           [&](const auto& u) {
             told.push_back(u.session().id() + (u.has_grant() ? " granted" : " over"));
           },
       .on_approval = [&](const auto& a) { told.push_back(a.id()); },
       .on_resynced = [&](const auto& active) { told.push_back(*active.begin()); }});
  const auto granted = [](const std::string& id) {
    v1::AgentUpdate update = SessionIs(id, types::v1::SESSION_STATE_ACTIVE);
    update.mutable_session()->mutable_grant();
    return update;
  };
  const auto approval = [](const std::string& id, types::v1::ApprovalState state) {
    v1::AgentUpdate update;
    update.mutable_approval()->set_id(id);
    update.mutable_approval()->set_state(state);
    return update;
  };
  service.Greet({Signed(SlowSnapshot(2)), granted("ses_1"), granted("ses_2"),
                 approval("apr_1", types::v1::APPROVAL_STATE_APPROVED),
                 approval("apr_2", types::v1::APPROVAL_STATE_APPROVED), Signed(SomeSnapshot(1, 3)),
                 granted("ses_3"), Signed(SomeSnapshot(1, 4)), Resync(),
                 SessionIs("ses_1", types::v1::SESSION_STATE_ENDED),
                 SessionIs("ses_3", types::v1::SESSION_STATE_ENDED),
                 approval("apr_2", types::v1::APPROVAL_STATE_REVOKED)});
  watch->Start();
  RunUntil([&] { return watch->is_connected(); });
  // The loop went on meanwhile.
  CHECK(told == std::vector<std::string>{"ses_1 over", "ses_3 over", "apr_2", "snapshot 2",
                                         "ses_2 granted", "apr_1", "snapshot 4", "ses_2"});
}

TEST_CASE_METHOD(Fixture, "a stream that breaks takes along what was told behind a snapshot",
                 "[agent][control]") {
  int resyncs = 0;
  watch->Observe({.on_resynced = [&](const auto&) { ++resyncs; }});
  service.Greet({Signed(SlowSnapshot(2)), Resync()});
  service.HangUp();
  watch->Start();
  RunUntil([&] { return watch->current() != nullptr; });
  CHECK(resyncs == 0);
  RunUntil([&] { return watch->is_connected(); });
  CHECK(resyncs == 1);
  CHECK(service.requests().size() == 2);
}

TEST_CASE_METHOD(Fixture, "the last snapshot outlives the agent, and is judged again",
                 "[agent][control]") {
  service.Greet({Signed(SomeSnapshot(4, 2)), Resync()});
  watch->Start();
  const std::string file = dir.path() + "/snapshot.pb";
  RunUntil([&] { return watch->is_connected() && access(file.c_str(), F_OK) == 0; });

  const auto after_restart = MakeWatch();
  REQUIRE(after_restart->LoadKept().ok());
  CHECK(after_restart->current()->epoch() == 4);

  v1::SignedSnapshot kept;
  REQUIRE(kept.ParseFromString(*ReadSecretFile(file)));
  kept.set_snapshot(SomeSnapshot(4, 3).SerializeAsString());
  REQUIRE(WriteFileAtomically(file, kept.SerializeAsString()).ok());
  const auto tampered = MakeWatch();
  CHECK(tampered->LoadKept().code() == absl::StatusCode::kUnauthenticated);
  CHECK(tampered->current() == nullptr);
  REQUIRE(WriteFileAtomically(file, "garbage").ok());
  CHECK_FALSE(MakeWatch()->LoadKept().ok());
  REQUIRE(::unlink(file.c_str()) == 0);
  CHECK(MakeWatch()->LoadKept().ok());
}

TEST_CASE_METHOD(Fixture, "after a restart a snapshot still cannot go back", "[agent][control]") {
  REQUIRE(WriteFileAtomically(dir.path() + "/snapshot.pb",
                              signer.Sign(SomeSnapshot(4, 2)).SerializeAsString())
              .ok());
  REQUIRE(watch->LoadKept().ok());
  service.Greet({Signed(SomeSnapshot(4, 1)), Resync()});
  watch->Start();
  RunUntil([&] { return watch->is_connected(); });
  CHECK(watch->current()->version() == 2);
}

Task<void> AskKeys(SnapshotWatch* watch, std::string key_id, std::vector<bool>* answers) {
  answers->push_back(co_await watch->RefreshKeys("okta", std::move(key_id)));
}

TEST_CASE_METHOD(Fixture,
                 "who asks for a new key gets it with the snapshot that has it, in one request",
                 "[agent][control]") {
  service.Greet({Signed(SomeSnapshot(1, 1)), Resync()});
  service.on_refresh = [&] {
    service.Send(Signed(SomeSnapshot(1, 2, {"k1", "k2"})));
    return true;
  };
  watch->Start();
  RunUntil([&] { return watch->is_connected(); });
  std::vector<bool> answers;
  for (const char* key : {"k2", "k2", "k1", "k2"}) loop.Spawn(AskKeys(watch.get(), key, &answers));
  RunUntil([&] { return answers.size() == 4; });
  CHECK(answers == std::vector<bool>{true, true, true, true});
  CHECK(service.refreshes() == 1);
}

TEST_CASE_METHOD(Fixture, "strangers' keys are asked about once in a while only",
                 "[agent][control]") {
  service.Greet({Signed(SomeSnapshot(1, 1)), Resync()});
  watch->Start();
  RunUntil([&] { return watch->is_connected(); });
  std::vector<bool> answers;
  loop.Spawn(AskKeys(watch.get(), "x1", &answers));
  RunUntil([&] { return answers.size() == 1; });
  loop.Spawn(AskKeys(watch.get(), "x2", &answers));
  RunUntil([&] { return answers.size() == 2; });
  CHECK(service.refreshes() == 1);
  clock.Advance(absl::Seconds(6));
  loop.Spawn(AskKeys(watch.get(), "x3", &answers));
  RunUntil([&] { return answers.size() == 3; });
  CHECK(answers == std::vector<bool>{false, false, false});
  CHECK(service.refreshes() == 2);
}

Task<void> AwaitSnapshot(SnapshotWatch* watch, absl::Duration timeout, int* answer) {
  *answer = co_await watch->WaitForSnapshot(timeout) ? 1 : 0;
}

TEST_CASE_METHOD(Fixture, "who waits for the first snapshot is told, or times out",
                 "[agent][control]") {
  int first = -1;
  loop.Spawn(AwaitSnapshot(watch.get(), absl::Milliseconds(5), &first));
  RunUntil([&] { return first >= 0; });
  CHECK(first == 0);
  service.Greet({Signed(SomeSnapshot(1, 1)), Resync()});
  int second = -1;
  loop.Spawn(AwaitSnapshot(watch.get(), absl::Seconds(30), &second));
  watch->Start();
  RunUntil([&] { return second >= 0; });
  CHECK(second == 1);
}

Task<void> HearAgain(SnapshotWatch* watch, absl::Duration timeout, int* answer) {
  *answer = co_await watch->HearAgain(absl::Seconds(8), timeout) ? 1 : 0;
}

TEST_CASE_METHOD(Fixture,
                 "who knows that the control plane is back does not wait for the next attempt",
                 "[agent][control]") {
  service.Greet({Signed(SomeSnapshot(1, 1)), Resync()});
  watch->Start();
  RunUntil([&] { return watch->is_connected(); });
  const auto hear = [&](absl::Duration timeout) {
    int answer = -1;
    loop.Spawn(HearAgain(watch.get(), timeout, &answer));
    RunUntil([&] { return answer >= 0; });
    return answer == 1;
  };
  CHECK(hear(absl::ZeroDuration()));

  service.Refuse({grpc::StatusCode::UNAVAILABLE, "restarting"});
  service.HangUp();
  RunUntil([&] { return service.requests().size() == 4; });
  clock.Advance(absl::Seconds(8));
  CHECK_FALSE(hear(absl::Milliseconds(5)));
  // The next attempt is 0.8 s away, or more.
  RunUntil([&] { return service.requests().size() == 5; });
  service.Refuse(grpc::Status::OK);
  const absl::Time asked = absl::Now();
  CHECK(hear(absl::Seconds(30)));
  CHECK(absl::Now() - asked < absl::Milliseconds(700));
  CHECK(watch->SilentFor() == absl::ZeroDuration());
}

}  // namespace
}  // namespace sallyport::agent
