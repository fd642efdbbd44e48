#pragma once

#include <string_view>

#include "agent/mcp/message.h"

namespace sallyport::agent {

// What a server may tell on the stream of one request of its client's. On that of a
// subscriptions/listen the acknowledgement comes first and once, and the news after it name this
// subscription and are of what it asks for: their kind, and of a resource it or what it is a part
// of. What is no news but of the request itself, its progress and its log lines, needs neither, and
// what is no notification is not judged here.
// What a task asks for in its news the request has declared.
class AskedNews {
 public:
  // `request` as its server got it; it outlives this.
  explicit AskedNews(const ClientMessage& request);

  // Why the client may not have this message that is no response, in words; empty: it may. In the
  // order of their coming.
  std::string_view WhyDropped(const UpstreamMessage& message);

 private:
  std::string_view WhyNotHeard(const UpstreamMessage& news);
  bool IsAskedFor(const UpstreamMessage& news) const;

  const ClientMessage& request_;
  const bool is_listening_;
  bool is_acknowledged_ = false;
};

}  // namespace sallyport::agent
