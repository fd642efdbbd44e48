#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace sallyport::controlplane {

// How many items a page may have: `page_size` as asked for, 100 where it was not, 1,000 at most.
// kInvalidArgument below 0.
absl::StatusOr<int> PageLimit(int32_t page_size);

// Where a page of things that are listed newest first begins: after what was created at `before`
// with this id.
struct PageStart {
  absl::Time before = absl::InfiniteFuture();
  std::string before_id;
};

// An empty token starts at the newest. kInvalidArgument for one that we did not make.
absl::StatusOr<PageStart> ReadPageToken(const std::string& token);
std::string MakePageToken(const google::protobuf::Timestamp& created_at, const std::string& id);

}  // namespace sallyport::controlplane
