#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace sallyport::controlplane {

// The first flight of a real TLS client that asks for `server_name` (empty: for none).
inline std::string MakeClientHello(const std::string& server_name) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  &SSL_CTX_free);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), &SSL_free);
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), in, out);
  if (!server_name.empty()) SSL_set_tlsext_host_name(ssl.get(), server_name.c_str());
  SSL_connect(ssl.get());
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out, &bytes);
  return std::string(bytes, static_cast<std::size_t>(size));
}

// The same hello in records of at most `record_bytes` each.
inline std::string CutIntoRecords(const std::string& hello, std::size_t record_bytes) {
  std::string cut;
  for (std::size_t at = 5; at < hello.size(); at += record_bytes) {
    const std::string part = hello.substr(at, record_bytes);
    cut += {'\x16', '\x03', '\x01', static_cast<char>(part.size() >> 8),
            static_cast<char>(part.size() & 0xff)};
    cut += part;
  }
  return cut;
}

}  // namespace sallyport::controlplane
