#include "agent/upstream/server_entry.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/fakes/temp_dir.h"

namespace sallyport::agent {
namespace {

struct Rig {
  Rig() {
    Write("token", "abc\n");
    config.set_data_dir(dir / "data");
    entry = config.add_servers();
    entry->set_name("wiki");
    (*entry->mutable_credentials())["pat"].set_file(dir / "token");
  }
  void Write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    std::filesystem::remove(dir / name);
    std::ofstream(dir / name, std::ios::binary) << text;
    chmod((dir / name).c_str(), mode);
  }
  config::v1::StdioServer& Stdio() {
    auto& stdio = *entry->mutable_stdio();
    stdio.clear_command();
    stdio.add_command("sh");
    if (geteuid() == 0) stdio.set_run_as("nobody");
    return stdio;
  }
  config::v1::HttpServer& Http() {
    entry->mutable_http()->set_url("https://wiki.example.com/mcp");
    return *entry->mutable_http();
  }
  std::string Fault() const {
    auto checked = CheckServers(config);
    return checked.ok() ? "" : std::string(checked.status().message());
  }

  TempDir dir;
  config::v1::AgentConfig config;
  config::v1::ServerEntry* entry;
};

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a stdio entry is checked and its program found", "[agent][upstream]") {
  Rig rig;
  auto& value = (*rig.Stdio().mutable_env())["TOKEN"];
  value.set_credential("pat");
  value.set_prefix("p-");
  (*rig.Stdio().mutable_env())["HOME"].set_value("/srv");
  auto checked = CheckServers(rig.config);
  REQUIRE(checked.ok());
  const CheckedServer& server = checked->front();
  CHECK(server.plan.argv[0].front() == '/');
  CHECK(server.message_bytes == 16 << 20);
  CHECK(server.plan.isolate);
  CHECK(std::none_of(server.plan.env.begin(), server.plan.env.end(),
                     [](const std::string& v) { return v.starts_with("HOME="); }));
  auto credentials = ReadCredentialFiles(server);
  REQUIRE(credentials.ok());
  CHECK((*credentials)->values()[0].secret == "abc");
  auto filled = FillIn(server, **credentials);
  CHECK(filled ==
        std::vector<std::pair<std::string, std::string>>{{"HOME", "/srv"}, {"TOKEN", "p-abc"}});
}

TEST_CASE("an http entry may name its transport", "[agent][upstream]") {
  const auto transport = [](const std::string& word) {
    Rig rig;
    rig.Http().set_transport(word);
    auto checked = CheckServers(rig.config);
    REQUIRE(checked.ok());
    return checked->front().transport;
  };
  CHECK(transport("") == HttpTransport::kFound);
  CHECK(transport("streamable-http") == HttpTransport::kStreamable);
  CHECK(transport("sse") == HttpTransport::kSse);
  Rig rig;
  rig.Http().set_transport("SSE");
  CHECK(Has(rig.Fault(), "wiki: `transport` is streamable-http or sse"));
}

TEST_CASE("each fault of an entry is refused and names the server", "[agent][upstream]") {
  auto fault = [](auto change) {
    Rig rig;
    rig.Stdio();
    change(rig);
    std::string text = rig.Fault();
    CHECK(Has(text, "servers"));
    return text;
  };
  CHECK(Has(fault([](Rig& r) { r.config.clear_servers(); }), "at least one"));
  CHECK(Has(fault([](Rig& r) { r.Http(); }), "exactly one of"));
  CHECK(Has(fault([](Rig& r) { r.entry->clear_stdio(); }), "exactly one of"));
  CHECK(Has(fault([](Rig& r) { r.entry->set_name("Wiki"); }), "`name`"));
  CHECK(Has(fault([](Rig& r) { r.entry->set_name("-x"); }), "`name`"));
  CHECK(Has(fault([](Rig& r) { *r.config.add_servers() = *r.entry; }), "twice"));
  CHECK(
      Has(fault([](Rig& r) { r.entry->mutable_limits()->set_message_bytes(65 << 20); }), "64MiB"));
  CHECK(
      Has(fault([](Rig& r) { r.Stdio().set_command(0, "no-such-program-here"); }), "not in PATH"));
  CHECK(Has(fault([](Rig& r) { r.Stdio().set_command(0, "./relative"); }), "absolute"));
  CHECK(Has(fault([](Rig& r) { r.Stdio().set_command(0, r.dir / "token"); }), "cannot be run"));
  CHECK(Has(fault([](Rig& r) { r.Stdio().set_run_as("no-such-user"); }), "no user"));
  CHECK(Has(fault([](Rig& r) { r.Stdio().set_run_as("root"); }), "root"));
  CHECK(Has(fault([](Rig& r) { r.Stdio().set_isolation("some"); }), "`isolation`"));
  CHECK(Has(fault([](Rig& r) { r.Stdio().set_working_dir("here"); }), "`working_dir`"));
  CHECK(Has(fault([](Rig& r) { r.Stdio().add_hide("relative"); }), "`hide`"));
  CHECK(Has(fault([](Rig& r) { r.Stdio().add_hide("/no/such/dir"); }), "`hide`"));
  CHECK(Has(fault([](Rig& r) { r.Stdio().add_hide("/usr"); }), "must not see"));
  CHECK(Has(fault([](Rig& r) { (*r.Stdio().mutable_env())["LD_PRELOAD"].set_value("x"); }),
            "LD_PRELOAD"));
  CHECK(Has(fault([](Rig& r) { (*r.Stdio().mutable_env())["A=B"].set_value("x"); }),
            "no variable's name"));
  CHECK(Has(fault([](Rig& r) { (*r.Stdio().mutable_env())["A"].set_credential("other"); }),
            "does not have"));
  CHECK(Has(fault([](Rig& r) { (*r.Stdio().mutable_env())["A"].set_prefix("p"); }), "`prefix`"));
  if (geteuid() == 0) CHECK(Has(fault([](Rig& r) { r.Stdio().clear_run_as(); }), "`run_as"));
}

