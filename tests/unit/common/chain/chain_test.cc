#include "common/chain/chain.h"

#include <openssl/evp.h>

#include <catch2/catch.hpp>
#include <vector>

namespace sallyport::chain {
namespace {

struct Stored {
  std::string session;
  std::uint64_t n;
  std::uint32_t type;
  std::int64_t time;
  std::string salt;
  std::string payload;
  std::string digest;
  std::string hash;

  StoredLink Link() const { return {session, n, type, time, salt, payload, digest, hash}; }
};

std::vector<Stored> MakeChain(const std::string& session, int length) {
  ChainHead head(session);
  std::vector<Stored> records;
  for (int i = 0; i < length; ++i) {
    Stored record{session,
                  0,
                  static_cast<std::uint32_t>(i % 3 + 1),
                  1000 + i,
                  std::string(16, static_cast<char>(i)),
                  "payload " + std::to_string(i),
                  "",
                  ""};
    const auto appended = head.Append(record.type, record.time, record.salt, record.payload);
    record.n = appended.n;
    record.digest = View(appended.payload_digest);
    record.hash = View(appended.hash);
    records.push_back(record);
  }
  return records;
}

// The first fault of a whole chain, as "n: reason".
std::string FaultOf(const std::string& session, const std::vector<Stored>& records) {
  ChainVerifier verifier(session);
  for (const Stored& record : records) verifier.Check(record.Link());
  if (!verifier.fault().has_value()) return "";
  return std::to_string(verifier.fault()->n) + ": " + verifier.fault()->reason;
}

// A second reader, written from the header's layout alone and over another interface of OpenSSL.
std::string Prefixed(const std::string& bytes) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8)
    text += static_cast<char>(bytes.size() >> shift & 0xff);
  return text + bytes;
}
std::string BigEndian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}
std::string Sha(const std::string& bytes) {
  unsigned char digest[32];
  unsigned length = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr);
  return {reinterpret_cast<const char*>(digest), length};
}

TEST_CASE("the hashes are those of the documented layout", "[chain]") {
  const std::string tag = Prefixed("sallyport-record-v1");
  const std::string session = "ses_abc";
  std::string previous = Sha(tag + Prefixed(session));
  CHECK(View(FirstHash(session)) == previous);
  for (const Stored& record : MakeChain(session, 4)) {
    const std::string digest = Sha(Prefixed(record.salt) + Prefixed(record.payload));
    previous = Sha(tag + Prefixed(session) + Prefixed(BigEndian(record.n, 8)) + Prefixed(previous) +
                   Prefixed(BigEndian(record.type, 4)) +
                   Prefixed(BigEndian(static_cast<std::uint64_t>(record.time), 8)) +
                   Prefixed(BigEndian(record.payload.size(), 8)) + Prefixed(digest));
    CHECK(record.digest == digest);
    CHECK(record.hash == previous);
  }
}

TEST_CASE("a whole chain verifies, from the start and from the middle", "[chain]") {
  const auto records = MakeChain("ses_a", 6);
  CHECK(FaultOf("ses_a", records).empty());
  CHECK(FaultOf("ses_a", {}).empty());
  ChainVerifier rest(ChainHead("ses_a", 3, *DigestFrom(records[2].hash)));
  for (std::size_t i = 3; i < records.size(); ++i) rest.Check(records[i].Link());
  CHECK_FALSE(rest.fault().has_value());
  CHECK(rest.head().n() == 6);
}

TEST_CASE("each thing that is done to a chain shows at the record it was done to", "[chain]") {
  const auto good = MakeChain("ses_a", 5);
  const auto changed = [&](auto change) {
    auto records = good;
    change(records);
    return FaultOf("ses_a", records);
  };
  using Records = std::vector<Stored>;
  CHECK(changed([](Records& r) { r[2].payload[0] ^= 1; }).rfind("3: payload", 0) == 0);
  CHECK(changed([](Records& r) { r[2].payload += 'x'; }).rfind("3: payload", 0) == 0);
  CHECK(changed([](Records& r) { r[2].salt[0] ^= 1; }).rfind("3: payload", 0) == 0);
  CHECK(changed([](Records& r) { r[2].digest[0] ^= 1; }).rfind("3: payload", 0) == 0);
  CHECK(changed([](Records& r) { r[2].digest.clear(); }).rfind("3: payload", 0) == 0);
  CHECK(changed([](Records& r) { r[2].type ^= 1; }).rfind("3: hash", 0) == 0);
  CHECK(changed([](Records& r) { r[2].time += 1; }).rfind("3: hash", 0) == 0);
  CHECK(changed([](Records& r) { r[2].hash[31] ^= 1; }).rfind("3: hash", 0) == 0);
  CHECK(changed([](Records& r) { r[2].hash.clear(); }).rfind("3: hash", 0) == 0);
  CHECK(changed([](Records& r) { r[2].n = 7; }).rfind("3: record is missing", 0) == 0);
  CHECK(changed([](Records& r) {
          r[2].session = "ses_b";
        }).rfind("3: record of another session", 0) == 0);
  CHECK(changed([](Records& r) { r.erase(r.begin()); }).rfind("1: record is missing", 0) == 0);
  CHECK(changed([](Records& r) { r.erase(r.begin() + 2); }).rfind("3: record is missing", 0) == 0);
  CHECK(changed([](Records& r) { std::swap(r[1], r[2]); }).rfind("2: record is missing", 0) == 0);
  CHECK(changed([](Records& r) {
          r.insert(r.begin() + 1, r[0]);
        }).rfind("2: record is missing", 0) == 0);
  // Whole, but of another session.
  CHECK(FaultOf("ses_b", good).rfind("1: record of another session", 0) == 0);
  // Renumbered so that a left-out record does not show by its number.
  CHECK(changed([](Records& r) {
          r.erase(r.begin() + 1);
          for (std::size_t i = 0; i < r.size(); ++i) r[i].n = i + 1;
        }).rfind("2: hash", 0) == 0);
}

TEST_CASE("the border between two parts cannot be moved", "[chain]") {
  CHECK(PayloadDigest("ab", "c") != PayloadDigest("a", "bc"));
  CHECK(FirstHash("ab") != FirstHash("abc"));
}

}  // namespace
}  // namespace sallyport::chain
