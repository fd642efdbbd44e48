#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "common/tls.h"
#include "tests/fakes/test_ca.h"

namespace sallyport {

// A gRPC server on a free port of 127.0.0.1 with real TLS: one door of a control plane. Stopped
// with it.
class FakeDoor {
 public:
  struct Options {
    std::string name = "agents.sallyport";
    // Whether clients must show a certificate of the CA.
    bool asks_for_certificate = true;
    // 0: any.
    int port = 0;
  };

  FakeDoor(const TestCa& ca, const std::vector<grpc::Service*>& services, const Options& options) {
    const PrivateKey key = GenerateKey();
    grpc::SslServerCredentialsOptions tls(
        options.asks_for_certificate ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                     : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
    tls.pem_root_certs = ca.pem();
    // The CA is part of what is shown, as the enrollment door does it.
    tls.pem_key_cert_pairs.push_back(
        {KeyToPem(*key),
         ca.Issue(*key, {.dns = options.name, .lifetime = absl::Hours(24 * 30)}) + ca.pem()});
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(options.port),
                             grpc::SslServerCredentials(tls), &port_);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.SetMaxReceiveMessageSize(64 << 20);
    for (grpc::Service* service : services) builder.RegisterService(service);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) std::abort();
  }
  ~FakeDoor() { Stop(); }
  FakeDoor(const FakeDoor&) = delete;
  FakeDoor& operator=(const FakeDoor&) = delete;

  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // Cuts what runs.
  void Stop() {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_.reset();
  }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace sallyport
