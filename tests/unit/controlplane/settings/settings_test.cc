#include "controlplane/settings.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/tls.h"
#include "tests/fakes/temp_dir.h"
#include "tests/fakes/test_ca.h"

namespace sallyport::controlplane {
namespace {

constexpr char kIssuers[] = R"(
issuers:
  - {id: bots, realm: corp, issuer: "https://issuer.test", audiences: ["api://sallyport"]}
  - {id: people, realm: corp, issuer: "https://issuer.test", audiences: [cli], token_kind: id_token}
)";

struct Files {
  absl::StatusOr<Settings> Load(const std::string& text) {
    REQUIRE(WriteFileAtomically(dir / "controlplane.yaml", text, 0644).ok());
    return Settings::Load(dir / "controlplane.yaml");
  }
  // The error of a configuration that is good but for `more`.
  std::string ErrorOf(const std::string& more) {
    const auto settings = Load(absl::StrCat(kIssuers, more));
    REQUIRE_FALSE(settings.ok());
    return std::string(settings.status().message());
  }
  bool Says(const std::string& more, const std::string& words) {
    const std::string error = ErrorOf(more);
    UNSCOPED_INFO(error);
    return error.find(words) != std::string::npos &&
           error.find("controlplane.yaml") != std::string::npos;
  }
  TempDir dir;
};

TEST_CASE("what is left out has its default", "[controlplane][settings]") {
  Files files;
  const auto settings = files.Load(kIssuers);
  INFO(settings.status());
  REQUIRE(settings.ok());
  CHECK(settings->config.listen() == "127.0.0.1:7443");
  CHECK(settings->config.local_listen() == "127.0.0.1:7480");
  CHECK(settings->config.data_dir() == "/var/lib/sallyport");
  CHECK(settings->config.admin_socket() == "/var/lib/sallyport/admin.sock");
  CHECK(settings->config.public_address().empty());
  CHECK(settings->webhooks.empty());
}

TEST_CASE("an unknown or repeated key stops the start, with its line", "[controlplane][settings]") {
  Files files;
  CHECK(files.Says("lissten: 127.0.0.1:1\n", "lissten"));
  CHECK(files.Says("lissten: 127.0.0.1:1\n", ":5:"));
  CHECK(files.Says("listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", "listen"));
}

TEST_CASE("nobody to trust stops the start", "[controlplane][settings]") {
  Files files;
  CHECK(absl::IsInvalidArgument(files.Load("listen: 127.0.0.1:0\n").status()));
}

TEST_CASE("audiences of the management API and of agents do not overlap",
          "[controlplane][settings]") {
  Files files;
  CHECK(files.Says("admin_audiences: [\"api://sallyport\"]\n", "api://sallyport"));
}

TEST_CASE("roles name groups of a realm that has people", "[controlplane][settings]") {
  Files files;
  CHECK(files.Load(absl::StrCat(kIssuers, "roles: {admin: [\"corp:admins\"]}\n")).ok());
  CHECK(files.Says("roles: {admin: [admins]}\n", "roles.admin"));
  CHECK(files.Says("roles: {auditor: [\"other:admins\"]}\n", "roles.auditor"));
}

TEST_CASE("what this version cannot do is refused and not ignored", "[controlplane][settings]") {
  Files files;
  CHECK(files.Says("trusted_proxies: [10.0.0.0/8]\n", "not supported by this version"));
  CHECK(files.Says("recordings: {retention: 90d}\n", "not supported by this version"));
}

TEST_CASE("addresses must be such that somebody can come", "[controlplane][settings]") {
  Files files;
  CHECK(files.Says("listen: somewhere\n", "listen"));
  CHECK(files.Says("local_listen: \"7480\"\n", "local_listen"));
  CHECK(files.Says("listen: 0.0.0.0:7443\n", "public_address is required"));
  CHECK(files.Says("public_address: 0.0.0.0:7443\n", "public_address"));
  CHECK(files.Load(absl::StrCat(kIssuers, "listen: 0.0.0.0:7443\npublic_address: a.example:7443\n"))
            .ok());
}

TEST_CASE("the people's certificate must be there and match its key", "[controlplane][settings]") {
  Files files;
  const TestCa ca;
  const PrivateKey key = GenerateKey();
  const PrivateKey other = GenerateKey();
  REQUIRE(SaveKey(files.dir / "tls.key", *key).ok());
  REQUIRE(SaveKey(files.dir / "other.key", *other).ok());
  REQUIRE(WriteFileAtomically(files.dir / "tls.pem", ca.Issue(*key, {.dns = "a.example"})).ok());
  const auto tls = [&](const std::string& cert, const std::string& name) {
    return absl::StrCat("tls: {cert_file: ", files.dir / cert, ", key_file: ", files.dir / name,
                        "}\n");
  };
  CHECK(files.Load(absl::StrCat(kIssuers, tls("tls.pem", "tls.key"))).ok());
  CHECK(files.Says(tls("tls.pem", "other.key"), "is not the key"));
  CHECK(files.Says(tls("missing.pem", "tls.key"), "missing.pem"));
  CHECK(files.Says(absl::StrCat("tls: {cert_file: ", files.dir / "tls.pem", "}\n"), "go together"));
}

TEST_CASE("notifiers are judged before anybody relies on them", "[controlplane][settings]") {
  Files files;
  REQUIRE(WriteFileAtomically(files.dir / "secret", "0123456789abcdef").ok());
  const auto hook = [&](const std::string& name, const std::string& more) {
    return absl::StrCat("{name: ", name, ", webhook: \"https://hooks.example/\", secret_file: ",
                        files.dir / "secret", more, "}");
  };
  CHECK(files.Load(absl::StrCat(kIssuers, "notify: [", hook("a", ""), "]\n"))->webhooks.size() ==
        1);
  CHECK(files.Says(absl::StrCat("notify: [", hook("a", ""), ", ", hook("a", ""), "]\n"),
                   "two notifiers"));
  CHECK(files.Says(absl::StrCat("notify: [", hook("a", ", approvers: [approvers]"), "]\n"),
                   "realm:group"));
}

}  // namespace
}  // namespace sallyport::controlplane
