#include "agent/record/recorder.h"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "agent/loop/signal.h"
#include "agent/mask/json_masker.h"
#include "agent/record/spool.h"
#include "common/chain/chain.h"
#include "common/denial.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/outbound_maker.h"

namespace sallyport::agent {
namespace {

struct Rig {
  explicit Rig(Durability durability = Durability::kProcess) {
    options = {.dir = dir / "spool",
               .agent_name = "edge",
               .durability = durability,
               .spool_max_bytes = 1 << 20,
               .message_bytes = 1 << 16,
               .segment_bytes = 1 << 17};
    Start();
  }
  void Start() {
    chain.reset();
    recorder.reset();
    loop = std::make_unique<Loop>();
    auto made = Recorder::Create(*loop, clock, options);
    if (!made.ok()) FAIL(made.status().message());
    recorder = *std::move(made);
  }
  void Run(Task<void> task) { RunUntilDone(*loop, std::move(task)); }

  // All records of one spool, as they would be shipped.
  std::vector<types::v1::Record> Shipped(int spool = 0) {
    SpoolReader reader(*recorder->spools()[spool]);
    std::vector<types::v1::Record> out;
    for (;;) {
      auto next = reader.Next();
      REQUIRE(next.ok());
      if (next->empty()) return out;
      REQUIRE(out.emplace_back().ParseFromArray(next->data(), static_cast<int>(next->size())));
    }
  }
  void Acknowledge() {
    for (Spool* spool : recorder->spools()) {
      SpoolReader reader(*spool);
      while (!reader.Next()->empty()) {
      }
      spool->Acknowledge(reader.position(), reader.TakeBytes());
    }
  }

  TempDir dir;
  FakeClock clock;
  RecorderOptions options;
  std::unique_ptr<Loop> loop;
  std::unique_ptr<Recorder> recorder;
  std::unique_ptr<RecordingChain> chain;
};

const std::string kCall =
    R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"deploy","arguments":{}}})";

types::v1::RecordContent ContentOf(const types::v1::Record& record) {
  types::v1::RecordContent content;
  REQUIRE(content.ParseFromString(record.payload()));
  return content;
}

std::string Verify(const std::vector<types::v1::Record>& records, const std::string& session) {
  chain::ChainVerifier verifier(session);
  for (const types::v1::Record& r : records) {
    if (r.session_id() != session) continue;
    const auto& fault =
        verifier.Check({r.session_id(), r.n(), static_cast<std::uint32_t>(r.type()),
                        r.time_unix_nanos(), r.salt(), r.payload(), r.payload_digest(), r.hash()});
    if (fault) return fault->reason;
  }
  return "";
}

Task<void> End(Rig* rig, std::string_view reason) {
  EventFacts end;
  end.type = types::v1::RECORD_TYPE_END;
  end.end_reason = reason;
  CHECK((co_await rig->recorder->RecordEvent(*rig->chain, end)).ok());
}

