#include "agent/record/record_writer.h"

#include <cstring>

namespace sallyport::agent {
namespace {

// Proto3's rule for a field without presence: a default value is not written. The room is taken
// first, so that a field is a few stores.
class FieldWriter {
 public:
  // What a field needs beside its bytes: a tag of two bytes and a varint.
  static constexpr std::size_t kOverhead = 12;

  // Replaces `out`, which gets at most `room` bytes.
  FieldWriter(std::string& out, std::size_t room) : out_(out) {
    out_.resize(room);
    end_ = out_.data();
  }
  ~FieldWriter() { out_.resize(static_cast<std::size_t>(end_ - out_.data())); }
  FieldWriter(const FieldWriter&) = delete;
  FieldWriter& operator=(const FieldWriter&) = delete;

  template <int field>
  void Uint(std::uint64_t value) {
    if (value == 0) return;
    Tag<field << 3>();
    Varint(value);
  }
  template <int field>
  void Bytes(std::string_view value) {
    if (value.empty()) return;
    Nested<field>(value.size());
    std::memcpy(end_, value.data(), value.size());
    end_ += value.size();
  }
  // The caller appends `size` bytes.
  template <int field>
  void Nested(std::size_t size) {
    Tag<field << 3 | 2>();
    Varint(size);
  }

 private:
  // Field numbers from 16 on have tags of two bytes.
  template <unsigned tag>
  void Tag() {
    static_assert(tag < 1u << 14);
    *end_++ = static_cast<char>(tag < 0x80 ? tag : (tag & 0x7f) | 0x80);
    if constexpr (tag >= 0x80) *end_++ = static_cast<char>(tag >> 7);
  }
  void Varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) *end_++ = static_cast<char>(value | 0x80);
    *end_++ = static_cast<char>(value);
  }

  std::string& out_;
  char* end_;
};

std::size_t VarintBytes(std::uint64_t value) {
  std::size_t n = 1;
  for (; value >= 0x80; value >>= 7) ++n;
  return n;
}
std::size_t BytesSize(std::string_view value) {
  return value.empty() ? 0 : 1 + VarintBytes(value.size()) + value.size();
}

// At most.
std::size_t SizeOf(const RecordFacts& facts, const ContentFields& fields) {
  constexpr std::size_t kFields = 20;
  std::size_t size = kFields * FieldWriter::kOverhead + fields.method.size() +
                     fields.target.size() + fields.rpc_id.size() + fields.body.size() +
                     fields.outcome.size() + fields.detail.size() + facts.approval_id.size() +
                     facts.policy.size() + facts.client_address.size() + facts.mcp_session.size() +
                     facts.token_id.size() + facts.call_id.size() + facts.observed_policy.size();
  for (const Finding& finding : fields.findings) {
    size += 4 * FieldWriter::kOverhead + finding.detector.size() + finding.pointer.size();
  }
  return size;
}

}  // namespace

void WriteContent(std::string& out, const RecordFacts& facts, const ContentFields& fields) {
  using C = types::v1::RecordContent;
  using F = types::v1::MaskFinding;
  FieldWriter w(out, SizeOf(facts, fields));
  w.Bytes<C::kMethodFieldNumber>(fields.method);
  w.Bytes<C::kTargetFieldNumber>(fields.target);
  w.Bytes<C::kRpcIdFieldNumber>(fields.rpc_id);
  if (facts.content) w.Bytes<C::kBodyFieldNumber>(fields.body);
  w.Uint<C::kOriginalBytesFieldNumber>(fields.original_bytes);
  for (const Finding& finding : fields.findings) {
    std::size_t count = finding.count == 0 ? 0 : 1 + VarintBytes(finding.count);
    w.Nested<C::kFindingsFieldNumber>(BytesSize(finding.detector) + BytesSize(finding.pointer) +
                                      count);
    w.Bytes<F::kDetectorFieldNumber>(finding.detector);
    w.Bytes<F::kPointerFieldNumber>(finding.pointer);
    w.Uint<F::kCountFieldNumber>(finding.count);
  }
  w.Uint<C::kDenialReasonFieldNumber>(static_cast<std::uint64_t>(fields.denial_reason));
  w.Bytes<C::kApprovalIdFieldNumber>(facts.approval_id);
  w.Uint<C::kPolicyEpochFieldNumber>(facts.policy_epoch);
  w.Uint<C::kPolicyVersionFieldNumber>(facts.policy_version);
  w.Bytes<C::kPolicyFieldNumber>(facts.policy);
  w.Bytes<C::kOutcomeFieldNumber>(fields.outcome);
  w.Uint<C::kRequestNFieldNumber>(fields.request_n);
  w.Bytes<C::kDetailFieldNumber>(fields.detail);
  w.Bytes<C::kClientAddressFieldNumber>(facts.client_address);
  w.Bytes<C::kMcpSessionFieldNumber>(facts.mcp_session);
  w.Bytes<C::kTokenIdFieldNumber>(facts.token_id);
  w.Bytes<C::kCallIdFieldNumber>(facts.call_id);
  w.Uint<C::kObservedReasonFieldNumber>(static_cast<std::uint64_t>(facts.observed_reason));
  w.Bytes<C::kObservedPolicyFieldNumber>(facts.observed_policy);
  w.Uint<C::kIsCountedFieldNumber>(fields.is_counted ? 1 : 0);
}

void WriteRecord(std::string& out, const RecordFields& fields) {
  using R = types::v1::Record;
  constexpr std::size_t kFields = 8;
  FieldWriter w(out, kFields * FieldWriter::kOverhead + fields.session_id.size() +
                         fields.salt.size() + fields.payload.size() + fields.payload_digest.size() +
                         fields.hash.size());
  w.Bytes<R::kSessionIdFieldNumber>(fields.session_id);
  w.Uint<R::kNFieldNumber>(fields.n);
  w.Uint<R::kTypeFieldNumber>(static_cast<std::uint64_t>(fields.type));
  w.Uint<R::kTimeUnixNanosFieldNumber>(static_cast<std::uint64_t>(fields.time_unix_nanos));
  w.Bytes<R::kSaltFieldNumber>(fields.salt);
  w.Bytes<R::kPayloadFieldNumber>(fields.payload);
  w.Bytes<R::kPayloadDigestFieldNumber>(fields.payload_digest);
  w.Bytes<R::kHashFieldNumber>(fields.hash);
}

RecordId ReadRecordId(std::string_view record) {
  using R = types::v1::Record;
  const auto take = [&](std::uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64 && !record.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(record.front());
      record.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  };
  RecordId id;
  std::uint64_t tag = 0;
  std::uint64_t length = 0;
  if (!take(tag) || tag != (R::kSessionIdFieldNumber << 3 | 2) || !take(length) ||
      length > record.size())
    return {};
  id.session_id = record.substr(0, length);
  record.remove_prefix(length);
  if (!take(tag) || tag != R::kNFieldNumber << 3 || !take(id.n)) return {};
  return id;
}

}  // namespace sallyport::agent
