#include "agent/call/paced_masker.h"

#include <catch2/catch.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "agent/loop/loop.h"
#include "tests/unit/agent/mask/mask_fixture.h"

namespace sallyport::agent {
namespace {

std::string ResultOf(const std::string& text) {
  return R"({"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":")" + text +
         R"("}]}})";
}

// A mebibyte, with a secret at its end.
std::string LongText() {
  std::string text;
  while (text.size() < (std::size_t{1} << 20)) text += "what a server says ";
  return text + kGithubToken;
}

struct Masking {
  Masking() : masker(*PacedMasker::Create(loop, Engine())) {}

  Loop loop;
  MaskFixture fixture;
  std::unique_ptr<PacedMasker> masker;
};

using Masked = std::optional<absl::StatusOr<MaskedMessage>>;

Task<void> Mask(Masking* masking, std::string bytes, Masked* masked, bool stops) {
  masked->emplace(co_await masking->masker->Mask("p", *ScanUpstreamMessage(std::move(bytes)),
                                                 masking->fixture.mask()));
  if (stops) masking->loop.Stop();
}

Task<void> MaskRequest(Masking* masking, std::shared_ptr<const ClientMessage> request,
                       std::optional<absl::StatusOr<MaskedRequest>>* masked,
                       std::optional<ShownRequest>* shown) {
  masked->emplace(co_await masking->masker->MaskRequest("p", request, masking->fixture.mask()));
  shown->emplace(co_await masking->masker->Show("p", request, masking->fixture.mask()));
  masking->loop.Stop();
}

TEST_CASE("a short message is masked at once", "[agent][call]") {
  Masking masking;
  Masked masked;
  masking.loop.Post([&] {
    masking.loop.Spawn(Mask(&masking, ResultOf("a " + kGithubToken), &masked, false));
    CHECK(masked.has_value());
    masking.loop.Stop();
  });
  masking.loop.Run();
  REQUIRE(masked.has_value());
  REQUIRE(masked->ok());
  CHECK((*masked)->bytes() == ResultOf("a [REDACTED:github]"));
}

TEST_CASE("while a long message is masked the loop goes on, and masks short ones",
          "[agent][call]") {
  Masking masking;
  Masked first;
  Masked second;
  Masked short_one;
  masking.loop.Post([&] {
    masking.loop.Spawn(Mask(&masking, ResultOf(LongText()), &first, false));
    masking.loop.Spawn(Mask(&masking, ResultOf(LongText() + " again"), &second, true));
    masking.loop.Spawn(Mask(&masking, ResultOf("short"), &short_one, false));
    CHECK(short_one.has_value());
    CHECK_FALSE(first.has_value());
    CHECK_FALSE(second.has_value());
  });
  masking.loop.Run();
  for (const Masked& masked : {first, second}) {
    REQUIRE(masked.has_value());
    REQUIRE(masked->ok());
    CHECK((*masked)->bytes().find(kGithubToken) == std::string_view::npos);
    REQUIRE((*masked)->findings().size() == 1);
    CHECK((*masked)->findings()[0].detector == "github");
  }
}

TEST_CASE("a long message that must be blocked is", "[agent][call]") {
  Masking masking;
  Masked masked;
  masking.loop.Spawn(Mask(
      &masking,
      R"({"jsonrpc":"2.0","id":1,"result":{")" + kGithubToken + R"(":")" + LongText() + R"("}})",
      &masked, true));
  masking.loop.Run();
  REQUIRE(masked.has_value());
  CHECK(ReasonOf(masked->status()) == types::v1::DenialReason::DENIAL_REASON_MASKER_BLOCKED);
}

TEST_CASE("a long request is masked for its record, and shown without its secret",
          "[agent][call]") {
  Masking masking;
  auto request =
      ScanClientMessage(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")" +
                        kGithubToken + R"(","arguments":{"text":")" + LongText() + R"("}}})");
  REQUIRE(request.ok());
  std::optional<absl::StatusOr<MaskedRequest>> masked;
  std::optional<ShownRequest> shown;
  masking.loop.Spawn(MaskRequest(
      &masking, std::make_shared<const ClientMessage>(*std::move(request)), &masked, &shown));
  masking.loop.Run();
  REQUIRE(masked.has_value());
  CHECK(masked->ok());
  REQUIRE(shown.has_value());
  CHECK(shown->target() == "[REDACTED:github]");
}

TEST_CASE("what is masked when the loop goes away is nobody's", "[agent][call]") {
  Masked masked;
  {
    auto masking = std::make_unique<Masking>();
    masking->loop.Post([&] {
      masking->loop.Spawn(Mask(masking.get(), ResultOf(LongText()), &masked, false));
      masking->loop.Stop();
    });
    masking->loop.Run();
  }
  CHECK_FALSE(masked.has_value());
}

TEST_CASE("principals take turns, and of one whoever came first is first", "[agent][call]") {
  Loop loop;
  PrincipalTurns turns;
  CHECK(turns.Next() == nullptr);
  std::deque<Signal> signals;
  std::string order;
  for (const char* principal : {"a", "a", "a", "b", "c", "b"}) {
    turns.Add(principal, signals.emplace_back(loop));
  }
  const auto next = [&] {
    const Signal* turn = turns.Next();
    for (std::size_t i = 0; i < signals.size(); ++i) {
      if (&signals[i] == turn) order += std::to_string(i);
    }
  };
  next();
  // Whoever had a turn and comes again has none before those that wait.
  turns.Add("d", signals.emplace_back(loop));
  for (int i = 0; i < 6; ++i) next();
  CHECK(order == "0341652");
  turns.Add("c", signals.emplace_back(loop));
  turns.Add("a", signals.emplace_back(loop));
  turns.Add("d", signals.emplace_back(loop));
  order.clear();
  for (int i = 0; i < 3; ++i) next();
  CHECK(order == "789");
  CHECK(turns.Next() == nullptr);
}

Task<void> MaskOf(Masking* masking, std::string principal, char name, std::string* order) {
  (void)co_await masking->masker->Mask(principal, *ScanUpstreamMessage(ResultOf(LongText())),
                                       masking->fixture.mask());
  order->push_back(name);
  if (order->size() == 5) masking->loop.Stop();
}

TEST_CASE("the long messages of one principal keep no other waiting for more than one of them",
          "[agent][call]") {
  Masking masking;
  std::string order;
  masking.loop.Post([&] {
    for (const char name : {'1', '2', '3', '4'}) {
      masking.loop.Spawn(MaskOf(&masking, "many", name, &order));
    }
    masking.loop.Spawn(MaskOf(&masking, "one", 'x', &order));
  });
  masking.loop.Run();
  CHECK(order == "1x234");
}

}  // namespace
}  // namespace sallyport::agent
