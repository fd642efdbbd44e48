// The scan against nlohmann: whatever the scan accepts, nlohmann reads the same method, name and id
// from; and the index and the canonical form hold together on it.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "agent/mcp/canonical_arguments.h"
#include "agent/mcp/json_batch.h"
#include "agent/mcp/json_scan.h"
#include "agent/mcp/list_filter.h"

namespace {

using nlohmann::json;
using sallyport::agent::Shape;

void Check(bool holds) {
  if (!holds) std::abort();
}

// False: nlohmann refuses it only because a number does not fit a double, which is no fault of the
// text.
bool Parse(const std::string& bytes, json& value) {
  try {
    value = json::parse(bytes);
  } catch (const json::out_of_range&) {
    return false;
  } catch (const json::exception&) {
    std::abort();
  }
  return true;
}

void CheckClient(const std::string& bytes) {
  const auto message = sallyport::agent::ScanClientMessage(bytes);
  if (!message.ok()) return;
  json theirs;
  if (!Parse(bytes, theirs)) return;
  Check(theirs.is_object());
  Check(theirs.at("jsonrpc") == "2.0");
  Check(theirs.contains("id") == !message->id.empty());
  if (!message->id.empty()) Check(json::parse(message->id) == theirs.at("id"));
  Check(theirs.contains("method") == (message->shape != Shape::kResponse));
  if (message->shape == Shape::kResponse) return;
  Check(theirs.at("method") == message->method);
  if (message->method == "tools/call" || message->method == "prompts/get") {
    Check(theirs.at("params").at("name") == message->target);
    const std::string_view arguments =
        std::string_view(message->bytes)
            .substr(message->arguments.begin, message->arguments.size());
    Check(theirs.at("params").contains("arguments") == !arguments.empty());
    if (!arguments.empty()) {
      const auto canonical = sallyport::agent::CanonicalArguments(arguments);
      Check(canonical.ok());
      Check(json::parse(*canonical) == theirs.at("params").at("arguments"));
      Check(*sallyport::agent::CanonicalArguments(*canonical) == *canonical);
    }
  }
}

void CheckBatch(const std::string& bytes) {
  const auto batch = sallyport::agent::ScanClientBatch(bytes);
  if (!batch.ok()) return;
  Check(sallyport::agent::IsBatch(bytes));
  json theirs;
  if (!Parse(bytes, theirs)) return;
  Check(theirs.is_array() && theirs.size() == batch->size());
  for (std::size_t i = 0; i < batch->size(); ++i) {
    Check(json::parse((*batch)[i].bytes) == theirs.at(i));
  }
}

void CheckUpstream(const std::string& bytes) {
  auto message = sallyport::agent::ScanUpstreamMessage(bytes);
  if (!message.ok()) return;
  json theirs;
  if (!Parse(bytes, theirs)) return;
  if (!message->body.empty()) {
    const std::string_view body =
        std::string_view(message->bytes).substr(message->body.begin, message->body.size());
    const char* const member = message->shape != Shape::kResponse ? "params"
                               : message->is_error                ? "error"
                                                                  : "result";
    Check(json::parse(body) == theirs.at(member));
  }
  const auto filtered = sallyport::agent::FilterList(
      *std::move(message), sallyport::agent::ListKind::kTools,
      [](std::string_view name, std::string_view) { return name.size() % 2 == 0; });
  if (filtered.ok()) Check(json::accept(filtered->bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  CheckClient(bytes);
  CheckBatch(bytes);
  CheckUpstream(bytes);
  return 0;
}
