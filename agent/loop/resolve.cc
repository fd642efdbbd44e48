#include "agent/loop/resolve.h"

#include <memory>
#include <utility>

#include "agent/loop/signal.h"

namespace sallyport::agent {
namespace {

struct Asked {
  Asked(Loop& loop, std::string host_, std::string port_)
      : host(std::move(host_)), port(std::move(port_)), done(loop) {}
  const std::string host;
  const std::string port;
  absl::StatusOr<std::vector<Endpoint>> found;
  Signal done;
};

}  // namespace

Task<absl::StatusOr<std::vector<Endpoint>>> Resolve(Loop& loop, std::string host,
                                                    std::string port) {
  if (auto numeric = Endpoint::Numeric(host, port); numeric.ok()) {
    co_return std::vector<Endpoint>{*numeric};
  }
  // The waiting task may go before the answer comes.
  auto asked = std::make_shared<Asked>(loop, std::move(host), std::move(port));
  loop.RunElsewhere([asked] { asked->found = Endpoint::Lookup(asked->host, asked->port); },
                    [asked] { asked->done.Set(); });
  co_await asked->done.Wait();
  co_return std::move(asked->found);
}

}  // namespace sallyport::agent