TEST_CASE(
    "a credential file that others can read, is missing, empty or of two lines refuses the start",
    "[agent][upstream]") {
  Rig rig;
  rig.Stdio();
  rig.Write("token", "abc", 0644);
  CHECK(Has(rig.Fault(), rig.dir / "token"));
  rig.Write("token", "");
  CHECK(Has(rig.Fault(), "empty"));
  rig.Write("token", "abc\nX-Evil: 1\n");
  CHECK(Has(rig.Fault(), "more than one line"));
  rig.Write("token", std::string("a\0b", 3));
  CHECK(Has(rig.Fault(), "more than one line"));
  std::filesystem::remove(rig.dir / "token");
  CHECK(Has(rig.Fault(), "wiki"));
}

TEST_CASE(
    "an http entry may not set what the agent itself says, nor a value that cannot stand in a "
    "header",
    "[agent][upstream]") {
  for (std::string name : {"Host", "content-length", "Mcp-Session-Id", "Accept",
                           "Transfer-Encoding", "bad name", ""}) {
    Rig rig;
    (*rig.Http().mutable_headers())[name].set_value("x");
    INFO(name);
    CHECK(Has(rig.Fault(), "`headers`"));
  }
  Rig rig;
  rig.Http();
  (*rig.Http().mutable_headers())["Authorization"].set_credential("pat");
  CHECK(rig.Fault() == "");
  rig.Write("token", "caf\xc3\xa9");
  CHECK(Has(rig.Fault(), "cannot stand in a header"));
  rig.Write("token", "abc");
  rig.Http().set_url("http://wiki.example.com/mcp");
  CHECK(Has(rig.Fault(), "https"));
}

TEST_CASE(
    "what a child must not see is covered by directory, or by file where it needs the directory",
    "[agent][upstream]") {
  Rig rig;
  rig.Stdio();
  std::filesystem::create_directories(rig.dir / "keys");
  std::filesystem::create_directories(rig.dir / "app");
  rig.Write("keys/tls.key", "k");
  rig.Write("app/secret", "s");
  rig.config.mutable_tls()->set_key_file(rig.dir / "keys/tls.key");
  (*rig.entry->mutable_credentials())["pat"].set_file(rig.dir / "app/secret");
  rig.Stdio().add_command(rig.dir / "app/server.js");
  auto checked = CheckServers(rig.config);
  REQUIRE(checked.ok());
  auto covers = [&](const std::string& path, bool is_dir) {
    const auto& hide = checked->front().plan.hide;
    return std::any_of(hide.begin(), hide.end(),
                       [&](const HiddenPath& h) { return h.path == path && h.is_dir == is_dir; });
  };
  std::string real = std::filesystem::canonical(rig.dir.path());
  CHECK(covers(real + "/data", true));
  CHECK(covers(real + "/keys", true));
  CHECK(covers(real + "/app/secret", false));
  CHECK_FALSE(covers(real + "/app", true));
}

}  // namespace
}  // namespace sallyport::agent
