#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// Which arguments of a server's tools are repeated in Mcp-Param-* headers: the x-mcp-header
// annotations of their input schemas (2026-07-28, Streamable HTTP, "Custom Headers from Tool
// Parameters").
class ToolHeaders {
 public:
  // Takes in one page of a tools/list result: later pages and later lists add and replace. False:
  // it is none. `next_cursor` receives the literal that asks for the next page, empty at the last.
  bool Learn(const UpstreamMessage& list, std::string& next_cursor);

  // Whether the tool has been seen in a list.
  bool Knows(std::string_view tool) const;

  // Why the headers of a tools/call disagree with its arguments: an argument with a value whose
  // header is missing, differs or is not canonical Base64. Numbers are compared by value. `find`
  // gives the value of the header of that lower-case name.
  std::optional<std::string> Disagreement(
      const ClientMessage& call,
      absl::FunctionRef<std::optional<std::string_view>(std::string_view)> find) const;

  // The fields for the same call to a server over HTTP, built from its arguments alone.
  std::vector<std::pair<std::string, std::string>> FieldsFor(const ClientMessage& call) const;

 private:
  struct Repeated {
    std::vector<std::string> path;  // in arguments
    std::string header;             // mcp-param-..., in lower case
    bool is_number = false;
  };
  absl::flat_hash_map<std::string, std::vector<Repeated>> tools_;
};

}  // namespace sallyport::agent
