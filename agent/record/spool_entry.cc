#include "agent/record/spool_entry.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sallyport::agent {
namespace {

constexpr std::uint32_t kEntryMagic = 0x53505245;  // "SPRE"
constexpr char kSegmentMagic[8] = {'S', 'P', 'S', 'P', 'O', 'O', 'L', '1'};

constexpr std::array<std::uint32_t, 256> MakeTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0x82f63b78U ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kTable = MakeTable();

std::uint32_t Portable(std::uint32_t c, const unsigned char* p, std::size_t n) {
  for (; n != 0; --n, ++p) c = kTable[(c ^ *p) & 0xff] ^ (c >> 8);
  return c;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t Hardware(std::uint32_t crc, const unsigned char* p,
                                                         std::size_t n) {
  std::uint64_t c = crc;
  for (; n >= 8; p += 8, n -= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    c = _mm_crc32_u64(c, word);
  }
  auto rest = static_cast<std::uint32_t>(c);
  for (; n != 0; ++p, --n) rest = _mm_crc32_u8(rest, *p);
  return rest;
}
#endif

// The machine's own byte order: a spool is read where it was written.
template <class T>
void Put(char* to, T value) {
  std::memcpy(to, &value, sizeof value);
}
template <class T>
T Get(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

constexpr std::size_t kCrcAt = 28;

}  // namespace

std::uint32_t Crc32c(std::uint32_t crc, std::string_view bytes) {
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
#if defined(__x86_64__)
  static const bool fast = __builtin_cpu_supports("sse4.2");
  if (fast) return ~Hardware(~crc, p, bytes.size());
#endif
  return ~Portable(~crc, p, bytes.size());
}

void AppendEntry(std::string& out, const EntryHead& head, std::string_view payload) {
  char bytes[kEntryHeadBytes];
  Put(bytes, kEntryMagic);
  Put(bytes + 4, static_cast<std::uint32_t>(head.kind));
  Put(bytes + 8, static_cast<std::uint32_t>(payload.size()));
  Put(bytes + 12, head.offset);
  Put(bytes + 16, head.generation);
  Put(bytes + 24, head.batch);
  Put(bytes + kCrcAt, Crc32c(Crc32c(0, {bytes, kCrcAt}), payload));
  out.append(bytes, kEntryHeadBytes);
  out.append(payload);
  out.append(EntryBytes(payload.size()) - kEntryHeadBytes - payload.size(), '\0');
}

std::optional<EntryHead> ReadEntryHead(std::string_view bytes, std::uint64_t generation,
                                       std::uint64_t offset) {
  if (bytes.size() < kEntryHeadBytes || Get<std::uint32_t>(bytes, 0) != kEntryMagic)
    return std::nullopt;
  EntryHead head{.kind = static_cast<EntryKind>(Get<std::uint32_t>(bytes, 4)),
                 .length = Get<std::uint32_t>(bytes, 8),
                 .generation = Get<std::uint64_t>(bytes, 16),
                 .offset = Get<std::uint32_t>(bytes, 12),
                 .batch = Get<std::uint32_t>(bytes, 24)};
  if (head.generation != generation || head.offset != offset || head.batch > offset)
    return std::nullopt;
  if (head.kind != EntryKind::kRecord && head.kind != EntryKind::kChains &&
      head.kind != EntryKind::kSeal) {
    return std::nullopt;
  }
  return head;
}

std::optional<std::string_view> ReadEntryPayload(std::string_view bytes, const EntryHead& head) {
  if (bytes.size() < EntryBytes(head.length)) return std::nullopt;
  std::string_view payload = bytes.substr(kEntryHeadBytes, head.length);
  if (Get<std::uint32_t>(bytes, kCrcAt) != Crc32c(Crc32c(0, bytes.substr(0, kCrcAt)), payload))
    return std::nullopt;
  return payload;
}

std::string SegmentHead(std::uint64_t generation) {
  char bytes[24] = {};
  std::memcpy(bytes, kSegmentMagic, 8);
  Put(bytes + 8, generation);
  Put(bytes + 16, Crc32c(0, {bytes, 16}));
  return std::string(bytes, sizeof bytes);
}

std::optional<std::uint64_t> ReadSegmentHead(std::string_view bytes) {
  if (bytes.size() < 24 || bytes.substr(0, 8) != std::string_view(kSegmentMagic, 8))
    return std::nullopt;
  if (Get<std::uint32_t>(bytes, 16) != Crc32c(0, bytes.substr(0, 16))) return std::nullopt;
  return Get<std::uint64_t>(bytes, 8);
}

}  // namespace sallyport::agent
