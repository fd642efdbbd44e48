#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::agent {

enum class EntryKind : std::uint32_t {
  kRecord = 1,  // a serialized types.v1.Record
  kChains = 2,  // the heads of the open chains, at the begin of a segment
  kSeal = 3,    // the segment ends here
};

// An entry of a spool's segment: a head of 32 bytes, the payload, zeros up to a multiple of 8. The
// head names the segment's generation and the entry's own place, so that what an earlier use of the
// file left behind, or a copy, can never pass for an entry; and where the write began that carried
// it, which tells a torn last write from damage.
struct EntryHead {
  EntryKind kind = EntryKind::kRecord;
  std::uint32_t length = 0;
  std::uint64_t generation = 0;
  std::uint32_t offset = 0;
  std::uint32_t batch = 0;
};

inline constexpr std::uint64_t kEntryHeadBytes = 32;
inline constexpr std::uint64_t kSegmentHeadBytes = 4096;

constexpr std::uint64_t EntryBytes(std::uint64_t payload) {
  return kEntryHeadBytes + (payload + 7) / 8 * 8;
}

// CRC-32C (Castagnoli), continued from `crc`.
std::uint32_t Crc32c(std::uint32_t crc, std::string_view bytes);

// Adds the entry to `out`.
void AppendEntry(std::string& out, const EntryHead& head, std::string_view payload);

// The head at the begin of `bytes` if it is one of that generation and place, its CRC not yet
// checked. nullopt: none.
std::optional<EntryHead> ReadEntryHead(std::string_view bytes, std::uint64_t generation,
                                       std::uint64_t offset);

// The payload of the entry at the begin of `bytes`, or nullopt when it is cut off or its CRC is
// wrong.
std::optional<std::string_view> ReadEntryPayload(std::string_view bytes, const EntryHead& head);

// The first bytes of a segment file. Generation 0 is a free segment.
std::string SegmentHead(std::uint64_t generation);
// nullopt: not one of ours.
std::optional<std::uint64_t> ReadSegmentHead(std::string_view bytes);

}  // namespace sallyport::agent