Task<void> OneCall(Rig* rig, std::string session, bool answers) {
  rig->chain = rig->recorder->StartChain(session);
  EventFacts open;
  open.type = types::v1::RECORD_TYPE_OPEN;
  open.server = "wiki";
  CHECK((co_await rig->recorder->RecordEvent(*rig->chain, open)).ok());
  auto out = co_await rig->recorder->RecordRequest(
      *rig->chain, {{.policy = "bots", .approval_id = "apr_1"}, true},
      Masked(kCall, {.method = "tools/call",
                     .target = "de***",
                     .id = "0",
                     .bytes = "masked",
                     .findings = {{"email", "/params/arguments/to", 1}}}));
  REQUIRE(out.ok());
  CHECK(out->bytes() == kCall);
  CHECK(out->record_n() == 2);
  CHECK(rig->chain->unanswered() == std::vector<std::uint64_t>{2});
  CHECK(rig->chain->calls() == 1);
  if (!answers) co_return;
  MessageFacts facts;
  facts.request_n = out->record_n();
  facts.answers = &out->shown();
  auto answer = co_await rig->recorder->RecordMessage(
      *rig->chain, facts, Masker::Refusal("7", types::v1::DENIAL_REASON_MASKER_BLOCKED));
  REQUIRE(answer.ok());
  CHECK(answer->bytes().find("masker_blocked") != std::string_view::npos);
  CHECK(rig->chain->unanswered().empty());
  co_await End(rig, "completed");
  CHECK(rig->chain->is_closed());
  EventFacts late;
  late.type = types::v1::RECORD_TYPE_APPROVAL;
  CHECK((co_await rig->recorder->RecordEvent(*rig->chain, late)).code() ==
        absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("a session's records are chained and durable before their messages may go on",
          "[agent][recorder]") {
  Rig rig(GENERATE(Durability::kProcess, Durability::kPower));
  rig.Run(OneCall(&rig, "ses_a", true));
  auto records = rig.Shipped();
  REQUIRE(records.size() == 4);
  CHECK(Verify(records, "ses_a") == "");
  CHECK(records[1].type() == types::v1::RECORD_TYPE_REQUEST);
  types::v1::RecordContent request = ContentOf(records[1]);
  CHECK(request.method() == "tools/call");
  CHECK(request.target() == "de***");
  CHECK(request.rpc_id() == "0");
  CHECK(request.body() == "masked");
  CHECK(request.original_bytes() == kCall.size());
  CHECK(request.policy() == "bots");
  CHECK(request.findings(0).detector() == "email");
  types::v1::RecordContent result = ContentOf(records[2]);
  CHECK(records[2].type() == types::v1::RECORD_TYPE_RESULT);
  CHECK(result.request_n() == 2);
  CHECK(result.outcome() == "error");
  // As the request's record shows it, in the message, too.
  CHECK(result.method() == "tools/call");
  CHECK(result.target() == "de***");
  CHECK(result.rpc_id() == "0");
  CHECK(result.body().find(R"("id":0,)") != std::string::npos);
  CHECK(ContentOf(records[3]).end_reason() == "completed");
  // Nothing is left open for the next start.
  rig.Start();
  CHECK(rig.recorder->TakeOpenChains().empty());
}

Task<void> Concurrently(Rig* rig, RecordingChain* chain, int* left) {
  for (int i = 0; i < 20; ++i) {
    auto out = co_await rig->recorder->RecordRequest(*chain, {}, Clean(kCall));
    REQUIRE(out.ok());
  }
  if (--*left == 0) rig->loop->Stop();
}
TEST_CASE("many calls of many sessions share commits and keep their chains apart",
          "[agent][recorder]") {
  Rig rig(GENERATE(Durability::kProcess, Durability::kPower));
  std::vector<std::unique_ptr<RecordingChain>> chains;
  int left = 8;
  for (int i = 0; i < 8; ++i) {
    chains.push_back(rig.recorder->StartChain("ses_" + std::to_string(i)));
    rig.loop->Spawn(Concurrently(&rig, chains.back().get(), &left));
  }
  rig.loop->Run();
  auto records = rig.Shipped();
  CHECK(records.size() == 160);
  for (int i = 0; i < 8; ++i) CHECK(Verify(records, "ses_" + std::to_string(i)) == "");
}

TEST_CASE(
    "a request without an answer has the outcome unknown after a restart, and its chain goes on",
    "[agent][recorder]") {
  Rig rig;
  rig.Run(OneCall(&rig, "ses_a", false));
  bool acknowledged = GENERATE(false, true);
  if (acknowledged) rig.Acknowledge();
  rig.Start();
  auto open = rig.recorder->TakeOpenChains();
  REQUIRE(open.size() == 1);
  CHECK(open[0]->session_id() == "ses_a");
  CHECK(open[0]->n() == 3);
  CHECK(open[0]->calls() == 1);
  CHECK(open[0]->unanswered().empty());
  auto records = rig.Shipped();
  REQUIRE(records.size() == (acknowledged ? 1 : 3));
  types::v1::RecordContent outcome = ContentOf(records.back());
  CHECK(records.back().type() == types::v1::RECORD_TYPE_OUTCOME);
  CHECK(outcome.outcome() == "unknown");
  CHECK(outcome.request_n() == 2);
  if (!acknowledged) CHECK(Verify(records, "ses_a") == "");

  // It can be closed, and is closed then.
  rig.chain = std::move(open[0]);
  rig.Run(End(&rig, "disconnected"));
  if (!acknowledged) CHECK(Verify(rig.Shipped(), "ses_a") == "");
  rig.Start();
  CHECK(rig.recorder->TakeOpenChains().empty());
  CHECK(rig.recorder->damaged_sessions().empty());
}

TEST_CASE("a further round of a call does not count, and not after a restart either",
          "[agent][recorder]") {
  Rig rig;
  rig.Run(OneCall(&rig, "ses_a", false));
  rig.Run([](Rig* r) -> Task<void> {
    CHECK((co_await r->recorder->RecordRequest(*r->chain, {}, Clean(kCall))).ok());
  }(&rig));
  CHECK(rig.chain->calls() == 1);
  rig.chain.reset();
  rig.Start();
  const auto open = rig.recorder->TakeOpenChains();
  REQUIRE(open.size() == 1);
  CHECK(open[0]->calls() == 1);
}

TEST_CASE("a call that was not sent counts no longer, and not after a restart either",
          "[agent][recorder]") {
  Rig rig;
  rig.Run(OneCall(&rig, "ses_a", false));
  rig.Run([](Rig* r) -> Task<void> {
    EventFacts unsent;
    unsent.type = types::v1::RECORD_TYPE_OUTCOME;
    unsent.request_n = 2;
    unsent.outcome = "error";
    unsent.is_taken_back = true;
    CHECK((co_await r->recorder->RecordEvent(*r->chain, std::move(unsent))).ok());
  }(&rig));
  CHECK(rig.chain->calls() == 0);
  rig.chain.reset();
  rig.Start();
  const auto open = rig.recorder->TakeOpenChains();
  REQUIRE(open.size() == 1);
  CHECK(open[0]->calls() == 0);
}

TEST_CASE(
    "a session whose END is written is not begun again, also by the next run, until it is known",
    "[agent][recorder]") {
  Rig rig;
  rig.Run(OneCall(&rig, "ses_over", false));
  rig.Run(End(&rig, "completed"));
  rig.chain.reset();
  const bool restarts = GENERATE(false, true);
  if (restarts) rig.Start();
  CHECK(rig.recorder->StartChain("ses_over")->is_closed());
  CHECK_FALSE(rig.recorder->StartChain("ses_other")->is_closed());
  rig.recorder->ForgetEnds([](const std::string& id) { return id == "ses_other"; });
  CHECK(rig.recorder->StartChain("ses_over")->is_closed());
  rig.recorder->ForgetEnds([](const std::string& id) { return id == "ses_over"; });
  CHECK_FALSE(rig.recorder->StartChain("ses_over")->is_closed());
}

TEST_CASE(
    "an open chain is remembered although every record of it was acknowledged and overwritten",
    "[agent][recorder]") {
  Rig rig;
  rig.Run(OneCall(&rig, "ses_quiet", false));
  auto quiet = std::move(rig.chain);
  auto busy = rig.recorder->StartChain("ses_busy");
  for (int i = 0; i < 40; ++i) {
    rig.Run([](Rig* r, RecordingChain* c) -> Task<void> {
      EventFacts facts;
      facts.type = types::v1::RECORD_TYPE_APPROVAL;
      facts.detail = Shown(std::string(30000, 'x'));
      CHECK((co_await r->recorder->RecordEvent(*c, std::move(facts))).ok());
    }(&rig, busy.get()));
    rig.Acknowledge();
  }
  quiet.reset();
  busy.reset();
  rig.Start();
  auto open = rig.recorder->TakeOpenChains();
  REQUIRE(open.size() == 2);
  for (auto& chain : open) {
    CHECK(chain->n() == (chain->session_id() == "ses_quiet" ? 3 : 40));
    CHECK(chain->calls() == (chain->session_id() == "ses_quiet" ? 1 : 0));
  }
}

Task<void> FillUp(Rig* rig, absl::Status* refused) {
  rig->chain = rig->recorder->StartChain("ses_full");
  auto out = co_await rig->recorder->RecordRequest(*rig->chain, {}, Clean(kCall));
  REQUIRE(out.ok());
  std::string big(30000, 'x');
  for (;;) {
    auto more =
        co_await rig->recorder->RecordRequest(*rig->chain, {}, Masked(kCall, {.bytes = big}));
    if (!more.ok()) {
      *refused = more.status();
      break;
    }
  }
  // The refusal itself can be told, unrecorded; and the session can end properly.
  CHECK(rig->recorder->RefuseUnrecorded(UpstreamMessage{.bytes = "{}"}).ok());
  for (std::uint64_t n : std::vector<std::uint64_t>(rig->chain->unanswered())) {
    EventFacts outcome;
    outcome.type = types::v1::RECORD_TYPE_OUTCOME;
    outcome.outcome = "unknown";
    outcome.request_n = n;
    outcome.detail = Shown(std::string(10000, 'd'));
    CHECK((co_await rig->recorder->RecordEvent(*rig->chain, std::move(outcome))).ok());
  }
  co_await End(rig, "expired");
}
TEST_CASE(
    "a full spool refuses calls with recorder_unavailable and still takes outcomes and the end",
    "[agent][recorder]") {
  Rig rig;
  absl::Status refused;
  rig.Run(FillUp(&rig, &refused));
  CHECK(refused.code() == absl::StatusCode::kResourceExhausted);
  CHECK(ReasonOf(refused) == types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE);
  CHECK(Verify(rig.Shipped(), "ses_full") == "");
  rig.Acknowledge();
  rig.Run(OneCall(&rig, "ses_after", false));
  CHECK(rig.recorder->RefuseUnrecorded(UpstreamMessage{.bytes = "{}"}).status().code() ==
        absl::StatusCode::kFailedPrecondition);
}

// Where `room` records of 70,000 bytes have room, one in a segment of its own.
Task<void> FillWithLong(Rig* rig, int room, absl::Status* refused) {
  rig->chain = rig->recorder->StartChain("ses_long");
  const std::string big(70000, 'x');
  int taken = 0;
  while (refused->ok()) {
    *refused =
        (co_await rig->recorder->RecordRequest(*rig->chain, {}, Masked(kCall, {.bytes = big})))
            .status();
    taken += refused->ok() ? 1 : 0;
  }
  CHECK(taken == room);
  // The recorder takes records, and those that are short.
  CHECK(rig->recorder->status().ok());
  CHECK(rig->recorder->backlog_bytes() < rig->recorder->capacity_bytes() * 9 / 10);
  CHECK((co_await rig->recorder->RecordRequest(*rig->chain, {}, Clean(kCall))).ok());
  CHECK_FALSE(
      (co_await rig->recorder->RecordRequest(*rig->chain, {}, Masked(kCall, {.bytes = big}))).ok());
  CHECK((co_await rig->recorder->RecordRequest(*rig->chain, {}, Clean(kCall))).ok());
}
TEST_CASE("a burst of long records leaves room for short ones", "[agent][recorder]") {
  Rig rig;
  absl::Status refused;
  rig.Run(FillWithLong(&rig, 6, &refused));
  CHECK(refused.code() == absl::StatusCode::kResourceExhausted);
  CHECK(ReasonOf(refused) == types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE);
  CHECK(Verify(rig.Shipped(), "ses_long") == "");
  rig.Acknowledge();
  absl::Status again;
  // The sixth segment is the first now.
  rig.Run(FillWithLong(&rig, 5, &again));
}

Task<void> AnswersOften(Rig* rig) {
  rig->chain = rig->recorder->StartChain("ses_asked");
  const std::string answer = R"({"jsonrpc":"2.0","id":"q","result":{}})";
  const std::uint64_t n = rig->chain->n();
  const OutboundMessage out = rig->recorder->AnswerUnrecorded(Clean(answer));
  CHECK(out.bytes() == answer);
  CHECK(rig->chain->n() == n);
  RequestFacts facts;
  facts.unrecorded = 7;
  CHECK((co_await rig->recorder->RecordRequest(*rig->chain, facts, Clean(answer))).ok());
}
TEST_CASE("an answer of our own goes out without a record, and the next one says so",
          "[agent][recorder]") {
  Rig rig;
  rig.Run(AnswersOften(&rig));
  const auto records = rig.Shipped();
  REQUIRE_FALSE(records.empty());
  CHECK(records.back().type() == types::v1::RECORD_TYPE_ANSWER);
  CHECK(ContentOf(records.back()).detail() ==
        "7 more answers of our own before it are counted and not recorded");
}

Task<void> FailOnce(Rig* rig, absl::Status* first, absl::Status* second) {
  rig->chain = rig->recorder->StartChain("ses_eio");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit none = before;
  none.rlim_cur = 4096;
  setrlimit(RLIMIT_FSIZE, &none);
  *first = (co_await rig->recorder->RecordRequest(*rig->chain, {}, Clean(kCall))).status();
  setrlimit(RLIMIT_FSIZE, &before);
  *second = (co_await rig->recorder->RecordRequest(*rig->chain, {}, Clean(kCall))).status();
}
TEST_CASE("a failed write refuses this call and every later one with recorder_unavailable",
          "[agent][recorder]") {
  std::signal(SIGXFSZ, SIG_IGN);
  Rig rig(GENERATE(Durability::kProcess, Durability::kPower));
  absl::Status first;
  absl::Status second;
  rig.Run(FailOnce(&rig, &first, &second));
  CHECK(ReasonOf(first) == types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE);
  CHECK(second.code() == absl::StatusCode::kUnavailable);
  CHECK(ReasonOf(second) == types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE);
  CHECK_FALSE(rig.recorder->status().ok());
  CHECK(rig.Shipped().empty());
}

TEST_CASE(
    "refusals without a session are chained apart and summarised past ten a second of one source",
    "[agent][recorder]") {
  Rig rig;
  for (int i = 0; i < 25; ++i)
    rig.recorder->RecordDenial({.reason = types::v1::DENIAL_REASON_TOKEN_MISSING,
                                .server = "wiki"_words,
                                .client_address = "192.0.2.1"});
  types::v1::Principal bot;
  bot.set_subject("bot");
  rig.recorder->RecordDenial({.reason = types::v1::DENIAL_REASON_SESSION_PENDING,
                              .client_address = "192.0.2.2",
                              .principal = &bot});
  rig.Run(Sleep(*rig.loop, absl::Milliseconds(1100)));
  auto records = rig.Shipped(1);
  REQUIRE(records.size() == 12);
  CHECK(records[0].session_id().starts_with("agent:edge:"));
  CHECK(Verify(records, records[0].session_id()) == "");
  CHECK(ContentOf(records[0]).server() == "wiki");
  CHECK_FALSE(ContentOf(records[0]).has_principal());
  CHECK(ContentOf(records[10]).denial_reason() == types::v1::DENIAL_REASON_SESSION_PENDING);
  CHECK(ContentOf(records[10]).principal().subject() == "bot");
  CHECK(ContentOf(records[11]).detail().starts_with("15 more"));
  CHECK(rig.Shipped(0).empty());
  // The chain goes on in the next run, and is nobody's session.
  rig.Start();
  CHECK(rig.recorder->TakeOpenChains().empty());
  rig.recorder->RecordDenial({.reason = types::v1::DENIAL_REASON_TOKEN_INVALID});
  CHECK(rig.recorder->Flush().ok());
  CHECK(rig.Shipped(1).size() == 13);
  CHECK(Verify(rig.Shipped(1), records[0].session_id()) == "");
}

TEST_CASE("a response has no record but of the request that it answers", "[agent][recorder]") {
  Rig rig;
  rig.chain = rig.recorder->StartChain("ses_a");
  rig.Run([](Rig* r) -> Task<void> {
    auto answer = co_await r->recorder->RecordMessage(
        *r->chain, {}, Masker::Refusal("7", types::v1::DENIAL_REASON_MASKER_BLOCKED));
    CHECK(answer.status().code() == absl::StatusCode::kInternal);
  }(&rig));
  CHECK(rig.Shipped().empty());
}

Task<void> TryEvent(Rig* rig, absl::Status* got) {
  EventFacts facts;
  facts.type = types::v1::RECORD_TYPE_APPROVAL;
  *got = co_await rig->recorder->RecordEvent(*rig->chain, std::move(facts));
}
TEST_CASE(
    "a damaged spool starts, ships what is whole and does not continue the chain it cannot vouch "
    "for",
    "[agent][recorder]") {
  Rig rig;
  rig.Run(OneCall(&rig, "ses_a", false));
  auto first = std::move(rig.chain);
  rig.Run(OneCall(&rig, "ses_b", false));
  first.reset();
  rig.chain.reset();
  rig.recorder.reset();
  for (const auto& entry : std::filesystem::directory_iterator(rig.options.dir + "/sessions")) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(file)), {});
    auto at = bytes.find("masked");
    if (at == std::string::npos) continue;
    file.clear();
    file.seekp(static_cast<std::streamoff>(at));
    file << "MASKED";
  }
  rig.Start();
  CHECK(rig.recorder->damaged_sessions() == std::vector<std::string>{"ses_a"});
  auto open = rig.recorder->TakeOpenChains();
  REQUIRE(open.size() == 1);
  CHECK(open[0]->session_id() == "ses_b");
  auto records = rig.Shipped();
  CHECK(Verify(records, "ses_a") == "");
  CHECK(Verify(records, "ses_b") == "");
  rig.Run(OneCall(&rig, "ses_c", true));

  // Nor at any later start; and who tries is refused.
  open.clear();
  rig.Start();
  CHECK(rig.recorder->damaged_sessions() == std::vector<std::string>{"ses_a"});
  open = rig.recorder->TakeOpenChains();
  REQUIRE(open.size() == 1);
  CHECK(open[0]->session_id() == "ses_b");
  rig.chain = rig.recorder->StartChain("ses_a");
  absl::Status refused;
  rig.Run(TryEvent(&rig, &refused));
  CHECK(ReasonOf(refused) == types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE);
  CHECK(rig.recorder->RefuseUnrecorded(UpstreamMessage{.bytes = "{}"}).ok());
}

