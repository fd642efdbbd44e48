#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// The files of a spool.
namespace sallyport::agent {

inline constexpr std::string_view kSegmentPrefix = "segment-";
inline constexpr std::uint64_t kZeroBlock = std::uint64_t{1} << 20;
// Where a segment keeps how far it has been acknowledged: a SegmentHead's bytes with the offset in
// the generation's place, behind the generation. Written without a sync: what is lost of it is
// shipped again, which is harmless.
inline constexpr std::uint64_t kAckAt = 512;

// kResourceExhausted when the disk is full, kUnavailable for everything else. Clients are told that
// and no more; "spool: cannot <what> <name>: ..." is for the log (operator_detail.h).
absl::Status IoError(std::string_view what, std::string_view name, int error);

absl::Status WriteAll(int fd, std::string_view bytes, std::uint64_t offset, std::string_view name);
// Up to `bytes`: fewer where the file ends. Replaces `out`, whose memory is used again.
absl::Status ReadInto(std::string& out, int fd, std::uint64_t offset, std::uint64_t bytes,
                      std::string_view name);
absl::StatusOr<std::string> ReadAll(int fd, std::uint64_t offset, std::uint64_t bytes,
                                    std::string_view name);
absl::Status SyncDir(const std::string& dir);

std::string AckMark(std::uint64_t generation, std::uint64_t offset);
// The offset of the mark in a segment's first page; 0: it has none of that generation.
std::uint64_t ReadAckMark(std::string_view page, std::uint64_t generation);

}  // namespace sallyport::agent
