#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sallyport/admin/v1/session_service.pb.h"
#include "sallyport/types/v1/record.pb.h"

// A record as people and scripts read it, and the way back from a saved replay.
namespace sallyport::controlplane {

// What happened, in a line or two, with the masked message under it. Safe for a terminal.
std::string RecordText(const types::v1::Record& record);

// A recording on its way to stdout, record by record.
class ReplayPrinter {
 public:
  // table: as RecordText has it. json: one object, its `items` one a line, which VerifyReplay
  // reads, also when a program that keeps numbers as doubles has written it again. yaml: the same
  // as YAML.
  static std::unique_ptr<ReplayPrinter> Of(std::string_view format);
  virtual ~ReplayPrinter() = default;
  virtual void Print(const types::v1::Record& record) = 0;
  // There are no more.
  virtual void Finish() {}
};

// Checks the chain of a file that `sessions replay -o json` wrote, without asking anybody, and that
// what it shows of each record (`body`, `content`) is what the chained payload says.
// kInvalidArgument when it is no such file, with the line of what can be read in two ways (a member
// that stands twice, a byte order mark, a NUL): who looks at the file sees what is proven and
// nothing else. Whether the session had to end is not in the file, so a recording without an END
// record is valid here, and open.
absl::StatusOr<admin::v1::VerifySessionResponse> VerifyReplay(std::string_view json);

}  // namespace sallyport::controlplane
