#include "controlplane/identity/issuers.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/file.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/raw_http_server.h"
#include "tests/fakes/temp_dir.h"
#include "tests/fakes/test_ca.h"
#include "tests/fakes/test_key.h"

namespace sallyport::controlplane {
namespace {

using nlohmann::json;
using types::v1::DENIAL_REASON_ISSUER_UNAVAILABLE;
using types::v1::DENIAL_REASON_TOKEN_INVALID;

const TestKey& FirstKey() {
  static auto& key = *new TestKey("RS256", "k1");
  return key;
}
const TestKey& SecondKey() {
  static auto& key = *new TestKey("RS256", "k2");
  return key;
}

// An identity provider on loopback whose answers a test sets.
class Provider {
 public:
  explicit Provider(SSL_CTX* tls = nullptr)
      : scheme_(tls == nullptr ? "http" : "https"),
        server_([this](const std::string& request) { return Answer(request); }, tls) {
    SetDiscovery({{"issuer", Issuer()},
                  {"jwks_uri", Url("/keys")},
                  {"token_endpoint", Url("/token")},
                  {"authorization_endpoint", Url("/authorize")}});
    SetKeys(JsonReply(JwksOf({FirstKey().Jwk()}), "Cache-Control: max-age=300\r\n"));
  }

  std::string Url(const std::string& path) const {
    return scheme_ + "://127.0.0.1:" + server_.port() + path;
  }
  std::string Issuer() const { return Url("/oauth2/default"); }

  void SetDiscovery(const json& document) { SetDiscoveryReply(JsonReply(document.dump())); }
  void SetDiscoveryReply(std::string reply) {
    absl::MutexLock lock(&mutex_);
    discovery_ = std::move(reply);
  }
  void SetKeys(std::string reply) {
    absl::MutexLock lock(&mutex_);
    keys_ = std::move(reply);
  }
  int CountOf(const std::string& path) const {
    int count = 0;
    for (const std::string& request : server_.requests())
      count += request.rfind("GET " + path + " ", 0) == 0 ? 1 : 0;
    return count;
  }
  int key_fetches() const { return CountOf("/keys"); }
  int requests() const { return static_cast<int>(server_.requests().size()); }

  std::string Token(const TestKey& key, absl::Time now) const {
    return key.Token({{"iss", Issuer()},
                      {"aud", "api://sallyport"},
                      {"sub", "0oa1"},
                      {"cid", "0oa1"},
                      {"jti", "AT.1"},
                      {"iat", absl::ToUnixSeconds(now) - 10},
                      {"exp", absl::ToUnixSeconds(now) + 600}});
  }

 private:
  RawHttpServer::Reply Answer(const std::string& request) {
    absl::MutexLock lock(&mutex_);
    return {.bytes = request.find("/.well-known/openid-configuration ") != std::string::npos
                         ? discovery_
                         : keys_,
            .closes = true};
  }

  absl::Mutex mutex_;
  std::string scheme_;
  std::string discovery_;
  std::string keys_;
  RawHttpServer server_;
};

config::v1::Issuer EntryOf(const Provider& provider) {
  config::v1::Issuer entry;
  entry.set_id("okta");
  entry.set_issuer(provider.Issuer());
  entry.add_audiences("api://sallyport");
  entry.set_preset("okta");
  return entry;
}

// Not started: only what a test asks for is fetched.
struct Setup {
  FakeClock clock;
  Provider provider;
  config::v1::Issuer entry = EntryOf(provider);
  std::unique_ptr<Issuers> issuers;
  int changes = 0;

