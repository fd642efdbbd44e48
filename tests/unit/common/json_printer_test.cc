#include "common/json_printer.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "common/config_file.h"
#include "common/redact.h"
#include "sallyport/access/v1/access_service.pb.h"
#include "sallyport/config/v1/agent_config.pb.h"
#include "sallyport/types/v1/approval.pb.h"
#include "sallyport/types/v1/policy.pb.h"
#include "sallyport/types/v1/record.pb.h"
#include "sallyport/types/v1/session.pb.h"

namespace sallyport {
namespace {

types::v1::Session SomeSession() {
  types::v1::Session session;
  session.set_id("ses_abc");
  session.set_server("wiki");
  session.mutable_principal()->set_realm("okta");
  session.mutable_principal()->set_kind(types::v1::PRINCIPAL_KIND_SERVICE);
  session.mutable_principal()->set_subject("0oa1deploy");
  session.mutable_principal()->set_client_id("0oa1deploy");
  session.mutable_principal()->add_scopes("mcp.use");
  session.set_state(types::v1::SESSION_STATE_ENDED);
  session.set_end_reason(types::v1::END_REASON_EXPIRED);
  session.mutable_expires_at()->set_seconds(1'798'675'200);
  session.mutable_terms()->mutable_max_duration()->set_seconds(900);
  session.mutable_terms()->set_bind(types::v1::BIND_MODE_ADDRESS);
  return session;
}

TEST_CASE("a session is printed with the names and words that scripts depend on",
          "[common][json]") {
  CHECK(
      ToJson(SomeSession()) ==
      R"({"id":"ses_abc","server":"wiki","principal":{"realm":"okta","kind":"service","subject":"0oa1deploy",)"
      R"("clientId":"0oa1deploy","scopes":["mcp.use"],"groups":[],"claims":[]},"state":"ended","endReason":"expired",)"
      R"("expiresAt":"2026-12-31T00:00:00Z","calls":0,"terms":{"maxDuration":"15m","bind":"address",)"
      R"("limits":[]},"approvedBy":[],"unsettledCalls":[]})");
}

TEST_CASE("numbers of any width are numbers, and zeros can be left out", "[common][json]") {
  types::v1::Session session;
  session.set_calls(18'446'744'073'709'551'615u);
  CHECK(ToJson(session) == R"({"calls":18446744073709551615,"approvedBy":[],"unsettledCalls":[]})");
  session.set_calls(0);
  CHECK(ToJson(session, {.omits_zeros = true}) == "{}");
}

TEST_CASE("bytes are base64 and an approval's decisions say no as well as yes", "[common][json]") {
  types::v1::Record record;
  record.set_salt("\x01\x02\xff");
  CHECK(ToJson(record) == R"({"n":0,"timeUnixNanos":0,"salt":"AQL/"})");
  types::v1::Approval approval;
  approval.add_decisions()->set_reason("no");
  CHECK(ToJson(approval) ==
        R"({"approvers":[],"owners":[],"decisions":[{"approve":false,"reason":"no"}],)"
        R"("count":0,"repeats":[],"cut":[],"shortened":[]})");
}

TEST_CASE("a list is there where it is empty, but for documents", "[common][json]") {
  types::v1::Approval approval;
  const auto json = nlohmann::json::parse(ToJson(approval));
  for (const char* list : {"approvers", "decisions", "repeats", "cut"}) {
    INFO(list);
    CHECK(json.at(list) == nlohmann::json::array());
  }
  CHECK(ToJson(approval, {.omits_zeros = true}) == "{}");
  CHECK(ToYaml(approval).find("decisions: []\n") != std::string::npos);
}

TEST_CASE("a 0 that means no limit is left out, and any other says 0", "[common][json]") {
  types::v1::EffectiveTerms terms;
  CHECK(ToJson(terms) == R"({"limits":[]})");
  terms.set_max_calls(3);
  terms.add_limits()->set_concurrent(2);
  CHECK(ToJson(terms) == R"({"maxCalls":3,"limits":[{"concurrent":2}]})");
  types::v1::ObjectLimit limit;
  limit.set_count("/ids");
  CHECK(ToJson(limit) == R"({"count":"/ids"})");
}

TEST_CASE("a list has its items and, where there is more, its token", "[common][json]") {
  types::v1::ServerSpec server;
  server.set_owner("a");
  CHECK(ListToJson({&server, &server}, "") ==
        R"({"items":[{"owner":"a","limits":[]},{"owner":"a","limits":[]}]})");
  CHECK(ListToJson({}, "t") == R"({"items":[],"nextPageToken":"t"})");
}

TEST_CASE("pretty JSON is the same JSON", "[common][json]") {
  const std::string pretty = ToJson(SomeSession(), {.is_pretty = true});
  CHECK(pretty.starts_with(
      "{\n  \"id\": \"ses_abc\",\n  \"server\": \"wiki\",\n  \"principal\": {\n    \"realm\""));
  CHECK(nlohmann::json::parse(pretty) == nlohmann::json::parse(ToJson(SomeSession())));
}

TEST_CASE("a policy goes to YAML and comes back the same", "[common][json]") {
  types::v1::PolicySpec spec;
  const std::string text = R"(
principals: [{realm: okta, client_ids: [0oa1deploy], groups: ["a: b", "true", " x", "12", "it's #1"]}]
servers: [everything, "wiki-*"]
session: {open: request, max_duration: 1h30m, approval: {approvers: ["okta:approvers"], count: 1}}
rules:
  - allow: {tools: [deploy], when: [{path: /env, in: [staging, 12, true, null, "no", "1.50", 1.50]}, {path: /x, exists: false}]}
)";
  REQUIRE(ParseConfig(text, "p.yaml", &spec).ok());
  const std::string yaml = ToYaml(spec, {.keeps_proto_names = true, .omits_zeros = true});
  types::v1::PolicySpec again;
  INFO(yaml);
  REQUIRE(ParseConfig(yaml, "again.yaml", &again).ok());
  CHECK(again.SerializeAsString() == spec.SerializeAsString());
}

TEST_CASE("YAML reads like YAML", "[common][json]") {
  CHECK(ToYaml(SomeSession(), {.omits_zeros = true}) ==
        "id: ses_abc\nserver: wiki\nprincipal:\n  realm: okta\n  kind: service\n  subject: "
        "\"0oa1deploy\"\n"
        "  clientId: \"0oa1deploy\"\n  scopes:\n    - mcp.use\nstate: ended\nendReason: expired\n"
        "expiresAt: \"2026-12-31T00:00:00Z\"\nterms:\n  maxDuration: \"15m\"\n  bind: address\n");
  CHECK(ListToYaml({}, "") == "items: []\n");
}

TEST_CASE("bare messages and maps are printed as they are written", "[common][json]") {
  types::v1::MaskProfileSpec spec;
  (*spec.mutable_operators())["email"].set_name("token");
  (*spec.mutable_operators())["card"].set_keep_last(4);
  CHECK(ToJson(spec, {.omits_zeros = true}) ==
        R"({"operators":{"card":{"keepLast":4},"email":"token"}})");
}

TEST_CASE("enum words drop their prefix; UNSPECIFIED and strangers have none", "[common][json]") {
  CHECK(EnumWord(types::v1::SESSION_STATE_PENDING) == "pending");
  CHECK(EnumWord(types::v1::DENIAL_REASON_MESSAGE_TOO_LARGE) == "message_too_large");
  CHECK(EnumWord(types::v1::SESSION_STATE_UNSPECIFIED).empty());
  CHECK(EnumWord(static_cast<types::v1::SessionState>(99)).empty());
}

TEST_CASE("a log sees public fields, sizes of sensitive ones and that a secret is there",
          "[common][redact]") {
  access::v1::OpenSessionRequest request;
  request.set_request_id("r1");
  request.set_token("eyJhbGciOi.very.secret");
  request.set_reason("rotate the key");
  const std::string json = RedactedJson(request);
  CHECK(json == R"({"requestId":"r1","token":"<secret>","reason":"<14 bytes>"})");
}

TEST_CASE("a log sees no value of a sensitive map and nothing of a bare sensitive field",
          "[common][redact]") {
  config::v1::StdioServer server;
  server.add_command("node");
  (*server.mutable_env())["TOKEN"].set_value("hunter2");
  CHECK(RedactedJson(server) == R"({"command":["node"],"env":"<1 items>"})");
  config::v1::ConfigValue value;
  value.set_value("hunter2");
  CHECK(RedactedJson(value) == R"("<7 bytes>")");
}

}  // namespace
}  // namespace sallyport
