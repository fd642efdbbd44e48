#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// The hash chain of a recording. Each record's hash covers the one before it, so that no record can
// be changed, left out, added or moved without every later hash being wrong.
//
// The bytes, so that anyone can check a chain without this code. `p(x)` is the length of x as 4
// bytes big-endian, then x; u64 and i64 are 8 bytes big-endian (two's complement), u32 4 bytes:
//
//   digest_n = SHA-256( p(salt) p(payload) )
//   h_0      = SHA-256( p("sallyport-record-v1") p(session) )
//   h_n      = SHA-256( p("sallyport-record-v1") p(session) p(u64 n) p(h_{n-1}) p(u32 type)
//                       p(i64 time in ns since 1970) p(u64 length of payload) p(digest_n) )
//
// The salt (16 random bytes) keeps the digest of a short secret from being guessed; the digest lets
// a chain be checked by who may not see the payloads. Everything here is pure and thread-safe as
// values are.
namespace sallyport::chain {

using Digest = std::array<unsigned char, 32>;

inline std::string_view View(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}
// nullopt unless it is 32 bytes.
std::optional<Digest> DigestFrom(std::string_view bytes);

Digest FirstHash(std::string_view session_id);
Digest PayloadDigest(std::string_view salt, std::string_view payload);

// One record as the chain sees it. Views of the caller's.
struct Link {
  std::uint64_t n = 0;
  std::uint32_t type = 0;
  std::int64_t time_unix_nanos = 0;
  std::uint64_t payload_length = 0;
  Digest payload_digest{};
};
Digest LinkHash(std::string_view session_id, const Digest& previous, const Link& link);

// Where a chain has got to.
class ChainHead {
 public:
  // Before the first record.
  explicit ChainHead(std::string_view session_id);
  // A chain that goes on after record `n`, whose hash this is.
  ChainHead(std::string_view session_id, std::uint64_t n, const Digest& hash)
      : session_id_(session_id), n_(n), hash_(hash) {}

  struct Appended {
    std::uint64_t n = 0;
    Digest payload_digest{};
    Digest hash{};
  };
  // The next record; moves the head to it.
  Appended Append(std::uint32_t type, std::int64_t time_unix_nanos, std::string_view salt,
                  std::string_view payload);

  const std::string& session_id() const { return session_id_; }
  // 0 before the first.
  std::uint64_t n() const { return n_; }
  const Digest& hash() const { return hash_; }

 private:
  std::string session_id_;
  std::uint64_t n_ = 0;
  Digest hash_;
};

// A record as it was stored or sent. Views of the caller's.
struct StoredLink {
  std::string_view session_id;
  std::uint64_t n = 0;
  std::uint32_t type = 0;
  std::int64_t time_unix_nanos = 0;
  std::string_view salt;
  std::string_view payload;
  std::string_view payload_digest;
  std::string_view hash;
};

// The first record that is wrong or missing, and why.
struct Fault {
  std::uint64_t n = 0;
  std::string reason;
};

// Reads a chain record by record, keeping nothing but its head.
class ChainVerifier {
 public:
  // From the beginning, or after a record that has been checked before.
  explicit ChainVerifier(std::string_view session_id) : head_(session_id) {}
  explicit ChainVerifier(ChainHead after) : head_(std::move(after)) {}

  // The first fault so far, this record's or an earlier one's; nullopt: all is well. Nothing after
  // a fault is looked at.
  const std::optional<Fault>& Check(const StoredLink& record);

  const std::optional<Fault>& fault() const { return fault_; }
  // The last good record.
  const ChainHead& head() const { return head_; }

 private:
  ChainHead head_;
  std::optional<Fault> fault_;
};

}  // namespace sallyport::chain
