#include "controlplane/cli/replay.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/chain/chain.h"
#include "common/jose/strict_json.h"
#include "common/json_printer.h"
#include "common/record_json.h"
#include "common/time_text.h"
#include "common/value.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/principal_text.h"

namespace sallyport::controlplane {
namespace {

// More than any record's: messages are nested less.
constexpr int kMaxDepth = 1000;

using types::v1::Record;
using types::v1::RecordContent;

std::string When(const Record& record) {
  return TimeText(absl::FromUnixNanos(record.time_unix_nanos()));
}

std::string FactsOf(const RecordContent& content) {
  std::string out;
  auto fact = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) absl::StrAppendFormat(&out, "  %s=%s", std::string(name), Printable(value));
  };
  if (content.has_principal()) fact("principal", PrincipalText(content.principal()));
  fact("server", content.server());
  fact("agent", content.agent());
  fact("break-glass", content.break_glass());
  fact("denied", EnumWord(content.denial_reason()));
  fact("approval", content.approval_id());
  fact("approved-by", absl::StrJoin(content.approved_by(), ","));
  fact("policy", content.policy());
  fact("observed", EnumWord(content.observed_reason()));
  fact("by", content.observed_policy());
  fact("outcome", content.outcome());
  fact("answers", content.request_n() == 0 ? "" : absl::StrCat("#", content.request_n()));
  fact("ended", content.end_reason());
  if (!content.end_reason().empty()) fact("calls", absl::StrCat(content.calls()));
  for (const types::v1::MaskFinding& finding : content.findings()) {
    fact("masked",
         absl::StrCat(finding.detector(), "x", finding.count(), " at ", finding.pointer()));
  }
  fact("detail", content.detail());
  return out;
}

// nullopt: the member is missing or is no such thing.
std::optional<std::string> Bytes(const nlohmann::json& record, const char* name) {
  auto member = record.find(name);
  std::string out;
  if (member == record.end()) return out;
  if (!member->is_string() || !absl::Base64Unescape(member->get<std::string>(), &out))
    return std::nullopt;
  return out;
}

std::optional<std::uint64_t> Number(const nlohmann::json& record, const char* name) {
  auto member = record.find(name);
  if (member == record.end() || !member->is_number_integer()) return std::nullopt;
  return member->get<std::uint64_t>();
}

// nullopt: it is neither of the forms of kRecordTimeMember.
std::optional<std::int64_t> Time(const nlohmann::json& record) {
  auto member = record.find(kRecordTimeMember);
  if (member == record.end()) return std::nullopt;
  if (member->is_number_integer()) return member->get<std::int64_t>();
  std::int64_t nanos = 0;
  if (!member->is_string() || !absl::SimpleAtoi(member->get<std::string>(), &nanos))
    return std::nullopt;
  return nanos;
}

std::optional<types::v1::RecordType> Type(const nlohmann::json& record) {
  auto member = record.find("type");
  if (member == record.end() || !member->is_string()) return std::nullopt;
  for (int i = 1; types::v1::RecordType_IsValid(i); ++i) {
    const auto type = static_cast<types::v1::RecordType>(i);
    if (EnumWord(type) == member->get<std::string>()) return type;
  }
  return std::nullopt;
}

absl::Status NotAReplay(std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("not a recording: ", std::string(what),
                                                 "; write one with `sessions replay ID -o json`"));
}

}  // namespace

std::string RecordText(const Record& record) {
  RecordContent content;
  if (!content.ParseFromString(record.payload())) {
    return absl::StrFormat("#%-4d %s  %s  (unreadable payload)\n", record.n(), When(record),
                           EnumWord(record.type()));
  }
  std::string out = absl::StrFormat("#%-4d %s  %-12s %s %s%s\n", record.n(), When(record),
                                    EnumWord(record.type()), Printable(content.method()),
                                    Printable(content.target()), FactsOf(content));
  if (!content.body().empty()) absl::StrAppend(&out, "      ", Printable(content.body()), "\n");
  return out;
}