  void Create() {
    auto created = Issuers::Create({entry}, {}, clock);
    INFO(created.status().ToString());
    REQUIRE(created.ok());
    issuers = *std::move(created);
    issuers->OnKeysChanged([this] { ++changes; });
  }
  bool Accepts(const TestKey& key) {
    return std::holds_alternative<Identity>(
        issuers->Identify(provider.Token(key, clock.Now()), {}));
  }
  types::v1::DenialReason ReasonFor(const TestKey& key) {
    const auto result = issuers->Identify(provider.Token(key, clock.Now()), {});
    const auto* refusal = std::get_if<TokenRefusal>(&result);
    return refusal == nullptr ? types::v1::DENIAL_REASON_UNSPECIFIED : refusal->reason;
  }
  // What a fetch that this answer meets ends with.
  absl::Status FetchOf(const std::string& keys_reply) {
    provider.SetKeys(keys_reply);
    return issuers->RefreshNow("okta");
  }
};

TEST_CASE("the keys are found by discovery and tokens are taken", "[identity]") {
  Setup setup;
  setup.Create();
  CHECK(setup.ReasonFor(FirstKey()) == DENIAL_REASON_ISSUER_UNAVAILABLE);
  REQUIRE(setup.issuers->RefreshNow("okta").ok());
  CHECK(setup.Accepts(FirstKey()));
  CHECK(setup.changes == 1);
  const auto snapshot = setup.issuers->ForSnapshot();
  REQUIRE(snapshot.size() == 1);
  CHECK(snapshot[0].issuer().id() == "okta");
  CHECK(snapshot[0].jwks() == jose::KeySet::Parse(JwksOf({FirstKey().Jwk()}))->ToJson());
  CHECK(snapshot[0].fetched_at().seconds() == absl::ToUnixSeconds(setup.clock.Now()));
}

TEST_CASE("started, it fetches by itself and tells", "[identity]") {
  SystemClock clock;
  Provider provider;
  absl::Notification changed;
  const auto issuers = Issuers::Create({EntryOf(provider)}, {}, clock).value();
  issuers->OnKeysChanged([&] { changed.Notify(); });
  issuers->Start();
  REQUIRE(changed.WaitForNotificationWithTimeout(absl::Seconds(10)));
  CHECK(std::holds_alternative<Identity>(
      issuers->Identify(provider.Token(FirstKey(), clock.Now()), {})));
  issuers->Stop();
}

TEST_CASE("a provider that is down keeps nobody from starting", "[identity]") {
  FakeClock clock;
  auto provider = std::make_unique<Provider>();
  const config::v1::Issuer entry = EntryOf(*provider);
  const std::string token = provider->Token(FirstKey(), clock.Now());
  provider.reset();
  const auto issuers = Issuers::Create({entry}, {}, clock).value();
  CHECK(absl::IsUnavailable(issuers->RefreshNow("okta")));
  const auto result = issuers->Identify(token, {});
  REQUIRE(std::holds_alternative<TokenRefusal>(result));
  CHECK(std::get<TokenRefusal>(result).reason == DENIAL_REASON_ISSUER_UNAVAILABLE);
}

TEST_CASE("a new key is fetched for once its cool-down is over, and at once no more",
          "[identity]") {
  Setup setup;
  setup.Create();
  REQUIRE(setup.issuers->RefreshNow("okta").ok());
  setup.provider.SetKeys(JsonReply(JwksOf({FirstKey().Jwk(), SecondKey().Jwk()})));
  CHECK(setup.ReasonFor(SecondKey()) == DENIAL_REASON_TOKEN_INVALID);
  CHECK(setup.provider.key_fetches() == 1);
  setup.clock.Advance(absl::Seconds(30));
  CHECK(setup.Accepts(SecondKey()));
  CHECK(setup.Accepts(FirstKey()));
  CHECK(setup.provider.key_fetches() == 2);
  CHECK(setup.changes == 2);
}

TEST_CASE("made-up key ids cost one fetch in thirty seconds, and one id only one", "[identity]") {
  Setup setup;
  setup.Create();
  REQUIRE(setup.issuers->RefreshNow("okta").ok());
  setup.clock.Advance(absl::Seconds(31));
  for (int i = 0; i < 1000; ++i)
    CHECK_FALSE(setup.issuers->Refresh("okta", "made-up-" + std::to_string(i)).value());
  CHECK(setup.provider.key_fetches() == 2);
  setup.clock.Advance(absl::Seconds(31));
  CHECK_FALSE(setup.issuers->Refresh("okta", "made-up-0").value());
  CHECK(setup.provider.key_fetches() == 2);
  CHECK(setup.Accepts(FirstKey()));
  CHECK(absl::IsNotFound(setup.issuers->Refresh("nobody", "x").status()));
}

TEST_CASE("many who ask at once make one fetch", "[identity]") {
  Setup setup;
  setup.Create();
  REQUIRE(setup.issuers->RefreshNow("okta").ok());
  setup.provider.SetKeys(JsonReply(JwksOf({SecondKey().Jwk()})));
  setup.clock.Advance(absl::Seconds(31));
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { setup.issuers->Refresh("okta", "k2").value(); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(setup.provider.key_fetches() == 2);
  CHECK(setup.Accepts(SecondKey()));
}

TEST_CASE("a withdrawn key is gone with the next good answer", "[identity]") {
  Setup setup;
  setup.Create();
  REQUIRE(setup.issuers->RefreshNow("okta").ok());
  REQUIRE(setup.Accepts(FirstKey()));
  REQUIRE(setup.FetchOf(JsonReply(JwksOf({SecondKey().Jwk()}))).ok());
  CHECK(setup.ReasonFor(FirstKey()) == DENIAL_REASON_TOKEN_INVALID);
  CHECK(setup.Accepts(SecondKey()));
}

TEST_CASE("no bad answer takes the place of good keys", "[identity]") {
  Setup setup;
  setup.Create();
  REQUIRE(setup.issuers->RefreshNow("okta").ok());
  json encryption = FirstKey().Jwk();
  encryption["use"] = "enc";
  const std::string endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                              HttpChunk(std::string(300'000, ' '));
  const std::vector<std::pair<std::string, std::string>> answers = {
      {"empty set", JsonReply(R"({"keys":[]})")},
      {"no usable key", JsonReply(JwksOf({encryption}))},
      {"garbage", JsonReply("<html>")},
      {"cut off", JsonReply(R"({"keys":[{"kty":)")},
      {"500", HttpReply(500, "application/json", JwksOf({SecondKey().Jwk()}))},
      {"404", HttpReply(404, "application/json", JwksOf({SecondKey().Jwk()}))},
      {"429", HttpReply(429, "application/json", "{}")},
      {"a redirect", HttpReply(302, "text/plain", JwksOf({SecondKey().Jwk()}),
                               "Location: " + setup.provider.Url("/elsewhere") + "\r\n")},
      {"too long", JsonReply(std::string(256 * 1024 + 1, ' '))},
      {"chunked and too long", endless},
      {"headers without end", "HTTP/1.1 200 OK\r\n" + std::string(40'000, 'a') + ": b\r\n"},
      {"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n"},
      {"shorter than it says", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"keys\":[]}"},
      {"nothing", ""},
  };
  for (const auto& [name, answer] : answers) {
    INFO(name);
    CHECK_FALSE(setup.FetchOf(answer).ok());
    CHECK(setup.Accepts(FirstKey()));
  }
  CHECK(setup.provider.CountOf("/elsewhere") == 0);
  CHECK(setup.changes == 1);
}

TEST_CASE("keys that cannot be refreshed serve until stale_max, and no longer", "[identity]") {
  Setup setup;
  setup.Create();
  REQUIRE(setup.issuers->RefreshNow("okta").ok());
  setup.provider.SetKeys(HttpReply(500, "text/plain", ""));
  setup.clock.Advance(absl::Hours(24));
  CHECK_FALSE(setup.issuers->RefreshNow("okta").ok());
  CHECK(setup.Accepts(FirstKey()));
  setup.clock.Advance(absl::Seconds(1));
  CHECK(setup.ReasonFor(FirstKey()) == DENIAL_REASON_ISSUER_UNAVAILABLE);
}

TEST_CASE("agents hear once an hour that unchanged keys are fresh", "[identity]") {
  Setup setup;
  setup.Create();
  REQUIRE(setup.issuers->RefreshNow("okta").ok());
  setup.clock.Advance(absl::Minutes(59));
  REQUIRE(setup.issuers->RefreshNow("okta").ok());
  CHECK(setup.changes == 1);
  setup.clock.Advance(absl::Minutes(1));
  REQUIRE(setup.issuers->RefreshNow("okta").ok());
  CHECK(setup.changes == 2);
}

TEST_CASE("a discovery document that speaks of another issuer or leads elsewhere is not followed",
          "[identity]") {
  Setup setup;
  setup.Create();
  const auto error = [&](const char* name, const json& value) {
    json document = {{"issuer", setup.provider.Issuer()},
                     {"jwks_uri", setup.provider.Url("/keys")}};
    if (value.is_null()) {
      document.erase(name);
    } else {
      document[name] = value;
    }
    setup.provider.SetDiscovery(document);
    return setup.issuers->RefreshNow("okta");
  };
  CHECK(absl::IsInvalidArgument(error("issuer", "https://evil.example")));
  CHECK(absl::IsInvalidArgument(error("issuer", setup.provider.Issuer() + "/")));
  CHECK(absl::IsInvalidArgument(error("issuer", nullptr)));
  CHECK(absl::IsInvalidArgument(error("issuer", 1)));
  CHECK(absl::IsInvalidArgument(error("jwks_uri", nullptr)));
  CHECK(absl::IsInvalidArgument(error("jwks_uri", "http://169.254.169.254/latest")));
  CHECK(absl::IsInvalidArgument(error("jwks_uri", "https://keys.example/keys")));
  CHECK(absl::IsInvalidArgument(error("jwks_uri", "file:///etc/passwd")));
  CHECK(absl::IsInvalidArgument(error("token_endpoint", "http://evil.example/token")));
  setup.provider.SetDiscoveryReply(JsonReply("[]"));
  CHECK(absl::IsInvalidArgument(setup.issuers->RefreshNow("okta")));
  setup.provider.SetDiscoveryReply(
      HttpReply(302, "text/plain", "", "Location: " + setup.provider.Url("/elsewhere") + "\r\n"));
  CHECK(absl::IsUnavailable(setup.issuers->RefreshNow("okta")));
  CHECK(setup.provider.key_fetches() == 0);
  CHECK(setup.provider.CountOf("/elsewhere") == 0);
  CHECK(error("x", "y").ok());
}

TEST_CASE("a check asks every issuer now, discovery included, and says what came", "[identity]") {
  Provider other;
  FakeClock clock;
  Provider provider;
  config::v1::Issuer second = EntryOf(other);
  second.set_id("second");
  const auto issuers = *Issuers::Create({EntryOf(provider), second}, {}, clock);
  const auto first = issuers->CheckNow("");
  REQUIRE(first.ok());
  REQUIRE(first->size() == 2);
  for (const Issuers::State& state : *first) {
    CHECK(state.fetched.ok());
    CHECK(state.known.keys->KeyIds() == std::vector<std::string>{"k1"});
    CHECK(state.known.fetched_at == clock.Now());
  }
  CHECK(first->at(0).keys_from == provider.Url("/keys"));

  // One that fails keeps the keys it had, and does not hide the other.
  other.SetDiscoveryReply(HttpReply(503, "text/plain", ""));
  clock.Advance(absl::Minutes(1));
  const auto later = issuers->CheckNow("");
  CHECK(later->at(0).fetched.ok());
  CHECK(absl::IsUnavailable(later->at(1).fetched));
  CHECK(later->at(1).known.fetched_at == clock.Now() - absl::Minutes(1));
  CHECK(later->at(1).keys_from.empty());

  CHECK(issuers->CheckNow("second")->size() == 1);
  CHECK(absl::IsNotFound(issuers->CheckNow("third").status()));
}

TEST_CASE("jwks.uri needs no discovery", "[identity]") {
  Setup setup;
  setup.entry.mutable_jwks()->set_uri(setup.provider.Url("/keys"));
  setup.provider.SetDiscoveryReply(HttpReply(500, "text/plain", ""));
  setup.Create();
  REQUIRE(setup.issuers->RefreshNow("okta").ok());
  CHECK(setup.Accepts(FirstKey()));
  CHECK(setup.provider.requests() == 1);
}

TEST_CASE("keys from a file need no network and do not age", "[identity]") {
  TempDir dir;
  Setup setup;
  REQUIRE(WriteFileAtomically(dir / "keys.json", JwksOf({FirstKey().Jwk()}), 0644).ok());
  setup.entry.mutable_jwks()->set_file(dir / "keys.json");
  setup.Create();
  setup.clock.Advance(absl::Hours(1000));
  CHECK(setup.Accepts(FirstKey()));
  CHECK_FALSE(setup.issuers->Refresh("okta", "k9").value());
  CHECK(setup.provider.requests() == 0);

  setup.entry.mutable_jwks()->set_file(dir / "missing.json");
  CHECK(absl::IsInvalidArgument(Issuers::Create({setup.entry}, {}, setup.clock).status()));
  REQUIRE(WriteFileAtomically(dir / "empty.json", R"({"keys":[]})", 0644).ok());
  setup.entry.mutable_jwks()->set_file(dir / "empty.json");
  CHECK(absl::IsInvalidArgument(Issuers::Create({setup.entry}, {}, setup.clock).status()));
}

// A TLS server's context with a certificate of this CA.
struct TlsContext {
  TlsContext(const TestCa& ca, const std::string& dns)
      : context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    const PrivateKey key = GenerateKey();
    const Certificate leaf =
        std::move(CertificatesFromPem(ca.Issue(*key, {.dns = dns})).value().front());
    SSL_CTX_use_certificate(context.get(), leaf.get());
    SSL_CTX_use_PrivateKey(context.get(), key.get());
  }
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context;
};

TEST_CASE("over TLS only the entry's own CA and the right name are believed", "[identity]") {
  std::signal(SIGPIPE, SIG_IGN);  // as the programs do (common/harden)
  TempDir dir;
  TestCa ca;
  TestCa other;
  REQUIRE(WriteFileAtomically(dir / "ca.pem", ca.pem(), 0644).ok());
  REQUIRE(WriteFileAtomically(dir / "other.pem", other.pem(), 0644).ok());
  FakeClock clock;
  const auto fetch = [&](const Provider& provider, const std::string& ca_file) {
    config::v1::Issuer entry = EntryOf(provider);
    if (!ca_file.empty()) entry.mutable_jwks()->set_ca_file(dir / ca_file);
    return Issuers::Create({entry}, {}, clock).value()->RefreshNow("okta");
  };
  TlsContext right(ca, "idp.example,IP:127.0.0.1");
  Provider provider(right.context.get());
  CHECK(absl::IsUnavailable(fetch(provider, "other.pem")));
  CHECK(absl::IsUnavailable(fetch(provider, "")));
  CHECK(absl::IsUnavailable(fetch(provider, "missing.pem")));
  CHECK(provider.requests() == 0);
  CHECK(fetch(provider, "ca.pem").ok());

  TlsContext wrong_name(ca, "idp.example,IP:127.0.0.2");
  Provider impostor(wrong_name.context.get());
  CHECK(absl::IsUnavailable(fetch(impostor, "ca.pem")));
  CHECK(impostor.requests() == 0);
}

}  // namespace
}  // namespace sallyport::controlplane
