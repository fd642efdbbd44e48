#include "controlplane/cli/output.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/denial.h"
#include "common/json_printer.h"
#include "common/strings.h"
#include "common/time_text.h"
#include "controlplane/cli/explain_failure.h"

namespace sallyport::controlplane {
namespace {

std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

void Table::Add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = Printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::Text() const {
  std::vector<std::size_t> widths(headings_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string out;
  auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (widths[i] == 0) continue;
      const std::size_t width = std::max(widths[i], headings_[i].size());
      text.append(cells[i]).append(width - Width(cells[i]) + 2, ' ');
    }
    text.erase(text.find_last_not_of(' ') + 1);
    absl::StrAppend(&out, text, "\n");
  };
  line(headings_);
  for (const auto& row : rows_) line(row);
  return out;
}

std::string TimeCell(const google::protobuf::Timestamp& time, bool is_set) {
  return is_set ? TimeText(absl::FromUnixSeconds(time.seconds())) : "";
}

void PrintMessage(const google::protobuf::Message& message, std::string_view format) {
  PrintValue(ToValue(message, {}), format);
}

void PrintValue(const Value& value, std::string_view format) {
  std::string text;
  if (format == "yaml") {
    WriteYaml(value, &text);
  } else {
    WriteJson(value, /*is_pretty=*/true, &text);
    text += '\n';
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void PrintList(const std::vector<const google::protobuf::Message*>& items, std::string_view format,
               const Table& table, std::string_view what) {
  if (format == "table" && items.empty()) {
    std::fprintf(stderr, "no %s\n", std::string(what).c_str());
    return;
  }
  std::string text;
  if (format == "json") {
    text = absl::StrCat(ListToJson(items, "", {.is_pretty = true}), "\n");
  } else if (format == "yaml") {
    text = ListToYaml(items, "");
  } else {
    text = table.Text();
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
}

int Fail(const absl::Status& status) {
  const std::string message = Printable(ToStd(status.message()));
  const std::string_view reason = ReasonName(ReasonOf(status));
  std::fprintf(stderr, "sallyport: %s%s%s%s\n", message.c_str(), reason.empty() ? "" : " (",
               std::string(reason).c_str(), reason.empty() ? "" : ")");
  return 1;
}

int Fail(const grpc::Status& status, std::string_view address) {
  return Fail(ExplainFailure(status, address));
}

}  // namespace sallyport::controlplane
