#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/support/status.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/printable.h"
#include "common/value.h"
#include "google/protobuf/timestamp.pb.h"

namespace sallyport::controlplane {

// Rows under headings, columns padded to their widest cell. Cells are made printable; a heading's
// column is left out when no row has anything in it.
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}
  void Add(std::vector<std::string> cells);
  std::string Text() const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

// `3m ago` is for people, but scripts and time zones are not: RFC 3339, empty when unset.
std::string TimeCell(const google::protobuf::Timestamp& time, bool is_set);

// The message in `format` (json or yaml), to stdout.
void PrintMessage(const google::protobuf::Message& message, std::string_view format);

// What is no message of the API, likewise.
void PrintValue(const Value& value, std::string_view format);

// {"items": [...]} or the table. An empty table is a line on stderr: there are no `what`.
void PrintList(const std::vector<const google::protobuf::Message*>& items, std::string_view format,
               const Table& table, std::string_view what);

// One line on stderr that names the thing and says what to do next; the exit code.
int Fail(const absl::Status& status);
int Fail(const grpc::Status& status, std::string_view address);

}  // namespace sallyport::controlplane
