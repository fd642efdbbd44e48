#include "common/config_file.h"

#include <catch2/catch.hpp>

#include "common/file.h"
#include "sallyport/config/v1/agent_config.pb.h"
#include "sallyport/config/v1/controlplane_config.pb.h"
#include "sallyport/types/v1/policy.pb.h"
#include "tests/fakes/temp_dir.h"

namespace sallyport {
namespace {

template <class Message>
std::string ErrorOf(std::string_view text) {
  Message message;
  return std::string(ParseConfig(text, "f.yaml", &message).message());
}

TEST_CASE("a file of UTF-8 may begin with a byte order mark", "[common][config]") {
  CHECK(ErrorOf<types::v1::ServerSpec>("\uFEFFowner: okta:wiki\n").empty());
  CHECK(ErrorOf<types::v1::ServerSpec>("\uFEFF\uFEFFowner: okta:wiki\n") ==
        "f.yaml:1:1: a byte order mark (U+FEFF), which may only begin a file: remove it");
  const auto documents = SplitDocuments("\uFEFFkind: Lock\nname: all\nspec: {}\n", "f.yaml");
  REQUIRE(documents.ok());
  CHECK(documents->at(0).source.starts_with("kind: Lock"));
}

TEST_CASE("how an editor ends lines makes no other document", "[common][config]") {
  const auto documents = SplitDocuments(
      "kind: Lock\r\nname: a\r\nspec: {}\r\n--- # next\r\nkind: Lock\r\nname: b\r\nspec:\r\n  "
      "reason: |\r\n    x\r\n    y\r\n",
      "f.yaml");
  REQUIRE(documents.ok());
  REQUIRE(documents->size() == 2);
  CHECK(documents->at(0).source == "kind: Lock\nname: a\nspec: {}\n");
  CHECK(documents->at(1).source == "kind: Lock\nname: b\nspec:\n  reason: |\n    x\n    y\n");
  CHECK(documents->at(1).line == 5);
  CHECK(SplitDocuments("\uFEFF---\nkind: Lock\n---\nkind: Lock\n", "f.yaml")->size() == 2);
}

TEST_CASE("an agent's file is read with all its forms", "[common][config]") {
  config::v1::AgentConfig config;
  const absl::Status status = ParseConfig(R"(
control_plane: {join_token_file: /etc/sallyport/join}
recording: {durability: power, spool_max_bytes: 4GiB}
limits: {message_bytes: 1048576}
trusted_proxies: [10.0.0.0/8]
servers:
  - name: everything
    stdio: {command: [npx, -y, "@mcp/everything"], env: {TOKEN: {credential: api-token}, PORT: 8080, MODE: "on"}}
    credentials: {api-token: {file: /etc/sallyport/api-token}}
  - name: wiki
    http: {url: "http://127.0.0.1:3001/mcp", headers: {Authorization: {prefix: "Bearer ", credential: wiki-pat}}}
)",
                                          "agent.yaml", &config);
  REQUIRE(status == absl::OkStatus());
  CHECK(config.recording().spool_max_bytes() == 4ull << 30);
  CHECK(config.limits().message_bytes() == 1 << 20);
  CHECK(config.servers(0).stdio().command(2) == "@mcp/everything");
  CHECK(config.servers(0).stdio().env().at("TOKEN").credential() == "api-token");
  CHECK(config.servers(0).stdio().env().at("PORT").value() == "8080");
  CHECK(config.servers(0).stdio().env().at("MODE").value() == "on");
  CHECK(config.servers(0).credentials().at("api-token").file() == "/etc/sallyport/api-token");
  CHECK(config.servers(1).http().headers().at("Authorization").prefix() == "Bearer ");
}

TEST_CASE("a control plane's file is read with durations, lists and claim paths",
          "[common][config]") {
  config::v1::ControlPlaneConfig config;
  const absl::Status status = ParseConfig(R"(
recordings: {retention: 90d}
issuers:
  - id: kc
    issuer: https://kc.example/realms/a
    audiences: [api://x]
    claims: {subject: [sub], client_id: [[azp], ["https://x.example/cid", id]], groups: [roles], bound: [{path: v, equals: 1.0}]}
    clock_skew: 1m30s
)",
                                          "c.yaml", &config);
  REQUIRE(status == absl::OkStatus());
  CHECK(config.recordings().retention().seconds() == 90 * 86400);
  const auto& claims = config.issuers(0).claims();
  CHECK(claims.subject().members(0) == "sub");
  CHECK(claims.client_id(1).members_size() == 2);
  CHECK(claims.client_id(1).members(0) == "https://x.example/cid");
  CHECK(claims.groups(0).members(0) == "roles");
  CHECK(claims.bound(0).equals().number() == "1.0");
  CHECK(config.issuers(0).clock_skew().seconds() == 90);
}

TEST_CASE("a policy's words, times and bare forms are read", "[common][config]") {
  types::v1::PolicySpec policy;
  REQUIRE(ParseConfig(R"(
principals: [{realm: okta, kind: service}]
session: {open: request, bind: address, on_control_plane_loss: continuity, max_calls: 200}
rules: [{deny: {tools: [x], when: [{path: /env, equals: no, exists: false}]}}]
)",
                      "p.yaml", &policy) == absl::OkStatus());
  CHECK(policy.principals(0).kind() == types::v1::PRINCIPAL_KIND_SERVICE);
  CHECK(policy.session().open() == types::v1::OPEN_MODE_REQUEST);
  CHECK(policy.session().max_calls() == 200);
  const auto& condition = policy.rules(0).deny().when(0);
  CHECK(condition.equals().text() == "no");
  CHECK(condition.has_exists());
  CHECK_FALSE(condition.exists());

