#include "common/ids.h"

#include <catch2/catch.hpp>
#include <set>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/random.h"
#include "common/strings.h"

namespace sallyport {
namespace {

TEST_CASE("ids carry their prefix and never repeat", "[common]") {
  CHECK(IsId(NewSessionId(), "ses_"));
  CHECK(IsId(NewApprovalId(), "apr_"));
  CHECK(IsId(NewRecordId(), "rec_"));
  CHECK(NewRequestId().size() == 26);
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(NewSessionId());
  CHECK(ids.size() == 1000);
}

TEST_CASE("what is not an id is told apart", "[common]") {
  const std::string id = NewSessionId();
  CHECK_FALSE(IsId(id, "apr_"));
  CHECK_FALSE(IsId(id + "a", "ses_"));
  CHECK_FALSE(IsId(id.substr(0, 29), "ses_"));
  CHECK_FALSE(IsId("ses_ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ses_"));
  CHECK_FALSE(IsId("ses_../../../../etc/passwd0000", "ses_"));
}

TEST_CASE("random bytes are as many as asked for and differ", "[common]") {
  CHECK(RandomBytes(0).empty());
  CHECK(RandomBytes(300).size() == 300);
  CHECK(RandomBytes(16) != RandomBytes(16));
  CHECK(NewRandomToken().size() == 43);
  for (int i = 0; i < 1000; ++i) {
    const double fraction = RandomFraction();
    REQUIRE(fraction >= 0);
    REQUIRE(fraction < 1);
  }
}

TEST_CASE("a backoff doubles up to its limit, with jitter, and begins anew after a success",
          "[common]") {
  Backoff backoff(absl::Seconds(1), absl::Seconds(5));
  for (int limit : {1, 2, 4, 5, 5}) {
    const absl::Duration wait = backoff.Next();
    CHECK(wait >= absl::Seconds(limit) / 2);
    CHECK(wait <= absl::Seconds(limit));
  }
  backoff.Reset();
  CHECK(backoff.Next() <= absl::Seconds(1));
  const absl::Duration near = Jittered(absl::Seconds(100), 0.1);
  CHECK(near >= absl::Seconds(90));
  CHECK(near <= absl::Seconds(110));
}

TEST_CASE("the boot clock never goes back", "[common]") {
  const SystemClock clock;
  const absl::Duration first = clock.SinceBoot();
  CHECK(first > absl::ZeroDuration());
  CHECK(clock.SinceBoot() >= first);
}

TEST_CASE("digests and hex are the well-known ones", "[common]") {
  CHECK(ToHex(Sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(ToHex(std::string_view("\x00\xff", 2)) == "00ff");
}

}  // namespace
}  // namespace sallyport