TEST_CASE("a recording that is given up takes no record any more, in no run, and others do",
          "[agent][recorder]") {
  Rig rig;
  rig.Run(OneCall(&rig, "ses_a", false));
  auto given_up = std::move(rig.chain);
  rig.Run(OneCall(&rig, "ses_b", false));
  auto other = std::move(rig.chain);
  const bool is_served = GENERATE(true, false);
  if (!is_served) given_up.reset();
  CHECK(rig.recorder->GiveUp("ses_a"));
  CHECK(rig.recorder->damaged_sessions() == std::vector<std::string>{"ses_a"});
  rig.chain = is_served ? std::move(given_up) : rig.recorder->StartChain("ses_a");
  CHECK(rig.chain->is_closed());
  absl::Status refused;
  rig.Run(TryEvent(&rig, &refused));
  CHECK(ReasonOf(refused) == types::v1::DENIAL_REASON_RECORDER_UNAVAILABLE);
  CHECK(rig.recorder->RefuseUnrecorded(UpstreamMessage{.bytes = "{}"}).ok());
  CHECK(rig.recorder->status().ok());
  CHECK(rig.Shipped().size() == 4);
  rig.chain = std::move(other);
  rig.Run(TryEvent(&rig, &refused));
  CHECK(refused.ok());

  rig.Start();
  CHECK(rig.recorder->damaged_sessions() == std::vector<std::string>{"ses_a"});
  const auto open = rig.recorder->TakeOpenChains();
  REQUIRE(open.size() == 1);
  CHECK(open[0]->session_id() == "ses_b");
  CHECK(rig.recorder->StartChain("ses_a")->is_closed());
}