namespace {

void Write(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

class TextPrinter final : public ReplayPrinter {
 public:
  void Print(const Record& record) override { Write(RecordText(record)); }
};

class JsonPrinter final : public ReplayPrinter {
 public:
  void Print(const Record& record) override {
    Write(std::exchange(is_empty_, false) ? "{\"items\": [\n" : ",\n");
    Write(RecordJson(record));
  }
  void Finish() override { Write(is_empty_ ? "{\"items\": []}\n" : "\n]}\n"); }

 private:
  bool is_empty_ = true;
};

class YamlPrinter final : public ReplayPrinter {
 public:
  void Print(const Record& record) override {
    if (std::exchange(is_empty_, false)) Write("items:\n");
    Value item = Value::List();
    item.items.push_back(RecordValue(record));
    std::string out;
    WriteYaml(item, &out);
    Write(out);
  }
  void Finish() override {
    if (is_empty_) Write("items: []\n");
  }

 private:
  bool is_empty_ = true;
};

// Nothing where a member is missing or of another type.
std::optional<types::v1::Record> RecordIn(const nlohmann::json& item) {
  const auto n = Number(item, "n");
  const auto time = Time(item);
  const auto type = Type(item);
  const auto salt = Bytes(item, "salt"), payload = Bytes(item, "payload");
  const auto digest = Bytes(item, "payloadDigest"), hash = Bytes(item, "hash");
  const auto session = item.value("sessionId", nlohmann::json());
  if (!n || !time || !type || !salt || !payload || !digest || !hash || !session.is_string()) {
    return std::nullopt;
  }
  types::v1::Record record;
  record.set_session_id(session.get<std::string>());
  record.set_n(*n);
  record.set_type(*type);
  record.set_time_unix_nanos(*time);
  record.set_salt(*salt);
  record.set_payload(*payload);
  record.set_payload_digest(*digest);
  record.set_hash(*hash);
  return record;
}

}  // namespace

std::unique_ptr<ReplayPrinter> ReplayPrinter::Of(std::string_view format) {
  if (format == "json") return std::make_unique<JsonPrinter>();
  if (format == "yaml") return std::make_unique<YamlPrinter>();
  return std::make_unique<TextPrinter>();
}

namespace {

// Whether all else of it is what `record` says.
bool Shows(nlohmann::json item, const Record& record) {
  item[kRecordTimeMember] = absl::StrCat(record.time_unix_nanos());
  return item == nlohmann::json::parse(RecordJson(record), nullptr, /*allow_exceptions=*/false);
}

}  // namespace

absl::StatusOr<admin::v1::VerifySessionResponse> VerifyReplay(std::string_view json) {
  std::size_t stopped_at = 0;
  const absl::StatusOr<nlohmann::json> parsed = jose::ParseStrictJson(json, kMaxDepth, &stopped_at);
  if (!parsed.ok()) {
    const auto line = 1 + std::count(json.begin(), json.begin() + stopped_at, '\n');
    return NotAReplay(absl::StrCat("line ", line, ": ", parsed.status().message()));
  }
  const nlohmann::json& replay = *parsed;
  if (!replay.is_object() || !replay.contains("items") || !replay["items"].is_array()) {
    return NotAReplay("no list of items");
  }
  const nlohmann::json& items = replay["items"];
  if (items.empty() || !items[0].is_object() ||
      !items[0].value("sessionId", nlohmann::json()).is_string()) {
    return NotAReplay("no record");
  }
  admin::v1::VerifySessionResponse response;
  response.set_session_id(items[0]["sessionId"].get<std::string>());
  chain::ChainVerifier verifier(response.session_id());
  bool is_closed = false;
  for (const nlohmann::json& item : items) {
    if (!item.is_object()) return NotAReplay("an item is no object");
    response.set_records(response.records() + 1);
    const std::optional<types::v1::Record> record = RecordIn(item);
    if (!record) return NotAReplay(absl::StrCat("record ", response.records(), " lacks a member"));
    is_closed = record->type() == types::v1::RECORD_TYPE_END;
    const auto& fault = verifier.Check({.session_id = record->session_id(),
                                        .n = record->n(),
                                        .type = static_cast<std::uint32_t>(record->type()),
                                        .time_unix_nanos = record->time_unix_nanos(),
                                        .salt = record->salt(),
                                        .payload = record->payload(),
                                        .payload_digest = record->payload_digest(),
                                        .hash = record->hash()});
    if (fault) {
      response.set_first_bad_record(fault->n);
      response.set_reason(fault->reason);
      return response;
    }
    if (!Shows(item, *record)) {
      response.set_first_bad_record(record->n());
      response.set_reason(
          "its `body` and `content` are not what its payload says: changed, or written by another "
          "version of this program");
      return response;
    }
  }
  response.set_valid(true);
  response.set_is_open(!is_closed);
  if (!is_closed) {
    response.set_reason(
        "there is no END record: these records are proven, and whether more came after them is "
        "not");
  }
  return response;
}

}  // namespace sallyport::controlplane
