// What the modern era says twice: the fields that we make of a message agree with it, and with any
// of them changed they do not; every text comes back from its field value; and what goes through a
// shared pipe comes back as it was. The input is four lines: a text, a server's list of tools, a
// client's message, a server's message.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/mcp/json_scan.h"
#include "agent/mcp/modern_headers.h"
#include "agent/mcp/modern_request.h"
#include "agent/mcp/pipe_message.h"
#include "agent/mcp/tool_headers.h"

namespace {

using sallyport::agent::ClientMessage;
using sallyport::agent::ModernHeaders;
using sallyport::agent::ToolHeaders;
using sallyport::agent::UpstreamMessage;
using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr std::uint64_t kNumber = 18446744073709551615u;
constexpr int kMismatch = -32020;

void Check(bool holds) {
  if (!holds) std::abort();
}

bool IsFieldValue(std::string_view value) {
  for (const char c : value) {
    if (c < 0x20 || c >= 0x7f) return false;
  }
  return !value.empty() && value.front() != ' ' && value.back() != ' ';
}

void CheckText(const std::string& text) {
  const std::string value = sallyport::agent::EncodeHeaderValue(text);
  Check(IsFieldValue(value));
  Check(sallyport::agent::DecodeHeaderValue(value) == text);
  // As a value it is itself, or the one spelling in Base64 of what it stands for.
  const std::optional<std::string> decoded = sallyport::agent::DecodeHeaderValue(text);
  if (decoded && *decoded != text) {
    const std::string again = sallyport::agent::EncodeHeaderValue(*decoded);
    Check(again == text || again == *decoded);
  }
}

int CodeOf(const ClientMessage& message, const Fields& fields) {
  const auto field = [&fields](std::size_t i) -> std::optional<std::string_view> {
    if (i >= fields.size()) return std::nullopt;
    return fields[i].second;
  };
  const auto refusal = sallyport::agent::CheckModernMessage(
      message, ModernHeaders{.protocol_version = field(0), .method = field(1), .name = field(2)});
  return refusal ? refusal->code : 0;
}

void CheckHeaders(const ClientMessage& message) {
  using sallyport::agent::Shape;
  Fields fields = sallyport::agent::ModernHeaderFields(message);
  const int code = CodeOf(message, fields);
  // A method is no text that may stand in Base64.
  const bool is_plain = fields[1].second == message.method;
  Check(code != kMismatch || !is_plain);
  if (code != 0) return;
  // It is one that goes out.
  for (const auto& [name, value] : fields) Check(IsFieldValue(value));
  if (message.shape != Shape::kRequest) return;
  for (auto& [name, value] : fields) {
    value.push_back('x');
    Check(CodeOf(message, fields) == kMismatch);
    value.pop_back();
  }
  fields.pop_back();
  Check(CodeOf(message, fields) == kMismatch);
}

void CheckToolHeaders(const UpstreamMessage& list, const ClientMessage& call) {
  ToolHeaders tools;
  std::string cursor;
  if (!tools.Learn(list, cursor)) return;
  Fields fields = tools.FieldsFor(call);
  const auto find = [&fields](std::string_view wanted) -> std::optional<std::string_view> {
    for (const auto& [name, value] : fields) {
      if (name == wanted) return value;
    }
    return std::nullopt;
  };
  Check(!tools.Disagreement(call, find));
  for (auto& [name, value] : fields) {
    Check(IsFieldValue(value));
    value.push_back('x');
    Check(tools.Disagreement(call, find).has_value());
    value.pop_back();
    const std::string kept = std::exchange(name, "");
    Check(tools.Disagreement(call, find).has_value());
    name = kept;
  }
}

void CheckNarrowing(const ClientMessage& message) {
  const auto narrow = [](ClientMessage request) {
    return sallyport::agent::NarrowModernRequest(
        std::move(request),
        {.client = {},
         .may_hear_of = [](std::string_view uri) { return uri.size() % 2 == 0; },
         .has_task = [](std::string_view id) { return id.size() % 2 == 0; },
         .request_state = "\"ours\""});
  };
  const auto once = narrow(message);
  Check(once.ok());
  const auto twice = narrow(*once);
  Check(twice.ok() && twice->bytes == once->bytes);
  Check(once->id == message.id && once->method == message.method && once->target == message.target);
}

void CheckToPipe(const ClientMessage& message) {
  const auto sent = sallyport::agent::ScanClientMessage(sallyport::agent::ToPipe(message, kNumber));
  Check(sent.ok());
  Check(sent->id == (message.id.empty() ? "" : std::to_string(kNumber)));
  Check(sent->method == message.method && sent->target == message.target);
  Check(sent->bytes.substr(sent->arguments.begin, sent->arguments.size()) ==
        message.bytes.substr(message.arguments.begin, message.arguments.size()));
}

void CheckFromPipe(const UpstreamMessage& message) {
  using sallyport::agent::Shape;
  const auto there = sallyport::agent::FromPipe(message, "\"an id\"", "\"a token\"");
  Check(there.ok());
  Check(there->shape == message.shape && there->method == message.method);
  if (message.shape == Shape::kResponse) Check(there->id == "\"an id\"");
  if (!message.subscription_id.empty()) Check(there->subscription_id == "\"an id\"");
  if (!message.progress_token.empty()) Check(there->progress_token == "\"a token\"");
  // The way back is the way there: only the literals differ, where the server wrote them in
  // another spelling or two of them.
  const std::string& id = message.shape == Shape::kResponse ? message.id : message.subscription_id;
  const auto is_as_written = [&](sallyport::agent::Span at, std::string_view literal) {
    return at.empty() || std::string_view(message.bytes).substr(at.begin, at.size()) == literal;
  };
  const bool is_same = (message.shape != Shape::kResponse || is_as_written(message.id_at, id)) &&
                       is_as_written(message.subscription_at, id) &&
                       is_as_written(message.token_at, message.progress_token);
  if (!is_same) return;
  const auto back = sallyport::agent::FromPipe(*there, id, message.progress_token);
  Check(back.ok() && back->bytes == message.bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::array<std::string, 4> lines;
  for (std::string& line : lines) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  CheckText(lines[0]);
  const auto list = sallyport::agent::ScanUpstreamMessage(lines[1]);
  const auto call = sallyport::agent::ScanClientMessage(lines[2]);
  const auto said = sallyport::agent::ScanUpstreamMessage(lines[3]);
  if (call.ok()) {
    CheckHeaders(*call);
    CheckToPipe(*call);
    if (call->era == sallyport::agent::Era::kModern) CheckNarrowing(*call);
  }
  if (list.ok() && call.ok()) CheckToolHeaders(*list, *call);
  if (said.ok()) CheckFromPipe(*said);
  return 0;
}
