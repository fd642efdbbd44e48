#include "common/chain/chain.h"

// The low-level calls are deprecated in favour of EVP, which costs 0.3 us more for each digest, a
// third of what a record costs here; the call path pays it twice for each record.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sallyport::chain {
namespace {

constexpr std::string_view kTag = "sallyport-record-v1";

template <class Unsigned>
void PutBigEndian(unsigned char* out, Unsigned value) {
  for (std::size_t i = sizeof value; i-- > 0; value = static_cast<Unsigned>(value >> 8)) {
    out[i] = static_cast<unsigned char>(value & 0xff);
  }
}

// SHA-256 over length-prefixed parts. Short ones are gathered: a link is some sixteen of them, and
// each call of the library costs as much as a block of its work on a processor that has SHA.
class Hasher {
 public:
  Hasher() { SHA256_Init(&context_); }

  Hasher& Part(std::string_view bytes) {
    Length(bytes.size());
    if (bytes.size() > gathered_.size() - size_) Flush();
    if (bytes.size() > gathered_.size()) {
      SHA256_Update(&context_, bytes.data(), bytes.size());
    } else {
      std::memcpy(gathered_.data() + size_, bytes.data(), bytes.size());
      size_ += bytes.size();
    }
    return *this;
  }
  template <class Unsigned>
  Hasher& Number(Unsigned value) {
    Length(sizeof value);
    Put(value);
    return *this;
  }
  Digest Finish() {
    Flush();
    Digest digest;
    SHA256_Final(digest.data(), &context_);
    return digest;
  }

 private:
  void Length(std::size_t length) { Put(static_cast<std::uint32_t>(length)); }
  template <class Unsigned>
  void Put(Unsigned value) {
    if (sizeof value > gathered_.size() - size_) Flush();
    PutBigEndian(gathered_.data() + size_, value);
    size_ += sizeof value;
  }
  void Flush() {
    SHA256_Update(&context_, gathered_.data(), size_);
    size_ = 0;
  }

  SHA256_CTX context_;
  std::array<unsigned char, 256> gathered_;
  std::size_t size_ = 0;
};

}  // namespace

std::optional<Digest> DigestFrom(std::string_view bytes) {
  Digest digest;
  if (bytes.size() != digest.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

Digest FirstHash(std::string_view session_id) {
  return Hasher().Part(kTag).Part(session_id).Finish();
}

Digest PayloadDigest(std::string_view salt, std::string_view payload) {
  return Hasher().Part(salt).Part(payload).Finish();
}

Digest LinkHash(std::string_view session_id, const Digest& previous, const Link& link) {
  return Hasher()
      .Part(kTag)
      .Part(session_id)
      .Number(link.n)
      .Part(View(previous))
      .Number(link.type)
      .Number(static_cast<std::uint64_t>(link.time_unix_nanos))
      .Number(link.payload_length)
      .Part(View(link.payload_digest))
      .Finish();
}

ChainHead::ChainHead(std::string_view session_id)
    : session_id_(session_id), hash_(FirstHash(session_id)) {}

ChainHead::Appended ChainHead::Append(std::uint32_t type, std::int64_t time_unix_nanos,
                                      std::string_view salt, std::string_view payload) {
  const Link link{.n = n_ + 1,
                  .type = type,
                  .time_unix_nanos = time_unix_nanos,
                  .payload_length = payload.size(),
                  .payload_digest = PayloadDigest(salt, payload)};
  hash_ = LinkHash(session_id_, hash_, link);
  n_ = link.n;
  return {n_, link.payload_digest, hash_};
}

const std::optional<Fault>& ChainVerifier::Check(const StoredLink& record) {
  if (fault_.has_value()) return fault_;
  const std::uint64_t expected = head_.n() + 1;
  const auto fail = [&](std::string reason) -> const std::optional<Fault>& {
    fault_ = Fault{expected, std::move(reason)};
    return fault_;
  };
  if (record.session_id != head_.session_id()) return fail("record of another session");
  if (record.n != expected) {
    return fail("record is missing: found " + std::to_string(record.n) + " in its place");
  }
  ChainHead next = head_;
  const ChainHead::Appended right =
      next.Append(record.type, record.time_unix_nanos, record.salt, record.payload);
  if (record.payload_digest != View(right.payload_digest)) {
    return fail("payload is not what was recorded");
  }
  if (record.hash != View(right.hash)) return fail("hash does not follow from the record before");
  head_ = std::move(next);
  return fault_;
}

}  // namespace sallyport::chain
