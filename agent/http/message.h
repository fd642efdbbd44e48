#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// An HTTP message as strict_framing reads it. Belongs to the connection: Clear keeps all
// memory, so that the next message of the connection costs no allocation.
namespace sallyport::agent {

struct HttpLimits {
  std::size_t request_line = 8u << 10;
  std::size_t field = 8u << 10;           // one field, name and value
  std::size_t authorization = 17u << 10;  // the Authorization field
  std::size_t head = 32u << 10;           // all of the head, with trailers
  std::size_t fields = 100;               // with trailers
  std::size_t chunk_extensions = 256;     // all of one message
  std::size_t informational = 16;         // 1xx responses before the real one
  std::uint64_t body = 16u << 20;
};

// Why a message is refused, with the status a server answers it with (then closes). A client
// discards the connection.
struct HttpError {
  int status = 0;         // 0: no error
  std::string_view what;  // a constant
  explicit operator bool() const { return status != 0; }
};

class HttpFields {
 public:
  // The value of the first field of that name, which must be given in lower case. Fields whose
  // repetition could mean two things (host, authorization, content-*, origin, mcp-*, last-event-id,
  // ...) are never there twice.
  std::optional<std::string_view> Find(std::string_view lower_case_name) const;

  struct Field {
    std::string_view name;  // in lower case
    std::string_view value;
  };
  std::size_t size() const { return fields_.size(); }
  Field operator[](std::size_t i) const;

  void Clear();

 private:
  friend class HeadLines;
  friend class LastHead;
  struct Place {
    std::uint32_t name, name_size, value, value_size;
  };
  std::string head_;  // the head, its names in lower case; values are spans of it
  std::vector<Place> fields_;
};

enum class HttpMethod : std::uint8_t { kGet, kPost, kDelete, kOptions, kHead, kPut, kPatch };

enum class UriScheme : std::uint8_t { kNone, kHttp, kHttps };

struct HttpRequest {
  HttpMethod method = HttpMethod::kGet;
  // Origin form, as sent; of a target in absolute form what is behind its authority. Never empty,
  // begins with '/'.
  std::string target;
  // Of a target in absolute form; kNone: it was none.
  UriScheme scheme = UriScheme::kNone;
  // The authority of such a target, and with any other the value of Host.
  std::string host;
  HttpFields fields;
  bool keep_alive = true;
  // False: the client speaks HTTP/1.0, and reads an answer without a length until it is closed.
  bool takes_chunks = true;
  // Expect: 100-continue was sent; any other expectation is refused with 417.
  bool expects_continue = false;
  bool has_body = false;
  // What of the body has arrived, decoded.
  std::string body;

  void Clear();
};

struct HttpResponse {
  int status = 0;
  HttpFields fields;
  bool keep_alive = true;
  // What of the body has arrived, decoded. Whoever streams may take and clear it between two feeds.
  std::string body;

  void Clear();
};

// Whether a Content-Type names `type` ("application/json"), in UTF-8 if it names a charset at all.
bool IsMediaType(std::string_view content_type, std::string_view type);

// Whether one of the Accept fields admits `type`: exactly, as type/* or as */*, not with q=0. No
// Accept field admits all.
bool Accepts(const HttpFields& fields, std::string_view type);

// Whether the Accept fields name `type` with a greater q than `to`; with the same q, before it.
bool Prefers(const HttpFields& fields, std::string_view type, std::string_view to);

}  // namespace sallyport::agent
