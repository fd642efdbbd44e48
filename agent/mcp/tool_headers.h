#pragma once

#include <cstddef>
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
// Parameters"). Only a chain of `properties` leads to an annotation that counts; of a tool that
// names one header twice, or more of them than a head could hold, none counts.
class ToolHeaders {
 public:
  // Takes in one page of a tools/list result: later pages and later lists add and replace. False:
  // it is none, or more is known already than is kept of one server (4 MiB). `next_cursor` receives
  // the literal that asks for the next page, empty at the last.
  bool Learn(const UpstreamMessage& list, std::string& next_cursor);

  // Whether the tool has been seen in a list.
  bool Knows(std::string_view tool) const;

  // Why the headers of a tools/call disagree with its arguments: an argument with a value whose
  // header is missing, differs or is not canonical Base64; a header whose argument has no value.
  // Numbers are compared by value, to the last digit; a header for an integer that not every reader
  // can tell from others need not be there. `find` gives the value of the header of that lower-case
  // name.
  std::optional<std::string> Disagreement(
      const ClientMessage& call,
      absl::FunctionRef<std::optional<std::string_view>(std::string_view)> find) const;

  // The fields for the same call to a server over HTTP, built from its arguments alone.
  std::vector<std::pair<std::string, std::string>> FieldsFor(const ClientMessage& call) const;

 private:
  struct Repeated {
    std::vector<std::string> path;  // in arguments
    std::string header;             // mcp-param-..., in lower case
  };
  class Schema;

  // In place of what is known of the tool. False: it would be too much.
  bool Keep(std::string tool, std::vector<Repeated> repeated);
  // Those of the tool that is called; null: there are none.
  const std::vector<Repeated>* Find(const ClientMessage& call) const;

  absl::flat_hash_map<std::string, std::vector<Repeated>> tools_;
  std::size_t kept_bytes_ = 0;
};

}  // namespace sallyport::agent