  types::v1::MaskProfileSpec mask;
  REQUIRE(ParseConfig("operators: {card: {keep_last: 4}, email: token}", "m.yaml", &mask) ==
          absl::OkStatus());
  CHECK(mask.operators().at("card").keep_last() == 4);
  CHECK(mask.operators().at("email").name() == "token");

  types::v1::LockSpec lock;
  REQUIRE(ParseConfig("{reason: leaked, expires: 2026-12-01T00:00:00.5Z}", "l.yaml", &lock) ==
          absl::OkStatus());
  CHECK(lock.expires().seconds() == 1'796'083'200);
  CHECK(lock.expires().nanos() == 500'000'000);
  CHECK(ParseConfig("{}", "l.yaml", &lock) == absl::OkStatus());
  CHECK_FALSE(lock.has_expires());
}

TEST_CASE("an unknown key names file, line, key and place, and what was probably meant",
          "[common][config]") {
  using config::v1::AgentConfig;
  CHECK(ErrorOf<AgentConfig>("listen: a\nlisten_on: b\n") == "f.yaml:2: unknown key \"listen_on\"");
  CHECK(ErrorOf<AgentConfig>("servers:\n  - name: a\n    stdio: {comand: [x]}\n") ==
        "f.yaml:3: unknown key \"comand\" in servers[0].stdio: did you mean \"command\"?");
  CHECK(ErrorOf<types::v1::PolicySpec>("rules:\n  - allow:\n      tool: [x]\n") ==
        "f.yaml:3: unknown key \"tool\" in rules[0].allow: did you mean \"tools\"?");
  CHECK(ErrorOf<AgentConfig>("joinToken: x") == "f.yaml:1: unknown key \"joinToken\"");
}

TEST_CASE("a repeated key names file, line, key and place", "[common][config]") {
  CHECK(ErrorOf<types::v1::PolicySpec>("session:\n  open: connect\n  open: request\n") ==
        "f.yaml:3:3: repeated key \"open\" in session: line 2 has it, too; keep one");
}

TEST_CASE("a value of the wrong type is refused and not repeated", "[common][config]") {
  using config::v1::AgentConfig;
  using types::v1::PolicySpec;
  CHECK(ErrorOf<AgentConfig>("listen: [a]") == "f.yaml:1: listen: expected a string");
  CHECK(ErrorOf<AgentConfig>("listen: true") ==
        "f.yaml:1: listen: expected a string: put quotes around it");
  CHECK(ErrorOf<AgentConfig>("listen: 017") ==
        "f.yaml:1: listen: expected a string: put quotes around it");
  CHECK(ErrorOf<AgentConfig>("listen:") == "f.yaml:1: listen has no value: expected a string");
  CHECK(ErrorOf<AgentConfig>("servers: {a: b}") == "f.yaml:1: servers: expected a list");
  CHECK(ErrorOf<AgentConfig>("servers: [a]") == "f.yaml:1: servers[0]: expected a mapping");
  CHECK(ErrorOf<AgentConfig>("tls: x") == "f.yaml:1: tls: expected a mapping");
  CHECK(ErrorOf<AgentConfig>("[a]") == "f.yaml:1: the document: expected a mapping");
  CHECK(ErrorOf<AgentConfig>("# nothing\n") == "f.yaml:1: the file is empty");
  CHECK(ErrorOf<AgentConfig>("recording: {spool_max_bytes: 4GB}") ==
        "f.yaml:1: recording.spool_max_bytes: expected a size such as 16MiB or 4GiB");
  CHECK(ErrorOf<AgentConfig>("recording: {spool_max_bytes: 99999999999999TiB}") != "");
  CHECK(ErrorOf<AgentConfig>("recording: {spool_max_bytes: -1}") != "");
  CHECK(ErrorOf<AgentConfig>("limits: {approval_hold_seconds: 4294967296}") ==
        "f.yaml:1: limits.approval_hold_seconds: expected a smaller number");
  CHECK(ErrorOf<AgentConfig>("limits: {approval_hold_seconds: '5'}") ==
        "f.yaml:1: limits.approval_hold_seconds: expected a whole number");
  CHECK(ErrorOf<AgentConfig>("limits: {approval_hold_seconds: 5.0}") != "");
  CHECK(ErrorOf<PolicySpec>("session: {max_calls: 0}") ==
        "f.yaml:1: session.max_calls: expected a number above 0, or no such key");
  CHECK(ErrorOf<PolicySpec>("session: {max_duration: 15}") ==
        "f.yaml:1: session.max_duration: expected a duration such as 500ms, 15m, 1h30m or 90d");
  CHECK(ErrorOf<PolicySpec>("session: {open: sometimes}") ==
        "f.yaml:1: session.open: expected one of connect, request");
  CHECK(ErrorOf<PolicySpec>("session: {open: OPEN_MODE_CONNECT}") != "");
  CHECK(ErrorOf<PolicySpec>("rules: [{allow: {tools: [x], when: [{path: /a, exists: yes}]}}]") ==
        "f.yaml:1: rules[0].allow.when[0].exists: expected true or false");
  CHECK(ErrorOf<types::v1::LockSpec>("expires: tomorrow") ==
        "f.yaml:1: expires: expected a time such as 2026-12-31T00:00:00Z");
  CHECK(ErrorOf<config::v1::StdioServer>("env: {A: {value: hunter2, credental: b}}")
            .find("hunter2") == std::string::npos);
  CHECK(ErrorOf<types::v1::Condition>("in: [0x1f]") ==
        "f.yaml:1: in[0]: expected a decimal number, or quotes around it");
}

TEST_CASE("an empty list that would be read as none by people and as the default by us is refused",
          "[common][config]") {
  const auto plane = [](std::string_view text) {
    return ErrorOf<config::v1::ControlPlaneConfig>(text);
  };
  CHECK(plane("issuers:\n  - id: okta\n    claims: {token_id: []}\n")
            .starts_with("f.yaml:3: issuers[0].claims.token_id: the list is empty"));
  CHECK(plane("issuers:\n  - id: okta\n    claims: {subject: []}\n")
            .starts_with("f.yaml:3: issuers[0].claims.subject: the list is empty"));
  CHECK(plane("issuers:\n  - id: okta\n    algs: []\n").starts_with("f.yaml:3: issuers[0].algs"));
  CHECK(plane("notify:\n  - {name: x, approvers: []}\n")
            .starts_with("f.yaml:2: notify[0].approvers"));
  CHECK(ErrorOf<types::v1::PolicySpec>("principals:\n  - {realm: okta, client_ids: []}\n")
            .starts_with("f.yaml:2: principals[0].client_ids"));
  CHECK(ErrorOf<types::v1::PolicySpec>("mask: []\n").starts_with("f.yaml:1: mask"));
  CHECK(ErrorOf<types::v1::PolicySpec>("principals:\n  - {realm: okta, claims: {}}\n")
            .starts_with("f.yaml:2: principals[0].claims: the mapping is empty"));
  // These mean none when they are left out.
  CHECK(plane("notify: []\ntrusted_proxies: []\nroles: {admin: []}\n").empty());
  CHECK(ErrorOf<config::v1::AgentConfig>("allowed_origins: []\nservers: []\n").empty());
  CHECK(ErrorOf<types::v1::PolicySpec>("rules: []\n").empty());
  CHECK(ErrorOf<types::v1::ServerSpec>("labels: {}\n").empty());
}

TEST_CASE("an empty text that would be read as left out is refused", "[common][config]") {
  CHECK(ErrorOf<types::v1::LockSpec>("server: \"\"\n") ==
        "f.yaml:1: server: expected a text that is not empty, or no such key");
  CHECK(ErrorOf<config::v1::ControlPlaneConfig>("issuers:\n  - id: okta\n    realm: ''\n")
            .starts_with("f.yaml:3: issuers[0].realm: expected a text that is not empty"));
  // These are values.
  CHECK(ErrorOf<types::v1::ServerSpec>("labels: {team: \"\"}\n").empty());
  CHECK(ErrorOf<types::v1::Condition>("in: [\"\"]\n").empty());
  CHECK(ErrorOf<types::v1::Condition>("equals: \"\"\n").empty());
  CHECK(ErrorOf<config::v1::AgentConfig>(
            "servers:\n  - name: a\n    stdio: {command: [x, \"\"], env: {A: \"\"}}\n")
            .empty());
}

TEST_CASE("two members of one choice exclude each other", "[common][config]") {
  CHECK(ErrorOf<types::v1::Document>("policy: {}\nlock: {}\n") ==
        "f.yaml:2: \"policy\" and \"lock\" exclude each other");
}

TEST_CASE("a file is cleared, read and named in errors", "[common][config]") {
  const TempDir dir;
  config::v1::AgentConfig config;
  config.set_listen("old");
  REQUIRE(WriteFileAtomically(dir / "agent.yaml", "data_dir: /x\n").ok());
  REQUIRE(LoadConfigFile(dir / "agent.yaml", &config).ok());
  CHECK(config.listen().empty());
  CHECK(config.data_dir() == "/x");
  CHECK(LoadConfigFile(dir / "none.yaml", &config).code() == absl::StatusCode::kNotFound);
  REQUIRE(WriteFileAtomically(dir / "agent.yaml", "data_dirs: /x\n").ok());
  CHECK(std::string(LoadConfigFile(dir / "agent.yaml", &config).message())
            .starts_with(dir / "agent.yaml" + ":1: "));
}

TEST_CASE("a file of several documents is split with their lines and texts", "[common][config]") {
  const auto documents = SplitDocuments(
      "# header\n---\nkind: Policy\nname: a\nspec:\n  servers: [x]\n--- # second\nkind: "
      "Lock\nname: b\nspec: {}\n...\n"
      "--- {kind: Lock, name: c, spec: {}}\n---\n# only a comment\n",
      "f.yaml");
  REQUIRE(documents.ok());
  REQUIRE(documents->size() == 3);
  CHECK((*documents)[0].kind == "Policy");
  CHECK((*documents)[0].name == "a");
  CHECK((*documents)[0].line == 3);
  CHECK((*documents)[0].source == "kind: Policy\nname: a\nspec:\n  servers: [x]\n");
  CHECK((*documents)[1].kind_line == 8);
  CHECK((*documents)[1].source == "kind: Lock\nname: b\nspec: {}\n");
  CHECK((*documents)[2].name == "c");
  types::v1::PolicySpec policy;
  REQUIRE(ParseSpec((*documents)[0], &policy) == absl::OkStatus());
  CHECK(policy.servers(0) == "x");
  types::v1::LockSpec lock;
  CHECK(ParseSpec((*documents)[2], &lock) == absl::OkStatus());
}

TEST_CASE("a marker inside of a block scalar is one all the same", "[common][config]") {
  CHECK_FALSE(SplitDocuments("kind: Lock\nname: |\n  a\n---\n  b\nspec: {}\n", "f.yaml").ok());
  const auto inner = SplitDocuments("kind: Lock\nname: |-\n  ---\nspec: {}\n", "f.yaml");
  REQUIRE(inner.ok());
  CHECK((*inner)[0].name == "---");
}

TEST_CASE("documents that lack a part or have one too many are refused", "[common][config]") {
  const auto error = [](std::string_view text) {
    const auto documents = SplitDocuments(text, "f.yaml");
    if (!documents.ok()) return std::string(documents.status().message());
    types::v1::LockSpec lock;
    return std::string(ParseSpec(documents->back(), &lock).message());
  };
  CHECK(error("name: a\nspec: {}\n") == "f.yaml:1: a document without \"kind\"");
  CHECK(error("[a]\n") == "f.yaml:1: a document without \"kind\"");
  CHECK(error("kind: [a]\n") == "f.yaml:1: kind: expected a string");
  CHECK(error("kind: Lock\nspec: {}\n") == "f.yaml:1: a document without \"name\"");
  CHECK(error("kind: Lock\nname: a\n") == "f.yaml:1: a document without \"spec\"");
  CHECK(error("kind: Lock\nname: a\nspec:\n") == "f.yaml:3: spec has no value: expected a mapping");
  CHECK(error("kind: Lock\nname: a\nspecs: {}\n") ==
        "f.yaml:3: unknown key \"specs\": a document has kind, name and spec");
  CHECK(error("kind: Lock\nname: a\nspec: {}\n---\nkind: Lock\nname: b\nspec: {server: x, sever: "
              "y}\n") == "f.yaml:7: unknown key \"sever\" in spec: did you mean \"server\"?");
}

}  // namespace
}  // namespace sallyport