TEST_CASE("the room that a recording kept for its end is free once it is given up",
          "[agent][recorder]") {
  Rig rig;
  const auto fill = [&](const std::string& session) {
    absl::Status refused;
    rig.Run([](Rig* r, std::string id, absl::Status* why) -> Task<void> {
      r->chain = r->recorder->StartChain(id);
      while (why->ok()) {
        *why = (co_await r->recorder->RecordRequest(*r->chain, {}, Clean(kCall))).status();
      }
    }(&rig, session, &refused));
    return rig.chain->n();
  };
  const std::uint64_t first = fill("ses_a");
  rig.Acknowledge();
  CHECK(rig.recorder->GiveUp("ses_a"));
  rig.chain.reset();
  // But for what the segment that is written to has already.
  CHECK(fill("ses_b") > first * 9 / 10);
}

TEST_CASE("refusals go on in a chain of their own when theirs is given up, and in the next run",
          "[agent][recorder]") {
  Rig rig;
  const auto deny = [&] {
    rig.recorder->RecordDenial({.reason = types::v1::DENIAL_REASON_TOKEN_INVALID});
    REQUIRE(rig.recorder->Flush().ok());
    return rig.Shipped(1).back();
  };
  const std::string given_up = deny().session_id();
  CHECK_FALSE(rig.recorder->GiveUp(given_up));
  const types::v1::Record next = deny();
  CHECK(next.session_id() != given_up);
  CHECK(next.session_id().starts_with("agent:edge:"));
  CHECK(next.n() == 1);
  // Told once more, it is another's no more.
  CHECK_FALSE(rig.recorder->GiveUp(given_up));
  CHECK(deny().n() == 2);
  CHECK(rig.recorder->damaged_sessions().empty());
  rig.Start();
  const types::v1::Record later = deny();
  CHECK(later.session_id() == next.session_id());
  CHECK(later.n() == 3);
  CHECK(Verify(rig.Shipped(1), next.session_id()) == "");
}

}  // namespace
}  // namespace sallyport::agent
