// The readers against themselves cut differently, and against Beast's parser: a message that ours
// accepts is the same message to it and ends at the same byte, unless it refuses it for a field
// that we do not read (Upgrade, Proxy-Connection). And a reader that has read messages before,
// whose heads it may know again, against a new one.
#include <boost/asio/buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/http/strict_framing.h"

namespace {

namespace http = boost::beast::http;
using sallyport::agent::HttpLimits;

void Check(bool holds) {
  if (!holds) std::abort();
}

constexpr HttpLimits kLimits{.body = 1u << 16};

// Bytes taken; the reader holds what became of them.
template <class Reader>
std::size_t Feed(Reader& reader, std::string_view bytes, std::size_t step) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !reader.error() && !reader.is_done()) {
    const std::size_t used = reader.Feed(bytes.substr(taken, step));
    if (used == 0 && !reader.error() && !reader.is_done()) std::abort();
    taken += used;
  }
  return taken;
}

// scheme://host, and the target, in which a path may have been left out.
bool IsUriOf(std::string_view uri, const sallyport::agent::HttpRequest& request) {
  const std::string_view target = request.target;
  const bool is_https = request.scheme == sallyport::agent::UriScheme::kHttps;
  if (uri.size() < 5 || ((uri[4] | 0x20) == 's') != is_https) return false;
  uri.remove_prefix(is_https ? 5 : 4);
  const std::string start = "://" + request.host;
  if (!uri.starts_with(start)) return false;
  uri.remove_prefix(start.size());
  return uri == target || (!uri.starts_with('/') && uri == target.substr(1));
}

void CheckRequest(std::string_view bytes, std::size_t step) {
  sallyport::agent::HttpRequest whole_request;
  sallyport::agent::RequestReader whole(whole_request, kLimits);
  const std::size_t taken = Feed(whole, bytes, bytes.size() + 1);
  sallyport::agent::HttpRequest cut_request;
  sallyport::agent::RequestReader cut(cut_request, kLimits);
  const std::size_t cut_taken = Feed(cut, bytes, step);
  Check(whole.error().status == cut.error().status);
  Check(whole.is_done() == cut.is_done());
  if (!whole.is_done()) return;
  Check(taken == cut_taken);
  Check(whole_request.target == cut_request.target && whole_request.body == cut_request.body);

  http::request_parser<http::string_body> theirs;
  theirs.eager(true);
  theirs.header_limit(1u << 20);
  boost::beast::error_code error;
  std::size_t their_taken = 0;
  while (!theirs.is_done() && !error && their_taken < taken) {
    const std::size_t used =
        theirs.put(boost::asio::buffer(bytes.data() + their_taken, taken - their_taken), error);
    if (used == 0 && error == http::error::need_more) break;
    if (error == http::error::need_more) error = {};
    their_taken += used;
  }
  if (error) return;
  Check(theirs.is_done() && their_taken == taken);
  const auto their_target = theirs.get().target();
  const std::string_view target(their_target.data(), their_target.size());
  // It leaves a URI whole.
  const bool is_path = whole_request.scheme == sallyport::agent::UriScheme::kNone;
  Check(is_path ? target == whole_request.target : IsUriOf(target, whole_request));
  Check(theirs.get().body() == whole_request.body);
  const bool is_old = theirs.get().version() == 10;
  Check(whole_request.takes_chunks != is_old && !(is_old && whole_request.keep_alive));
}

void CheckResponse(std::string_view bytes, std::size_t step) {
  sallyport::agent::HttpResponse whole_response;
  sallyport::agent::ResponseReader whole(whole_response, kLimits);
  const std::size_t taken = Feed(whole, bytes, bytes.size() + 1);
  sallyport::agent::HttpResponse cut_response;
  sallyport::agent::ResponseReader cut(cut_response, kLimits);
  const std::size_t cut_taken = Feed(cut, bytes, step);
  Check(whole.error().status == cut.error().status);
  Check(whole.is_done() == cut.is_done());
  if (!whole.is_done()) return;
  Check(taken == cut_taken);
  Check(whole_response.status == cut_response.status && whole_response.body == cut_response.body);
}

bool IsSame(const sallyport::agent::HttpFields& a, const sallyport::agent::HttpFields& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].name != b[i].name || a[i].value != b[i].value) return false;
  }
  return true;
}
bool IsSame(const sallyport::agent::HttpRequest& a, const sallyport::agent::HttpRequest& b) {
  return a.method == b.method && a.target == b.target && a.host == b.host && a.scheme == b.scheme &&
         a.takes_chunks == b.takes_chunks && a.keep_alive == b.keep_alive &&
         a.expects_continue == b.expects_continue && a.has_body == b.has_body && a.body == b.body &&
         IsSame(a.fields, b.fields);
}
bool IsSame(const sallyport::agent::HttpResponse& a, const sallyport::agent::HttpResponse& b) {
  return a.status == b.status && a.keep_alive == b.keep_alive && a.body == b.body &&
         IsSame(a.fields, b.fields);
}

// The same message twice, and then one that differs in a bit.
template <class Reader, class Message>
void CheckSaidAgain(std::string_view bytes, std::size_t place) {
  std::string other(bytes);
  if (!other.empty()) other[place % other.size()] ^= 1;
  Message message;
  Reader reader(message, kLimits);
  for (const std::string_view said : {bytes, bytes, std::string_view(other), bytes}) {
    Message new_message;
    Reader new_reader(new_message, kLimits);
    reader.Next();
    const std::size_t taken = Feed(reader, said, said.size() + 1);
    const std::size_t new_taken = Feed(new_reader, said, said.size() + 1);
    Check(reader.error().status == new_reader.error().status);
    Check(reader.is_done() == new_reader.is_done());
    if (!reader.is_done()) return;
    Check(taken == new_taken && IsSame(message, new_message));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = data[0] % 32 + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  CheckRequest(bytes, step);
  CheckResponse(bytes, step);
  CheckSaidAgain<sallyport::agent::RequestReader, sallyport::agent::HttpRequest>(bytes, data[0]);
  CheckSaidAgain<sallyport::agent::ResponseReader, sallyport::agent::HttpResponse>(bytes, data[0]);
  return 0;
}
