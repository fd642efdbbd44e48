#pragma once

#include <string>

#include "agent/mcp/message.h"

namespace sallyport::agent {

// Where a page of a list stands in it, as JSON literals: what asked for the page, empty for the
// first one; what asks for the next one, empty at the last.
struct ListPage {
  std::string cursor;
  std::string next_cursor;
};

// Of a request for a page and the result that answers it.
ListPage PageOf(const ClientMessage& request, const UpstreamMessage& result);

}  // namespace sallyport::agent
