#include "controlplane/identity/https_client.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <cctype>
#include <cstdlib>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "common/principal/endpoint_url.h"
#include "controlplane/identity/address_guard.h"

namespace sallyport::controlplane {
namespace {

constexpr std::size_t kMaxHeaderBytes = 32 * 1024;

struct Deleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  void operator()(char* text) const { curl_free(text); }
};
using Handle = std::unique_ptr<CURL, Deleter>;

// One request's answer as it comes in; libcurl's callbacks write to it.
struct Exchange {
  HttpsResponse response;
  std::size_t max_bytes = 0;
  std::size_t header_bytes = 0;
  bool is_too_long = false;
  bool is_forbidden = false;
  bool loopback_is_meant = false;
};

// Content-Length can lie and chunked answers have none: what counts is what arrives.
std::size_t TakeBody(char* data, std::size_t, std::size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (exchange.response.body.size() + size > exchange.max_bytes) {
    exchange.is_too_long = true;
    return 0;  // ends the transfer
  }
  exchange.response.body.append(data, size);
  return size;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

absl::Duration MaxAge(const std::string& directives) {
  if (directives.find("no-store") != std::string::npos ||
      directives.find("no-cache") != std::string::npos) {
    return absl::ZeroDuration();
  }
  constexpr std::string_view kName = "max-age=";
  const std::size_t at = directives.find(kName);
  if (at == std::string::npos) return absl::ZeroDuration();
  return absl::Seconds(std::strtoll(directives.c_str() + at + kName.size(), nullptr, 10));
}

std::size_t TakeHeader(char* data, std::size_t, std::size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  exchange.header_bytes += size;
  if (exchange.header_bytes > kMaxHeaderBytes) {
    exchange.is_too_long = true;
    return 0;
  }
  constexpr std::string_view kCacheControl = "cache-control:";
  const std::string line = Lower({data, size});
  if (line.compare(0, kCacheControl.size(), kCacheControl) == 0) {
    exchange.response.max_age = MaxAge(line.substr(kCacheControl.size()));
  }
  return size;
}

// Sees the address that is about to be connected to, so that a name cannot resolve to one address
// for a check and to another for the connection.
curl_socket_t OpenSocket(void* user, curlsocktype, curl_sockaddr* address) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (!MayConnect(address->addr, exchange.loopback_is_meant)) {
    exchange.is_forbidden = true;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

bool InitOnce() {
  static const bool ok = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ok;
}

// False when an option is not known to this libcurl: then nothing may be asked.
bool SetLimits(CURL* handle, const HttpsOptions& options, Exchange& exchange) {
  const auto set = [handle](CURLoption option, auto value) {
    return curl_easy_setopt(handle, option, value) == CURLE_OK;
  };
  const bool has_ca = !options.ca_file.empty();
  return set(CURLOPT_PROTOCOLS_STR, exchange.loopback_is_meant ? "http,https" : "https") &&
         set(CURLOPT_FOLLOWLOCATION, 0L) && set(CURLOPT_PROXY, "") && set(CURLOPT_NOPROXY, "*") &&
         set(CURLOPT_NOSIGNAL, 1L) && set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED)) &&
         set(CURLOPT_SSL_VERIFYPEER, 1L) && set(CURLOPT_SSL_VERIFYHOST, 2L) &&
         set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
         (!has_ca || (set(CURLOPT_CAINFO, options.ca_file.c_str()) &&
                      set(CURLOPT_CAPATH, static_cast<char*>(nullptr)))) &&
         set(CURLOPT_CONNECTTIMEOUT_MS,
             static_cast<long>(absl::ToInt64Milliseconds(options.connect_timeout))) &&
         set(CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(options.timeout))) &&
         set(CURLOPT_LOW_SPEED_LIMIT, 100L) && set(CURLOPT_LOW_SPEED_TIME, 3L) &&
         set(CURLOPT_WRITEFUNCTION, &TakeBody) && set(CURLOPT_WRITEDATA, &exchange) &&
         set(CURLOPT_HEADERFUNCTION, &TakeHeader) && set(CURLOPT_HEADERDATA, &exchange) &&
         set(CURLOPT_OPENSOCKETFUNCTION, &OpenSocket) && set(CURLOPT_OPENSOCKETDATA, &exchange) &&
         set(CURLOPT_USERAGENT, "sallyport/" SALLYPORT_VERSION);
}

absl::Status StatusOf(CURLcode code, const Exchange& exchange, const std::string& url) {
  if (code == CURLE_OK) return absl::OkStatus();
  if (exchange.is_too_long) {
    return absl::ResourceExhaustedError(url + ": the answer is too long");
  }
  if (exchange.is_forbidden) {
    return absl::InvalidArgumentError(url + ": is at an address that may not be asked");
  }
  const std::string message = url + ": " + curl_easy_strerror(code);
  if (code == CURLE_OPERATION_TIMEDOUT) return absl::DeadlineExceededError(message);
  return absl::UnavailableError(message);
}

absl::StatusOr<HttpsResponse> Perform(const std::string& url, const HttpsOptions& options,
                                      const std::optional<std::string>& form) {
  if (absl::Status checked = CheckEndpointUrl(url); !checked.ok()) return checked;
  const std::string host(HostOf(url));
  Exchange exchange{.max_bytes = options.max_bytes, .loopback_is_meant = IsLoopbackLiteral(host)};
  const Handle handle(InitOnce() ? curl_easy_init() : nullptr);
  const std::unique_ptr<curl_slist, Deleter> headers(
      curl_slist_append(nullptr, "Accept: application/json"));
  if (handle == nullptr || headers == nullptr || !SetLimits(handle.get(), options, exchange) ||
      curl_easy_setopt(handle.get(), CURLOPT_URL, url.c_str()) != CURLE_OK ||
      curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get()) != CURLE_OK) {
    return absl::InternalError("libcurl cannot be set up as it must be");
  }
  if (form.has_value()) {
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(form->size()));
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDS, form->c_str());
  }
  const CURLcode code = curl_easy_perform(handle.get());
  if (absl::Status status = StatusOf(code, exchange, url); !status.ok()) return status;
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  exchange.response.status = static_cast<int>(status);
  return std::move(exchange.response);
}

std::string Escape(const std::string& text) {
  const std::unique_ptr<char, Deleter> escaped(
      curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())));
  return escaped == nullptr ? std::string() : escaped.get();
}

}  // namespace

absl::StatusOr<HttpsResponse> HttpsGet(const std::string& url, const HttpsOptions& options) {
  return Perform(url, options, std::nullopt);
}

absl::StatusOr<HttpsResponse> HttpsPostForm(
    const std::string& url, const std::vector<std::pair<std::string, std::string>>& form,
    const HttpsOptions& options) {
  std::string body;
  for (const auto& [name, value] : form) {
    if (!body.empty()) body += '&';
    body += Escape(name) + '=' + Escape(value);
  }
  return Perform(url, options, body);
}

}  // namespace sallyport::controlplane
